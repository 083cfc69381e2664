import { NONE } from "../bytes/rows";
import { MAX_QUOTAS } from "../config/contract";
import { Identity } from "../shared/shard";
import { Quota, QuotaKind } from "../tables/quota";
import { Tables } from "../tables/tables";
import { NANOSECONDS, ceilSeconds } from "../time/window";

/**
 * A balance: what this VM knows about one counter, and its lease. `left` units may be spent without asking, but only up to the
 * limit: another plan with a higher limit may share the counter, or an edit may have lowered it.
 *
 *   0   consumer id     u64      40  leased at     i64 ns  64  empty until  i64 ns
 *   8   meter id        u64      48  empty for     i64     72  empty cost   i32
 *   16  left            i64      56  empty since   i64 ns  76  idle sweeps  i16, kind i16
 *   24  used units      i64                                80  16 bytes of the kind's own
 *   32  lease units     i64
 */
@unmanaged
export class Balance extends Identity {
  /** Units leased and not spent. */
  left: i64;
  /** Units of the limit that were used when the counter was last read, this lease included. */
  usedUnits: i64;
  /** Units of the last lease. */
  leaseUnits: i64;
  leasedAtNanoseconds: i64;
  /** The limit for which the counter was last found empty, which says nothing about another limit. 0 if it was not. */
  emptyFor: i64;
  emptySinceNanoseconds: i64;
  /** When the counter may be asked again. */
  emptyUntilNanoseconds: i64;
  /** The cost for which it was found empty: a request that costs less may find enough, and one that costs more must wait longer. */
  emptyCost: i32;
  /** Sweeps since the last lease or spend. */
  idleSweeps: i16;
  kind: i16;
}

/** How long a counter counts as empty without being read again: other workers may have given leases back since. */
export const EMPTY_NANOSECONDS: i64 = NANOSECONDS / 4;

export function setEmpty(balance: Balance, emptyFor: i64, cost: i64, now: i64, until: i64): void {
  balance.emptyCost = <i32>cost;
  balance.emptySinceNanoseconds = now;
  balance.emptyFor = emptyFor;
  balance.emptyUntilNanoseconds = until;
}

/** True while the counter is known to be empty for such a request and need not be read again. */
// @ts-ignore: decorator
@inline
export function isEmpty(balance: Balance, emptyFor: i64, cost: i64, now: i64): bool {
  if (balance.emptyFor != emptyFor || balance.emptyCost != <i32>cost) return false;
  // A `now` before the reading means that the clock was set back, so nothing is known.
  return now >= balance.emptySinceNanoseconds && now < balance.emptyUntilNanoseconds;
}

/** Resets the balance for a window that nothing is known about. */
export function forget(balance: Balance): void {
  balance.left = 0;
  balance.emptyFor = 0;
}

/*
 * A lease covers what this VM used of the counter in the last quarter second, but at most twice the previous lease and at most
 * a small part of what remains. So it is one unit near the limit and for quiet consumers.
 */
const LEASE_NANOSECONDS: i64 = NANOSECONDS / 4;
const MAX_LEASE: i64 = 1 << 20;
/** A lease that lasted longer than this says nothing about the current rate. */
const MAX_LASTED_NANOSECONDS: i64 = 3600 * NANOSECONDS;

/** Units to ask for, given how quickly the last lease was used up. */
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

/** Records a lease of `units`, or of 0 when the counter has nothing left. */
export function noteLease(balance: Balance, units: i64, usedUnits: i64, now: i64): void {
  balance.left += units;
  balance.usedUnits = usedUnits;
  balance.leaseUnits = units;
  balance.leasedAtNanoseconds = now;
  balance.idleSweeps = 0;
}

/** What is known about one quota after a request, for the response headers. */
@unmanaged
export class Standing {
  limit: i64;
  /** Units left, or UNKNOWN. */
  remaining: i64;
  resetSeconds: u32;
  windowSeconds: u32;
}

/** The remainder of a counter that this VM has not read in the current window. */
export const UNKNOWN: i64 = -1;

const STANDINGS: usize = memory.data(MAX_QUOTAS * offsetof<Standing>(), 8);

/** The standings of the last charge, contiguous: of the plan's quotas in their order, then of the operation's own. */
export function standings(): usize {
  return STANDINGS;
}

/**
 * Hides the standing of an observed quota from callers, for whom it does not exist: a limit below zero, and a remainder below UNKNOWN, or
 * UNKNOWN. Access logs show it all the same.
 */
export function hide(standing: Standing, isCounted: bool): void {
  standing.limit = isCounted ? -standing.limit : -1;
  standing.remaining = isCounted && standing.remaining != UNKNOWN ? UNKNOWN - 1 - standing.remaining : UNKNOWN;
}

