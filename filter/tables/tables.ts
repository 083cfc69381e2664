import { NONE, Region, Rows } from "../bytes/rows";
import { ABSENT, View } from "../bytes/view";
import { REASON_COUNT } from "../decision/reason";
import { Mounts } from "../match/api";
import { Keyring } from "../keyring/keyring";
import {
  ALWAYS,
  Api,
  Consumer,
  HeaderCondition,
  HeaderField,
  KeySource,
  LimitOverride,
  Offer,
  Plan,
  Quota,
  Reference,
  Route,
  Subscription,
  Term,
  Text,
} from "./record";

/**
 * A decoded plugin config: records that point to each other by index, strings in a region. Built whole, then only read
 * (counters aside), then freed as a whole.
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
  readonly terms: Rows<Term> = new Rows<Term>();
  readonly limits: Rows<LimitOverride> = new Rows<LimitOverride>();
  readonly keyring: Keyring = new Keyring();
  /** Requests by reason since the last flush. */
  readonly reasonCounts: StaticArray<u32> = new StaticArray<u32>(REASON_COUNT);
  /** True while counters here or in `offers` wait to be flushed. */
  uncounted: bool = false;

  constructor() {
    this.terms.add().until = i64.MAX_VALUE;
  }

  /** The term of a record that has dates: its own, made if it has the common one so far. */
  ownTerm(term: i32): i32 {
    if (term != ALWAYS) return term;
    this.terms.add().until = i64.MAX_VALUE;
    return this.terms.count - 1;
  }

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
    this.keyring.free();
  }

  shrink(): void {
    this.consumers.shrink();
    this.subscriptions.shrink();
    this.terms.shrink();
    this.limits.shrink();
    this.keyring.keys.shrink();
  }
}

/** The pair of an API and a plan that it offers, or NONE. */
export function findOffer(tables: Tables, api: i32, plan: i32): i32 {
  const record = tables.apis.at(api);
  for (let i = record.firstOffer; i < record.firstOffer + record.offerCount; i++) {
    if (tables.offers.at(i).plan == plan) return i;
  }
  return NONE;
}

/** Where mesh-wide quotas are counted: a service that speaks Envoy's rate limit protocol. */
export class RateLimitServiceSettings {
  /** Envoy's cluster of the service, or ABSENT without a rate limit service. */
  cluster: View = ABSENT;
  domain: View = ABSENT;
  /** How long a request may wait for the service. */
  timeoutMilliseconds: i32 = 0;
}
