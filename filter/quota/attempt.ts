import { Quota, QuotaKind } from "../tables/record";
import { ceilSeconds } from "../time/window";
import { Balance } from "./balance";

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