/** The units of a hidden remainder. */
export function hidden(remaining: i64): i64 {
  return UNKNOWN - 1 - remaining;
}

/** The current request's attempt to charge one of its quotas: where it looks for units and what it finds. Reused. */
@unmanaged
export class Attempt {
  /** The limit that applies to the request's subscription. */
  limit: i64;
  quota: Quota;
  balance: Balance;
  standing: Standing;
  /** How this attempt is counted: the quota's kind, or Local when a mesh quota falls back on its local share. */
  kind: QuotaKind;
  /** The failure mode that decided, or NONE if the quota was counted. Set for mesh quotas only. */
  fallback: i32;
  /** False until the counter has been read in the current window. */
  isKnown: bool;
  padding: u32;
}

const ATTEMPTS: usize = memory.data(MAX_QUOTAS * offsetof<Attempt>(), 8);

/** The attempt at the plan's quota `index`. */
// @ts-ignore: decorator
@inline
export function attemptAt(index: i32): Attempt {
  return changetype<Attempt>(ATTEMPTS + <usize>index * offsetof<Attempt>());
}

/** The index of the attempt's quota among the request's: those of its plan, then its operation's own. */
export function quotaNumberOf(attempt: Attempt): i32 {
  return <i32>((changetype<usize>(attempt.standing) - STANDINGS) / offsetof<Standing>());
}

/** Where the standing of the request's quota `index` is written. */
// @ts-ignore: decorator
@inline
export function standingAt(index: i32): Standing {
  return changetype<Standing>(STANDINGS + <usize>index * offsetof<Standing>());
}

/** The result of a charge, or of one attempt. */
export const enum Charge {
  Enough,
  Exceeded,
  Unavailable,
  /** Nothing has been spent: the rate limit service must be asked first, and the request decided again. */
  Wait,
  /** As many requests are in flight as may be. */
  Busy,
}

/** What a request does about a mesh quota for which this Envoy holds too few units. */
export const enum Patience {
  Wait,
  /** It has waited and the service does answer, but other requests took the units: it is told to retry in a second. */
  Contended,
  /** It has waited for an answer that did not come: the quota's failure mode decides. */
  Unanswered,
  /** It does not wait, because the quota is only observed: it passes uncounted, and the service is asked meanwhile. */
  None,
}

/** The request to charge, by indexes into the tables, and the outcome. */
@unmanaged
export class Bill {
  cost: i64;
  /** Seconds after which a refused request may be tried again. */
  retryAfterSeconds: i64;
  /** When the request is decided. */
  nowNanoseconds: i64;
  api: i32;
  /** NONE for a request without a key, as the consumer. */
  plan: i32;
  /** The operation whose own quotas the request is charged to, or NONE. */
  operation: i32;
  /** How many quotas of the request are the plan's, and how many it has in all; set where the operation has some. */
  planCount: i32;
  quotaCount: i32;
  consumer: i32;
  /** Index of the subscription, or NONE. */
  subscription: i32;
  patience: Patience;
  /** Index among the request's of the quota that refused, or could not be counted; or NONE. */
  exceeded: i32;
  /** What the observed quotas came to, once those in force have let the request pass. */
  observed: Charge;
  /** True while observed quotas are charged. */
  isObserving: bool;
  /** How many counters the rate limit service should be asked about: those that are empty here or running low. */
  notedCount: i32;
  /** Index of the noted counter to wait for, or NONE. */
  dryIndex: i32;
}

/** True for the index of a quota that is the operation's own. */
export function isOwn(index: i32): bool {
  return bill.operation != NONE && index >= bill.planCount;
}

/** The quota of the last request that was charged, by its index among that request's. */
export function quotaAt(tables: Tables, index: i32): Quota {
  if (!isOwn(index)) return tables.quotas.at(tables.plans.at(bill.plan).firstQuota + index);
  return tables.quotas.at(tables.operations.at(bill.operation).firstQuota + index - bill.planCount);
}

/** The bill of the current request. One record, reused for every request. */
export const bill: Bill = changetype<Bill>(memory.data(offsetof<Bill>(), 8));

/**
 * Records that a quota refuses until `untilNanoseconds`. The reply names the quota with the longest wait and its `retry-after`:
 * a caller who retried any earlier would be refused again.
 */
export function refuse(to: Bill, attempt: Attempt, untilNanoseconds: i64, now: i64): void {
  const wait = max<i64>(1, ceilSeconds(untilNanoseconds - now));
  if (wait <= to.retryAfterSeconds) return;
  to.exceeded = quotaNumberOf(attempt);
  to.retryAfterSeconds = wait;
}
