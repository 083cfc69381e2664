import { NONE, Region, Rows } from "../bytes/rows";
import { ABSENT, Name, View, viewOf } from "../bytes/view";
import { Mounts } from "../match/api";
import { OperationTree } from "../operation/tree";
import { RouteIndex } from "../route/index";
import { MAX_COUNTED } from "../config/contract";
import { Usage, UsageRow } from "../usage/usage";
import { Lifecycles } from "./lifecycle";
import { OFFER_ID, pairId } from "./counterId";

/**
 * A decoded plugin config: records that refer to each other by index, and strings in a region. Built completely, then only read, then
 * freed as a whole.
 */
export class Tables {
  policy: View = ABSENT;
  /** The first digits of the plugin config's digest, or ABSENT. */
  digest: View = ABSENT;
  unmatchedAllowed: bool = false;
  /** The mode of what belongs to no API. */
  mode: Mode = Mode.Inherited;
  /** True when something is only observed: policies that enforce everything look no further. */
  observes: bool = false;
  /** True when a request passes whose host or path can be read in several ways: no API is in force that it could be for. */
  isAmbiguousObserved: bool = false;
  forwardKey: bool = false;
  /** The realm of a 401, or ABSENT for the API's name. */
  realm: View = ABSENT;
  /** Which fields access logs get: a bit for each LogField. */
  logFields: u32 = 0;
  /** Those of them that no decision of this policy can have, but an earlier policy's may have left. */
  unusedLogFields: u32 = 0;
  readonly rateLimitService: RateLimitServiceSettings = new RateLimitServiceSettings();
  readonly texts: Region = new Region();
  readonly keySources: Rows<KeySource> = new Rows<KeySource>();
  readonly apis: Rows<Api> = new Rows<Api>();
  readonly cors: Rows<Cors> = new Rows<Cors>();
  readonly origins: Rows<Origin> = new Rows<Origin>();
  readonly mounts: Mounts = new Mounts();
  readonly offers: Rows<Offer> = new Rows<Offer>();
  readonly operations: Rows<Operation> = new Rows<Operation>();
  readonly operationTree: OperationTree = new OperationTree();
  /** How many quotas of their own the operations have together. */
  ownQuotas: i32 = 0;
  readonly scopes: Rows<Text> = new Rows<Text>();
  readonly routes: Rows<Route> = new Rows<Route>();
  readonly routeIndex: RouteIndex = new RouteIndex();
  readonly conditions: Rows<HeaderCondition> = new Rows<HeaderCondition>();
  readonly values: Rows<Text> = new Rows<Text>();
  readonly headers: Rows<HeaderField> = new Rows<HeaderField>();
  readonly lifecycles: Lifecycles = new Lifecycles();
  readonly references: Rows<Reference> = new Rows<Reference>();
  readonly plans: Rows<Plan> = new Rows<Plan>();
  readonly quotas: Rows<Quota> = new Rows<Quota>();
  readonly consumers: Rows<Consumer> = new Rows<Consumer>();
  readonly grants: Rows<Grant> = new Rows<Grant>();
  readonly subscriptions: Rows<Subscription> = new Rows<Subscription>();
  readonly terms: Terms = new Terms();
  readonly limits: Rows<LimitOverride> = new Rows<LimitOverride>();

  /** Frees the memory that the garbage collector does not manage. The tables must not be used afterwards. */
  free(): void {
    this.texts.free();
    this.keySources.free();
    this.apis.free();
    this.cors.free();
    this.origins.free();
    this.mounts.free();
    this.offers.free();
    this.operations.free();
    this.operationTree.free();
    this.scopes.free();
    this.routes.free();
    this.routeIndex.free();
    this.conditions.free();
    this.values.free();
    this.headers.free();
    this.lifecycles.free();
    this.references.free();
    this.plans.free();
    this.quotas.free();
    this.consumers.free();
    this.grants.free();
    this.subscriptions.free();
    this.terms.free();
    this.limits.free();
  }

  shrink(): void {
    this.operations.shrink();
    this.operationTree.shrink();
    this.consumers.shrink();
    this.grants.shrink();
    this.subscriptions.shrink();
    this.terms.shrink();
    this.limits.shrink();
  }
}

/** The index of the offer of a plan on an API, or NONE. */
export function findOffer(tables: Tables, api: i32, plan: i32): i32 {
  const record = tables.apis.at(api);
  for (let i = record.firstOffer; i < record.firstOffer + record.offerCount; i++) {
    if (tables.offers.at(i).plan == plan) return i;
  }
  return NONE;
}

/**
 * Makes requests count into `usage`; to be called before the first decision. The first `MAX_COUNTED` APIs, and pairs of API and plan, are
 * counted separately, because the host never removes a series.
 */
