import { NONE, Region, Rows } from "../bytes/rows";
import { ABSENT, View } from "../bytes/view";
import { AliasIndex } from "./alias";
import { Mounts } from "../match/api";
import { OperationTree } from "../operation/tree";
import { RouteIndex } from "../route/index";
import { Calendars } from "./calendar";
import { IdentityHeader, RateLimitHeaders } from "./disclosure";
import { Lifecycles } from "./lifecycle";
import { Mode, Plan, Quota, Refusal } from "./quota";
import { BurstOverride, Consumer, Grant, LimitOverride, Membership, Subscription, Terms } from "./consumer";
import { KeySource, KeySourceList } from "./keySource";
import { Api, Cors, Offer, Operation, Origin, Settlement } from "./api";
import { HeaderCondition, HeaderField, Route } from "./route";
import { Restrictions } from "./restriction";
import { Reference, Text } from "./text";
import { Tokens } from "./token";

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
  /** True: every listener verifies the certificates that it asks for; otherwise Envoy's RBAC filter must have seen each verified. */
  trustsListeners: bool = false;
  /** True when a plan has a refusal of its own: others need not look for it. */
  hasRefusals: bool = false;
  /** Of APIs that have no key sources of their own, and of requests that no API covers. */
  readonly keySourceList: KeySourceList = new KeySourceList();
  /** The realm of a 401, or ABSENT for the API's name. */
  realm: View = ABSENT;
  /** False: access logs get no line. */
  logLine: bool = true;
  /** True where no decision depends on the time: neither keys nor subscriptions have dates, nothing has a life, nothing is counted. */
  isTimeless: bool = false;
  rateLimitHeaders: RateLimitHeaders = RateLimitHeaders.Standard;
  /** The response header that tells when a key ends, or ABSENT, and how long before that it does. */
  keyEndHeader: View = ABSENT;
  keyEndSeconds: i64 = 0;
  /** True where the policy says itself what upstreams learn: then those headers stand in `identityHeaders`. */
  choosesIdentity: bool = false;
  readonly identityHeaders: Rows<IdentityHeader> = new Rows<IdentityHeader>();
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
  /** The first is that of requests whose answers say nothing of their cost. */
  readonly settlements: Rows<Settlement> = new Rows<Settlement>();
  /** How many quotas of their own the operations have together. */
  ownQuotas: i32 = 0;
  readonly scopes: Rows<Text> = new Rows<Text>();
  /** True when a key has fewer scopes than its consumer: others need not look for it. */
  narrowsScopes: bool = false;
  readonly routes: Rows<Route> = new Rows<Route>();
  readonly routeIndex: RouteIndex = new RouteIndex();
  readonly conditions: Rows<HeaderCondition> = new Rows<HeaderCondition>();
  readonly values: Rows<Text> = new Rows<Text>();
  readonly headers: Rows<HeaderField> = new Rows<HeaderField>();
  readonly lifecycles: Lifecycles = new Lifecycles();
  readonly references: Rows<Reference> = new Rows<Reference>();
  readonly plans: Rows<Plan> = new Rows<Plan>();
  /** Of the plans, of the operations, and buckets that subscriptions have in the place of those of their plans. */
  readonly quotas: Rows<Quota> = new Rows<Quota>();
  /** The first is that of plans without one. */
  readonly refusals: Rows<Refusal> = new Rows<Refusal>();
  readonly consumers: Rows<Consumer> = new Rows<Consumer>();
  /** The ids of workloads that are consumers. */
  readonly workloads: AliasIndex = new AliasIndex();
  readonly tokens: Tokens = new Tokens();
  readonly grants: Rows<Grant> = new Rows<Grant>();
  readonly memberships: Rows<Membership> = new Rows<Membership>();
  readonly subscriptions: Rows<Subscription> = new Rows<Subscription>();
  readonly terms: Terms = new Terms();
  readonly limits: Rows<LimitOverride> = new Rows<LimitOverride>();
  readonly burstOverrides: Rows<BurstOverride> = new Rows<BurstOverride>();
  readonly restrictions: Restrictions = new Restrictions();
  /** Which entry of X-Forwarded-For is the client's address, from the right; 0 for what the host takes for it. */
  trustedHops: i32 = 0;
  /** How many bits of an IPv4 and of an IPv6 address count as one caller. */
  addressBits4: i32 = 32;
  addressBits6: i32 = 64;
  /** True when escaped slashes are data in the paths of some API. */
  hasEscapedSlashes: bool = false;
  /** True when some API has a plan for callers without a key, or a plan counts by address. */
  hasVisitors: bool = false;
  /** True when a decision may ask for the host's address of the client. */
  asksPeer: bool = false;
  /** True when a plan limits the requests in flight. */
  countsFlights: bool = false;
  readonly calendars: Calendars = new Calendars();

  /** Frees the memory that the garbage collector does not manage. The tables must not be used afterwards. */
  free(): void {
    this.texts.free();
    this.keySources.free();
    this.identityHeaders.free();
    heap.free(changetype<usize>(this.keySourceList));
    this.apis.free();
    this.cors.free();
    this.origins.free();
    this.mounts.free();
    this.offers.free();
    this.operations.free();
    this.operationTree.free();
    this.settlements.free();
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
    this.refusals.free();
    this.consumers.free();
    this.workloads.free();
    this.tokens.free();
    this.grants.free();
    this.memberships.free();
    this.subscriptions.free();
    this.terms.free();
    this.limits.free();
    this.burstOverrides.free();
    this.restrictions.free();
    this.calendars.free();
  }

  shrink(): void {
    this.operations.shrink();
    this.operationTree.shrink();
    this.consumers.shrink();
    this.grants.shrink();
    this.memberships.shrink();
    this.subscriptions.shrink();
    this.terms.shrink();
    this.limits.shrink();
    this.quotas.shrink();
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

/** The membership of a consumer that has a group, or null. They stand in the order of the consumers. */
export function findMembership(tables: Tables, consumer: i32): Membership | null {
  let low = 0;
  let high = tables.memberships.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tables.memberships.at(middle).consumer < consumer) low = middle + 1;
    else high = middle;
  }
  if (low == tables.memberships.count) return null;
  const membership = tables.memberships.at(low);
  return membership.consumer == consumer ? membership : null;
}

/** Where mesh-wide quotas are counted: a service that speaks Envoy's rate limit protocol. */
export class RateLimitServiceSettings {
  /** Envoy's cluster for the service, or ABSENT without a rate limit service. */
  cluster: View = ABSENT;
  domain: View = ABSENT;
  /** How long a request may wait for the service. */
  timeoutMilliseconds: i32 = 0;
}
