import type { ConsumerConfig, PlanConfig, PluginConfig, SubscriptionConfig } from '../policy/index.ts';

/**
 * What consumers hold in a config, found without a walk over all APIs for each: with thousands of both that would take
 * minutes.
 */
export class Holdings {
  readonly plans: ReadonlyMap<string, PlanConfig>;
  readonly #offers: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #offering = new Map<string, string[]>();
  readonly #subscriptions = new Map<ConsumerConfig, ReadonlyMap<string, SubscriptionConfig>>();
  #holders: Map<string, string[]> | null = null;

  constructor(private readonly config: PluginConfig) {
    this.plans = new Map(config.plans.map((plan) => [plan.name, plan]));
    this.#offers = new Map(config.apis.map(({ name, plans }) => [name, new Set(plans)]));
    for (const [api, plans] of this.#offers) for (const plan of plans) append(this.#offering, plan, api);
  }

  has(api: string): boolean {
    return this.#offers.has(api);
  }

  /** APIs that offer a plan. */
  offering(plan: string | undefined): readonly string[] {
    return (plan !== undefined && this.#offering.get(plan)) || [];
  }

  subscriptionsOf(consumer: ConsumerConfig): ReadonlyMap<string, SubscriptionConfig> {
    const known =
      this.#subscriptions.get(consumer) ??
      new Map((consumer.subscriptions ?? []).map((subscription) => [subscription.api, subscription]));
    this.#subscriptions.set(consumer, known);
    return known;
  }

  /** What a consumer has on an API: its subscription, or what its own plan is short for; null when it has nothing there. */
  on(consumer: ConsumerConfig, api: string): SubscriptionConfig | null {
    const subscription = this.subscriptionsOf(consumer).get(api);
    if (subscription !== undefined) return subscription;
    return consumer.plan !== undefined && this.#offers.get(api)?.has(consumer.plan) === true
      ? { api, plan: consumer.plan }
      : null;
  }

  /** Everything that a consumer holds, in the order of the APIs' names. */
  all(consumer: ConsumerConfig): SubscriptionConfig[] {
    const apis = new Set([...this.subscriptionsOf(consumer).keys(), ...this.offering(consumer.plan)]);
    return [...apis]
      .filter((api) => this.has(api))
      .sort()
      .flatMap((api) => this.on(consumer, api) ?? []);
  }

  /** Consumers that hold a plan somewhere. */
  holdersOf(plan: string): readonly string[] {
    this.#holders ??= this.#findHolders();
    return this.#holders.get(plan) ?? [];
  }

  /** Consumers that hold a plan somewhere with the plan's own limit for a quota. */
  boundBy(plan: string, quota: string): string[] {
    return this.config.consumers.filter((consumer) => this.#isBound(consumer, plan, quota)).map(({ name }) => name);
  }

  #findHolders(): Map<string, string[]> {
    const holders = new Map<string, string[]>();
    for (const consumer of this.config.consumers) {
      const plans = new Set(this.#subscribed(consumer).map(({ plan }) => plan));
      if (this.#holdsOwnPlan(consumer)) plans.add(consumer.plan!);
      for (const plan of plans) append(holders, plan, consumer.name);
    }
    return holders;
  }

  #isBound(consumer: ConsumerConfig, plan: string, quota: string): boolean {
    if (consumer.plan === plan && this.#holdsOwnPlan(consumer)) return true;
    return this.#subscribed(consumer).some(
      (subscription) => subscription.plan === plan && !subscription.limits?.some((limit) => limit.quota === quota),
    );
  }

  #subscribed(consumer: ConsumerConfig): SubscriptionConfig[] {
    return [...this.subscriptionsOf(consumer).values()].filter(({ api }) => this.has(api));
  }

  /** True where some API offers the consumer's own plan and no subscription replaces it there. */
  #holdsOwnPlan(consumer: ConsumerConfig): boolean {
    return this.offering(consumer.plan).some((api) => !this.subscriptionsOf(consumer).has(api));
  }
}

function append(lists: Map<string, string[]>, name: string, item: string): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [item]);
  else list.push(item);
}
