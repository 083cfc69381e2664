import { NONE, Region, Rows } from "../bytes/rows";
import { ABSENT, Name, View, viewOf } from "../bytes/view";
import { Mounts } from "../match/api";
import { OfferUsage, Usage } from "../usage/usage";
import { OFFER_ID, pairId } from "./counterId";

/**
 * A decoded plugin config: records that point to each other by index, strings in a region. Built whole, then only read,
 * then freed as a whole.
 */
export class Tables {
  policy: View = ABSENT;
  unmatchedAllowed: bool = false;
  forwardKey: bool = false;
  /** What a 401 asks for a key for, or ABSENT: the API's name. */
  realm: View = ABSENT;
  readonly rateLimitService: RateLimitServiceSettings = new RateLimitServiceSettings();
  readonly texts: Region = new Region();
  readonly keySources: Rows<KeySource> = new Rows<KeySource>();
  readonly apis: Rows<Api> = new Rows<Api>();
  readonly mounts: Mounts = new Mounts();
  readonly offers: Rows<Offer> = new Rows<Offer>();
  readonly routes: Rows<Route> = new Rows<Route>();
  readonly conditions: Rows<HeaderCondition> = new Rows<HeaderCondition>();
  readonly values: Rows<Text> = new Rows<Text>();
  readonly headers: Rows<HeaderField> = new Rows<HeaderField>();
  readonly references: Rows<Reference> = new Rows<Reference>();
  readonly plans: Rows<Plan> = new Rows<Plan>();
  readonly quotas: Rows<Quota> = new Rows<Quota>();
  readonly consumers: Rows<Consumer> = new Rows<Consumer>();
  readonly subscriptions: Rows<Subscription> = new Rows<Subscription>();
  readonly terms: Terms = new Terms();
  readonly limits: Rows<LimitOverride> = new Rows<LimitOverride>();

  /** Frees what the collector does not know of. The tables must not be used after. */
  free(): void {
    this.texts.free();
    this.keySources.free();
    this.apis.free();
    this.mounts.free();
    this.offers.free();
    this.routes.free();
    this.conditions.free();
    this.values.free();
    this.headers.free();
    this.references.free();
    this.plans.free();
    this.quotas.free();
    this.consumers.free();
    this.subscriptions.free();
    this.terms.free();
    this.limits.free();
  }

  shrink(): void {
    this.consumers.shrink();
    this.subscriptions.shrink();
    this.terms.shrink();
    this.limits.shrink();
  }
}

/** Pairs of API and plan of one policy that are counted one by one: the host never forgets a metric. */
export const MAX_COUNTED_OFFERS: i32 = 512;

/** The pair of an API and a plan that it offers, or NONE. */
export function findOffer(tables: Tables, api: i32, plan: i32): i32 {
  const record = tables.apis.at(api);
  for (let i = record.firstOffer; i < record.firstOffer + record.offerCount; i++) {
    if (tables.offers.at(i).plan == plan) return i;
  }
  return NONE;
}

/** Has the offers counted in `usage` from now on; to be called before the first decision. */
export function holdUsage(tables: Tables, usage: Usage): void {
  for (let i = 0; i < tables.offers.count; i++) {
    const offer = tables.offers.at(i);
    const name = tables.apis.at(offer.api).name;
    offer.usage = i < MAX_COUNTED_OFFERS ? usage.hold(pairId(OFFER_ID, 0, name, offer.planName)) : usage.rest;
  }
}

/** The end of `holdUsage`: what was counted must have been flushed. */
export function releaseUsage(tables: Tables): void {
  for (let i = 0; i < min(tables.offers.count, MAX_COUNTED_OFFERS); i++) tables.offers.at(i).usage.holders--;
}

/** Where mesh-wide quotas are counted: a service that speaks Envoy's rate limit protocol. */
export class RateLimitServiceSettings {
  /** Envoy's cluster of the service, or ABSENT without a rate limit service. */
  cluster: View = ABSENT;
  domain: View = ABSENT;
  /** How long a request may wait for the service. */
  timeoutMilliseconds: i32 = 0;
}

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

/** A plan that an API offers. */
@unmanaged
export class Offer {
  planName: View;
  plan: i32;
  api: i32;
  /** Where its requests are counted. */
  usage: OfferUsage;
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

/** Terms by number; the first is `ALWAYS`. */
export class Terms extends Rows<Term> {
  constructor() {
    super();
    this.addEndless();
  }

  /** The number of a term for one record alone, which has `term` so far: made if that is the common one. */
  own(term: i32): i32 {
    return term != ALWAYS ? term : this.addEndless();
  }

  private addEndless(): i32 {
    this.add().until = i64.MAX_VALUE;
    return this.count - 1;
  }
}

/** A limit that replaces the plan's for one subscription. */
@unmanaged
export class LimitOverride {
  limit: i64;
  /** Number of the quota; until all is read, its name in the document. */
  quota: i32;
}
