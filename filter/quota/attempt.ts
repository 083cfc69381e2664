import { Identity } from "../shared/shard";
import { Quota, QuotaKind } from "../tables/record";
import { NANOSECONDS, ceilSeconds } from "../time/window";

/**
 * A balance: what this VM knows of one counter, and its lease. `left` units may be spent without asking, as far as the limit
 * allows: another plan with a higher limit may share the counter, or an edit may have lowered it.
 *
 *   0   consumer id     u64      40  leased at     i64 ns  64  empty until  i64 ns
 *   8   meter id        u64      48  empty for     i64     72  idle sweeps  i32
 *   16  left            i64      56  empty since   i64 ns  76  kind         i32
 *   24  used units      i64                                80  16 bytes of the kind's own
 *   32  lease units     i64
 */
@unmanaged
export class Balance extends Identity {
  /** Units leased and not spent. */
  left: i64;
  /** Units used of the limit when the counter last answered, those of this lease included. */
  usedUnits: i64;
  /** Units of the last lease. */
  leaseUnits: i64;
  leasedAtNanoseconds: i64;
  /** What the last answer "empty" was given for: it says nothing about another limit. 0 without one. */
  emptyFor: i64;
  emptySinceNanoseconds: i64;
  /** When the counter may be asked again. */
  emptyUntilNanoseconds: i64;
  /** Sweeps since units were last leased or spent. */
  idleSweeps: i32;
  kind: QuotaKind;
}

/** How long "empty" is believed: leases of others may have come back since. */
export const EMPTY_NANOSECONDS: i64 = NANOSECONDS / 4;

export function setEmpty(balance: Balance, emptyFor: i64, now: i64, until: i64): void {
  balance.emptySinceNanoseconds = now;
  balance.emptyFor = emptyFor;
  balance.emptyUntilNanoseconds = until;
}

/** True while the counter need not be asked again. */
export function isEmpty(balance: Balance, emptyFor: i64, now: i64): bool {
  if (balance.emptyFor != emptyFor) return false;
  // Before the answer was given: the clock has been set back, and nothing is known.
  return now >= balance.emptySinceNanoseconds && now < balance.emptyUntilNanoseconds;
}

/** Another window has begun: nothing is known of it. */
export function forget(balance: Balance): void {
  balance.left = 0;
  balance.emptyFor = 0;
}

/*
 * A lease covers what the VM used of the counter in the last quarter second, at most twice the lease before it and at most
 * a small part of what remains; so it is 1 near the limit and for quiet consumers.
 */
const LEASE_NANOSECONDS: i64 = NANOSECONDS / 4;
const MAX_LEASE: i64 = 1 << 20;
/** A lease that lasted longer says nothing about the present rate. */
const MAX_LASTED_NANOSECONDS: i64 = 3600 * NANOSECONDS;

/** Units to ask for, given how fast the last lease went. */
export function leaseSize(balance: Balance, cost: i64, now: i64): i64 {
  const spent = balance.leaseUnits;
  if (spent <= 0) return cost;
  const lasted = now - balance.leasedAtNanoseconds;
  const doubled = min(spent * 2, MAX_LEASE);
  if (lasted <= 0) return max(cost, doubled);
  if (lasted >= MAX_LASTED_NANOSECONDS) return cost;
  // In microseconds, so that the product stays far below 2^63.
  const used = (spent * (LEASE_NANOSECONDS / 1000)) / max<i64>(1, lasted / 1000);
  return max(cost, min(doubled, used));
}

/** Books a lease of `units`, 0 of them when the counter has refused. */
export function noteLease(balance: Balance, units: i64, usedUnits: i64, now: i64): void {
  balance.left += units;
  balance.usedUnits = usedUnits;
  balance.leaseUnits = units;
  balance.leasedAtNanoseconds = now;
  balance.idleSweeps = 0;
}

/** What is known of one quota after a request, for the answer. */
@unmanaged
export class Standing {
  limit: i64;
  /** Units left, or UNKNOWN. */
  remaining: i64;
  resetSeconds: u32;
  windowSeconds: u32;
}

/** What this VM has not asked about in the present window. */
export const UNKNOWN: i64 = -1;

/** As many as a plan may have quotas. */
export const MAX_STANDINGS = 8;
const STANDINGS: usize = memory.data(MAX_STANDINGS * offsetof<Standing>(), 8);

/** The standings of the last charge, one after the other in the plan's order. */
export function standings(): usize {
  return STANDINGS;
}

/** The request at hand at one quota of its plan: where it looks for units, and what it finds. Reused for every request. */
@unmanaged
export class Attempt {
  /** The limit that holds for the request's subscription. */
  limit: i64;
  quota: Quota;
  balance: Balance;
  standing: Standing;
  /** How this attempt is counted: the quota's kind, or Local when a mesh quota falls back on its local share. */
  kind: QuotaKind;
  /** The failure mode that decided, or NONE while the quota was counted. Kept for mesh quotas only. */
  fallback: i32;
  /** False while nobody has been asked in the present window. */
  isKnown: bool;
  padding: u32;
}

const ATTEMPTS: usize = memory.data(MAX_STANDINGS * offsetof<Attempt>(), 8);

/** The attempt at the plan's quota `index`. */
// @ts-ignore: decorator
@inline
export function attemptAt(index: i32): Attempt {
  return changetype<Attempt>(ATTEMPTS + <usize>index * offsetof<Attempt>());
}

/** Number of the attempt's quota within its plan. */
export function quotaNumberOf(attempt: Attempt): i32 {
  return <i32>((changetype<usize>(attempt) - ATTEMPTS) / offsetof<Attempt>());
}

/** Where the standing of the plan's quota `index` is written. */
// @ts-ignore: decorator
@inline
export function standingAt(index: i32): Standing {
  return changetype<Standing>(STANDINGS + <usize>index * offsetof<Standing>());
}

/** What came of a charge, or of an attempt. */
export const enum Charge {
  Enough,
  Exceeded,
  Unavailable,
  /** Nothing is spent; the rate limit service must be asked, and the request decided again. */
  Wait,
}

/** What a request does about a mesh quota that is dry in this Envoy. */
export const enum Patience {
  Wait,
  /** It has waited, and the service does answer, but others were quicker: it is told to come again in a second. */
  Contended,
  /** It has waited for an answer that did not come: the quota's failure mode decides. */
  Unanswered,
}

/** The request to charge, by positions in the tables, and what came of it. */
@unmanaged
export class Bill {
  cost: i64;
  /** Seconds after which a refused request may be tried again. */
  retryAfterSeconds: i64;
  api: i32;
  plan: i32;
  consumer: i32;
  /** Position of the subscription, or NONE. */
  subscription: i32;
  patience: Patience;
  /** Number of the quota that refused, within its plan, or NONE. */
  exceeded: i32;
  /** Counters that the rate limit service should be asked about: those found dry or running low. */
  notedCount: i32;
  /** Number of the noted counter to wait for, or NONE. */
  dryIndex: i32;
}

/** The bill of the request at hand. One record, reused for every request. */
export const bill: Bill = changetype<Bill>(memory.data(offsetof<Bill>(), 8));

/**
 * Notes that a quota has refused until then. The quota with the longest wait gives the reply its name and its time: the reply
 * would mislead if it named another.
 */
export function refuse(to: Bill, attempt: Attempt, untilNanoseconds: i64, now: i64): void {
  const wait = max<i64>(1, ceilSeconds(untilNanoseconds - now));
  if (wait <= to.retryAfterSeconds) return;
  to.exceeded = quotaNumberOf(attempt);
  to.retryAfterSeconds = wait;
}
