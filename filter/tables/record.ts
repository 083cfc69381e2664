import { Name, View, viewOf } from "../bytes/view";

/** The term without dates. */
export const ALWAYS: i32 = 0;

export const enum KeySourceKind {
  Header,
  Authorization,
  Query,
  Cookie,
}
export const enum ConditionKind {
  Exact,
  Prefix,
  OneOf,
  Present,
  Absent,
}
/** The order is part of the counters' identity. The last two are 7 and 30 days long, counted from the epoch. */
export const enum WindowKind {
  Second,
  Minute,
  Hour,
  Day,
  Week,
  Month,
  SevenDays,
  ThirtyDays,
}
/** How a quota is counted, and by whom. */
export const enum QuotaKind {
  /** Per window, by this Envoy for itself. */
  Local,
  /** Per window, by the rate limit service for all Envoys. */
  Mesh,
  /** A token bucket, by this Envoy for itself. */
  Bucket,
}
/** What becomes of a request when its quota's rate limit service does not answer. */
export const enum FailureMode {
  Deny,
  Allow,
  LocalShare,
}

/** Where a key may be; `name` is a header, scheme, parameter or cookie name. */
@unmanaged
export class KeySource {
  kind: KeySourceKind;
  name: View;
}


@unmanaged
export class Api {
  name: View;
  /** First 64 bits of a digest of the name: part of the identity of counters kept per API. */
  id: u64;
  firstOffer: i32;
  offerCount: i32;
  firstRoute: i32;
  routeCount: i32;
  anonymous: bool;
  preflight: bool;
  /** The route that holds when no other does: `<api>/default`. */
  defaultRoute: View;
}

/** A plan that an API offers, with the counters of this pair since the last flush. */
@unmanaged
export class Offer {
  planName: View;
  plan: i32;
  api: i32;
  allowed: u32;
  refused: u32;
}


@unmanaged
export class Route {
  /** `<api>/<route>`, the value of x-tollgate-route. */
  name: View;
  path: View;
  rewritePrefix: View;
  firstCondition: i32;
  conditionCount: i32;
  firstMethod: i32;
  methodCount: i32;
  firstPlan: i32;
  planCount: i32;
  firstConsumer: i32;
  consumerCount: i32;
  firstSet: i32;
  setCount: i32;
  firstRemove: i32;
  removeCount: i32;
}

/** A condition on one request header; its values are a run in `Tables.values`. */
@unmanaged
export class HeaderCondition {
  name: View;
  kind: ConditionKind;
  firstValue: i32;
  valueCount: i32;
}


@unmanaged
export class HeaderField {
  name: View;
  value: View;
}


@unmanaged
export class Text {
  value: View;
}

/** A name in the config and the record it points to, known once everything is read. */
@unmanaged
export class Reference {
  name: View;
  index: i32;
}


@unmanaged
export class Plan {
  name: View;
  /** The last `ratelimit-policy` of the plan, with room for the longest; written for the limits and windows its quotas say. */
  policyText: View;
  firstQuota: i32;
  quotaCount: i32;
  hasMesh: bool;
}


@unmanaged
export class Quota {
  name: View;
  limit: i64;
  /** Size of a token bucket; 0 for the other kinds. */
  burst: i64;
  /** Time in which a bucket gains one token, in nanoseconds. */
  intervalNanoseconds: i64;
  /** First 64 bits of a digest of name and window: with the consumer's, the identity of a counter. */
  meter: u64;
  /** Units per window that this Envoy may allow by itself while the rate limit service does not answer. */
  localShare: i64;
  kind: QuotaKind;
  window: WindowKind;
  failureMode: FailureMode;
  perApi: bool;
  /** As in the plan's `policyText`. */
  textWindowSeconds: u32;
  textLimit: i64;
}

/** 24 bytes. */
@unmanaged
export class Consumer {
  /** First 64 bits of a digest of the name. */
  id: u64;
  nameText: Name;
  /** Number of the plan it has on every API that offers it, or NONE; until all is read, the plan's name in the document. */
  plan: i32;
  firstSubscription: i32;
  subscriptionCount: i32;

  get name(): View {
    return viewOf(this.nameText);
  }
}

/** 24 bytes. Until all is read, `api` and `plan` are names in the document. */
@unmanaged
export class Subscription {
  api: i32;
  plan: i32;
  offer: i32;
  term: i32;
  firstLimit: i32;
  limitCount: i32;
}

/** When a key or a subscription holds. Most have no dates and share the term `ALWAYS`. */
@unmanaged
export class Term {
  /** First and last-but-one second in which it holds, since the epoch. */
  from: i64;
  until: i64;
  /** Revoked or paused. */
  suspended: bool;
}

/** A limit that replaces the plan's for one subscription. */
@unmanaged
export class LimitOverride {
  limit: i64;
  /** Number of the quota; until all is read, its name in the document. */
  quota: i32;
}

/** 44 bytes, digest first. */
@unmanaged
export class Key {
  digest0: u64;
  digest1: u64;
  digest2: u64;
  digest3: u64;
  idText: Name;
  consumer: i32;
  term: i32;

  get id(): View {
    return viewOf(this.idText);
  }
}
