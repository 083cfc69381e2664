import { MAX_QUOTAS } from "../config/contract";
import { Pair } from "../inFlight/pairTable";
import { Identity } from "../shared/shard";
import { Calendar, FailureMode, QuotaKind } from "../tables/quota";
import { Attempt, Balance, Standing, attemptAt, quotaNumberOf } from "./attempt";
import { endOf } from "./calendar";
import { Counters, storeOf } from "./counters";

/**
 * A counter that a request was charged to, as it is remembered until the request is answered: by identity, and with all that is needed to
 * charge it again or to give back, because the tables may be others by then.
 *
 *           from              until                   beyond
 *   window  its first second  the second after it     the end of the window after it, where a calendar says it; otherwise 0
 *   bucket  interval, in ns   when it is full, in ns  depth, in ns
 *   mesh    0                 the window's end in ns  the highest number of a unit (see `Stock`)
 */
@unmanaged
export class Charged extends Pair {
  consumerId: u64;
  meter: u64;
  /** The limit that applied, or the size of the bucket. */
  limit: i64;
  from: i64;
  until: i64;
  beyond: i64;
  /** What is left, or UNKNOWN; when that is reset; and the length of the window. As a standing has them. */
  remaining: i64;
  resetSeconds: u32;
  windowSeconds: u32;
  window: i32;
  /** The index of the quota among the request's. */
  index: i32;
  /** The address of the counters that it is one of, which live as long as the VM. */
  owner: usize;
  kind: QuotaKind;
  /** False for what is only observed, of which callers are not told. */
  isShown: bool;
}

/** What tells the counter from others. */
// @ts-ignore: decorator
@inline
export function chargedTo(charged: Charged): Identity {
  return changetype<Identity>(changetype<usize>(charged) + offsetof<Charged>("consumerId"));
}

const DRAFT: usize = memory.data(MAX_QUOTAS * offsetof<Charged>(), 8);

/** How many counters of the current request are noted, and of how many of its quotas. */
export let drafted: i32 = 0;
export let draftedQuotas: i32 = 0;

export function forgetDraft(): void {
  drafted = 0;
  draftedQuotas = 0;
}

export function draftAt(index: i32): Charged {
  return changetype<Charged>(DRAFT + <usize>index * offsetof<Charged>());
}

/** Notes what the first `count` attempts have taken. */
export function draft(counters: Counters, count: i32): void {
  draftedQuotas += count;
  for (let i = 0; i < count && drafted < MAX_QUOTAS; i++) {
    if (isCounted(attemptAt(i))) note(draftAt(drafted++), attemptAt(i), counters);
  }
}

/** False where a failure mode has let the request pass, or only observing, before anything was known of the quota. */
function isCounted(attempt: Attempt): bool {
  return attempt.kind != QuotaKind.Mesh || (attempt.isKnown && attempt.fallback != <i32>FailureMode.Allow);
}

function note(charged: Charged, attempt: Attempt, counters: Counters): void {
  const balance = attempt.balance;
  const quota = attempt.quota;
  const standing: Standing = attempt.standing;
  charged.consumerId = balance.consumerId;
  charged.meter = balance.meter;
  charged.limit = attempt.limit;
  charged.from = 0;
  charged.until = load<i64>(changetype<usize>(balance), offsetof<Balance>());
  charged.beyond = load<i64>(changetype<usize>(balance), offsetof<Balance>() + sizeof<i64>());
  charged.remaining = standing.remaining;
  charged.resetSeconds = standing.resetSeconds;
  charged.windowSeconds = standing.windowSeconds;
  charged.window = quota.window;
  charged.index = quotaNumberOf(attempt);
  charged.owner = changetype<usize>(storeOf(counters, quota));
  charged.kind = attempt.kind;
  charged.isShown = standing.limit > 0;
  if (attempt.kind == QuotaKind.Local) {
    charged.from = charged.until;
    charged.until = charged.beyond;
    charged.beyond = quota.window >= Calendar.Year ? 0 : endOf(quota.window, charged.until);
  } else if (attempt.kind == QuotaKind.Bucket) {
    charged.limit = quota.burst;
    charged.from = quota.intervalNanoseconds;
    charged.beyond = quota.burst * quota.intervalNanoseconds;
  }
}