export function holdUsage(tables: Tables, usage: Usage): void {
  for (let i = 0; i < tables.apis.count; i++) {
    const api = tables.apis.at(i);
    api.usage = i < MAX_COUNTED ? usage.hold(api.id) : usage.rest;
  }
  for (let i = 0; i < tables.operations.count; i++) {
    const operation = tables.operations.at(i);
    operation.usage =
      i < MAX_COUNTED ? usage.hold(withQuotas(tables, operation.id, operation)) : usage.restOfOperations;
  }
  for (let i = 0; i < tables.offers.count; i++) {
    const offer = tables.offers.at(i);
    offer.usage = i < MAX_COUNTED ? usage.hold(offerId(tables, offer)) : usage.rest;
  }
  if (tables.observes) holdObserved(tables, usage);
}

/** Distinguishes a row of what was observed from that of the same names. */
const OBSERVED_ID: u64 = 0x6f62736572766564;

function holdObserved(tables: Tables, usage: Usage): void {
  for (let i = 0; i < tables.apis.count; i++) {
    const api = tables.apis.at(i);
    api.observed = i < MAX_COUNTED ? usage.hold(api.id ^ OBSERVED_ID) : usage.observedRest;
  }
  for (let i = 0; i < tables.offers.count; i++) {
    const offer = tables.offers.at(i);
    offer.observed = i < MAX_COUNTED ? usage.hold(offerId(tables, offer) ^ OBSERVED_ID) : usage.observedRest;
  }
}

/** Undoes `holdUsage`; the counts must have been flushed before. */
export function releaseUsage(tables: Tables): void {
  for (let i = 0; i < min(tables.apis.count, MAX_COUNTED); i++) tables.apis.at(i).usage.holders--;
  for (let i = 0; i < min(tables.operations.count, MAX_COUNTED); i++) tables.operations.at(i).usage.holders--;
  for (let i = 0; i < min(tables.offers.count, MAX_COUNTED); i++) tables.offers.at(i).usage.holders--;
  if (!tables.observes) return;
  for (let i = 0; i < min(tables.apis.count, MAX_COUNTED); i++) tables.apis.at(i).observed.holders--;
  for (let i = 0; i < min(tables.offers.count, MAX_COUNTED); i++) tables.offers.at(i).observed.holders--;
}

function offerId(tables: Tables, offer: Offer): u64 {
  const id = pairId(OFFER_ID, 0, tables.apis.at(offer.api).name, offer.planName);
  return withQuotas(tables, id, tables.plans.at(offer.plan));
}

/** Differs where the names of quotas, or their order, differ: a row counts quotas by number. */
function withQuotas(tables: Tables, id: u64, list: QuotaList): u64 {
  for (let i = 0; i < list.quotaCount; i++) id = rotl<u64>(id, 7) ^ tables.quotas.at(list.firstQuota + i).meter;
  return id;
}

/** Where mesh-wide quotas are counted: a service that speaks Envoy's rate limit protocol. */
export class RateLimitServiceSettings {
  /** Envoy's cluster for the service, or ABSENT without a rate limit service. */
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
/** A window: its length in seconds, which is counted from the epoch; or one of `Calendar`, none of which is positive. */
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
/** What becomes of a CORS preflight. */
export const enum Preflight {
  /** Decided as any request, so that it needs a key. */
  Deny,
  /** It passes to the upstream without a key. */
  Allow,
  /** The module answers it, by the API's cors. */
  Answer,
}
/** What an access log may show of a decision, in the order of the contract's LOG_FIELDS. */
export const enum LogField {
  Reason,
  Api,
  Operation,
  Route,
  Consumer,
  KeyId,
  Plan,
  Quota,
  Remaining,
  Host,
  Mode,
}
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
  /** Routes to look through one by one: all, or none where there is an index. */
  scannedRoutes: i32;
  /** The header by whose value the index finds routes, or ABSENT; and the routes that it does not know. */
  keyHeader: View;
  firstOther: i32;
  otherCount: i32;
  anonymous: bool;
  preflight: Preflight;
  /** Its cors, with `Preflight.Answer`. */
  cors: i32;
  /** Requests that match none of its operations pass. */
  unlistedAllowed: bool;
  /** True when there is more to an API than its plans: what most have not costs their requests one look here. */
  isSpecial: bool;
  /** True when it, an operation or a route of it has a lifecycle. */
  hasLife: bool;
  lifecycle: i32;
  firstOperation: i32;
  operationCount: i32;
  /** Where its templates begin in the tree. */
  operationRoot: i32;
  /** Once everything is read, never Inherited. */
  mode: Mode;
  /** The route for requests that no other route takes: `<api>/default`. */
  defaultRoute: View;
  /** Where requests are counted whose decision comes to no plan. */
  usage: UsageRow;
  /** Where those of them are counted that only observing let pass; 0 in a policy that observes nothing. */
  observed: UsageRow;
}

/** What pages on other origins may do with an API. Names are contiguous in `Tables.values`, and listed once more as answers list them. */
@unmanaged
export class Cors {
  firstOrigin: i32;
  originCount: i32;
  firstMethod: i32;
  methodCount: i32;
  firstHeader: i32;
  headerCount: i32;
  firstExposed: i32;
  exposedCount: i32;
  methodText: View;
  headerText: View;
  exposedText: View;
  /** How long a browser may keep the answer to a preflight, or NONE for the browser's own time. */
  maxAgeSeconds: i32;
  credentials: bool;
}

