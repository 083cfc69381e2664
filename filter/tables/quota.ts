import { View } from "../bytes/view";
import { UsageRow } from "../usage/usage";

/**
 * A window: its length in seconds, which is counted from the epoch; or one of `Calendar`, none of which is positive; or, below those,
 * the negative address of a `MovedWindow`.
 */
export type Window = i32;

/** Windows that begin with a Monday, a first of the month, a first of January. */
export const enum Calendar {
  Week = -1,
  Month = -2,
  Year = -3,
}

/** How a quota is counted, and by whom. */
export const enum QuotaKind {
  /** Per window, by this Envoy alone. */
  Local,
  /** Per window, by the rate limit service for all Envoys. */
  Mesh,
  /** A token bucket, by this Envoy alone. */
  Bucket,
}

/** What has a counter of its own, in the order of the contract's PERS. */
export const enum Per {
  Consumer,
  Api,
  Operation,
  Key,
  Group,
  Address,
}

/** Among the bits of observed quotas: the plan's limit of requests in flight. */
export const FLIGHT_BIT: u32 = 1 << 31;

/** Whether a refusal is in force, or only counted. */
export const enum Mode {
  /** As what is around it. */
  Inherited,
  Enforce,
  Observe,
}

/** What happens to a request while the rate limit service does not answer. */
export const enum FailureMode {
  Deny,
  Allow,
  LocalShare,
}

/** What has quotas, contiguous in `Tables.quotas`: a plan, or an operation with some of its own. */
@unmanaged
export class QuotaList {
  firstQuota: i32;
  quotaCount: i32;
  meshCount: i32;
}


@unmanaged
export class Plan extends QuotaList {
  name: View;
  /** Its anchors among `Tables.calendars`, or NONE. */
  anchors: i32;
  /** The plan's last `ratelimit-policy` value, with room for the longest; valid for the quotas' `textLimit` and `textWindowSeconds`. */
  policyText: View;
  /**
   * True when an API that offers it observes, or only some of its quotas there, or when it limits the requests in flight or counts by address.
   */
  isUnusual: bool;
  /** True when some of its quotas warn. */
  warns: bool;
  mode: Mode;
  /** How many requests of what `flightPer` says may be in flight at once; 0: any number. */
  flightLimit: i64;
  flightMeter: u64;
  flightPer: Per;
  flightMode: Mode;
  /** How many counters a request may need: one for each quota, and one for those in flight. */
  counterCount: i32;
  /** How many of those are by address. */
  addressCount: i32;
  /** What callers are told whom a quota of the plan refuses. */
  refusal: i32;
}

/** The refusal of a plan that says nothing of it. */
export const NO_REFUSAL: i32 = 0;

/** A plan's own status and words for what its quotas refuse. */
@unmanaged
export class Refusal {
  /** Of the problem, and its detail; each ABSENT for the reason's own. */
  type: View;
  detail: View;
  status: u32;
}


@unmanaged
export class Quota {
  name: View;
  limit: i64;
  /** Size of a token bucket; 0 for the other kinds. */
  burst: i64;
  /** The time in which a bucket gains one token. */
  intervalNanoseconds: i64;
  /** What its counters are known by in the place of its name, or ABSENT. */
  counter: View;
  /** The first 64 bits of a digest of name and window: together with the consumer's id, the identity of a counter. */
  meter: u64;
  /** The same for a subscription whose plan has counters of its own. */
  ownMeter: u64;
  /** Units per window that this Envoy may allow by itself while the rate limit service does not answer. */
  localShare: i64;
  kind: QuotaKind;
  window: Window;
  failureMode: FailureMode;
  per: Per;
  /** True for the calendar's day, which is as long as `1d` but may begin elsewhere. */
  isDay: bool;
  mode: Mode;
  /** The limit and window in the plan's `policyText`. */
  textWindowSeconds: u32;
  textLimit: i64;
  /** Percentages of the limit at which it warns, a byte each from the lowest byte on, in their order; 0: it does not. */
  warnAt: u32;
  /** Where it is counted how often each of them was reached. */
  warnings: UsageRow;
  /** True for one that is counted by itself. */
  isWarningCounted: bool;
  /** True for a bucket of a policy in which answers may give tokens back. */
  isSettled: bool;
}