/** An origin that an API's cors allows. */
@unmanaged
export class Origin {
  /** The whole origin, or `*`; of `https://*.example.com` it is `https://`. */
  start: View;
  /** Of `https://*.example.com` it is `.example.com`, with a port if there is one; otherwise ABSENT. */
  domain: View;
  cors: i32;
  isAny: bool;
}

/** Who may call an operation without a key. */
export const enum Anonymous {
  /** Whoever may call the API without one. */
  AsApi,
  Deny,
  Allow,
}

/** What has quotas, contiguous in `Tables.quotas`: a plan, or an operation with some of its own. */
@unmanaged
export class QuotaList {
  firstQuota: i32;
  quotaCount: i32;
  meshCount: i32;
}

/** What an API lists: some methods at a template of paths. Those at the same template follow each other by `next`. */
@unmanaged
export class Operation extends QuotaList {
  /** A bit for each of its own quotas that is only observed. */
  observedQuotas: u32;
  name: View;
  path: View;
  /** First 64 bits of a digest of the API's name and its own. */
  id: u64;
  /** Units that a request takes from each quota. */
  cost: i64;
  /** A bit for each scope that the consumer must have. */
  scopes: u64;
  /** Its methods among `Tables.values`; none for any. */
  firstMethod: i32;
  methodCount: i32;
  /** The plans among `Tables.references` of which the caller must have one; none for any. */
  firstPlan: i32;
  planCount: i32;
  anonymous: Anonymous;
  next: i32;
  /** Where its requests are counted. */
  usage: UsageRow;
  lifecycle: i32;
}

/** A plan that an API offers. */
@unmanaged
export class Offer {
  planName: View;
  plan: i32;
  api: i32;
  /** The record in which its requests are counted. */
  usage: UsageRow;
  /** Where those of them are counted that only observing let pass; 0 in a policy that observes nothing. */
  observed: UsageRow;
  /** True when a subscription to this plan on this API is only observed. */
  observes: bool;
  /** A bit for each quota of the plan that is only observed on this API. */
  observedQuotas: u32;
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
  lifecycle: i32;
}

/** A condition on one request header; its values are contiguous in `Tables.values`. */
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

/** A name in the config and the index of its record, which is set once everything is read. */
@unmanaged
export class Reference {
  name: View;
  index: i32;
}


@unmanaged
export class Plan extends QuotaList {
  name: View;
  /** The plan's last `ratelimit-policy` value, with room for the longest; valid for the quotas' `textLimit` and `textWindowSeconds`. */
  policyText: View;
  /** True when an API that offers it observes, or only some of its quotas there. */
  isObserved: bool;
  mode: Mode;
}


@unmanaged
export class Quota {
  name: View;
  limit: i64;
  /** Size of a token bucket; 0 for the other kinds. */
  burst: i64;
  /** The time in which a bucket gains one token. */
  intervalNanoseconds: i64;
  /** The first 64 bits of a digest of name and window: together with the consumer's id, the identity of a counter. */
  meter: u64;
  /** Units per window that this Envoy may allow by itself while the rate limit service does not answer. */
  localShare: i64;
  kind: QuotaKind;
  window: Window;
  failureMode: FailureMode;
  perApi: bool;
  mode: Mode;
  /** The limit and window in the plan's `policyText`. */
  textWindowSeconds: u32;
  textLimit: i64;
}

/** 24 bytes. */
@unmanaged
export class Consumer {
  /** First 64 bits of a digest of the name. */
  id: u64;
  nameText: Name;
  /** The plan that it has on every API that offers it, or NONE; until everything is read, the plan's name in the document. */
  plan: i32;
  firstSubscription: i32;
  subscriptionCount: i32;

  get name(): View {
    return viewOf(this.nameText);
  }
}

/** The scopes of a consumer that has some: a bit for each. In the order of the consumers. */
@unmanaged
export class Grant {
  scopes: u64;
  consumer: i32;
}

/** 24 bytes. Until everything is read, `api` and `plan` are names in the document. */
@unmanaged
export class Subscription {
  api: i32;
  plan: i32;
  offer: i32;
  term: i32;
  firstLimit: i32;
  limitCount: i32;
}

/** When a key or a subscription is valid. Most have no dates and share the term `ALWAYS`. */
@unmanaged
export class Term {
  /** The first second in which it is valid, and the first in which it no longer is; since the epoch. */
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

  /** The index of a term that only one record uses, which has `term` so far: a new one if that is the shared one. */
  own(term: i32): i32 {
    return term != ALWAYS ? term : this.addEndless();
  }

  private addEndless(): i32 {
    this.add().until = i64.MAX_VALUE;
    return this.count - 1;
  }
}

/** A limit override: replaces the plan's limit for one subscription. */
@unmanaged
export class LimitOverride {
  limit: i64;
  /** Index of the quota; until everything is read, its name in the document. */
  quota: i32;
}
