import type {
  ConsumerConfig,
  Mode,
  PlanConfig,
  PluginConfig,
  SubscriptionConfig,
} from '../../contract/pluginConfig.ts';
import type { OwnLimit } from '../schema/quota.ts';

/** What decides who has which plan where. A Policy is one; so is what can be read of a draft or of a plugin config. */
export interface Grants<S extends Subscribed = Subscribed> {
  readonly apis: Readonly<Record<string, { readonly plans: readonly string[] }>>;
  readonly consumers: Readonly<Record<string, Grantee<S>>>;
}

export interface Grantee<S extends Subscribed = Subscribed> {
  /** Short for: this plan on every API that offers it and to which there is no subscription. */
  readonly plan?: string | undefined;
  /** By API. */
  readonly subscriptions: Readonly<Record<string, S>>;
}

export interface Subscribed {
  readonly plan: string;
  /** What stands in place of the plan's, by quota: a limit, or what of a bucket is another. */
  readonly limits?: Readonly<Record<string, OwnLimit>> | undefined;
}

/** What a consumer has on an API: its subscription, or the one that its own plan is short for, which is only a plan. */
export type Holding<S extends Subscribed = Subscribed> = { readonly api: string; readonly plan: string } & Partial<S>;

/** The size of a quota that a holding has: with the subscription's own limit and burst, or else the plan's. */
export function sizeOf(
  { limits }: Partial<Subscribed>,
  quota: string,
  ofPlan: { readonly limit: number; readonly burst?: number | undefined },
): { limit: number; burst: number | undefined } {
  const own = limits !== undefined && Object.hasOwn(limits, quota) ? limits[quota]! : {};
  const { limit = ofPlan.limit, burst = ofPlan.burst } = typeof own === 'number' ? { limit: own } : own;
  return { limit, burst };
}

/**
 * Which plan a consumer has on an API, and with which limits: the one answer to that. Looked up, because a policy may have
 * thousands of APIs and of consumers.
 */
export class Holdings<S extends Subscribed = Subscribed> {
  readonly #offers = new Map<string, ReadonlySet<string>>();
  readonly #ranks = new Map<string, number>();
  readonly #offering = new Map<string, string[]>();

  constructor({ apis }: Pick<Grants<S>, 'apis'>) {
    for (const [name, { plans }] of Object.entries(apis)) {
      const offered = new Set(plans);
      this.#ranks.set(name, this.#ranks.size);
      this.#offers.set(name, offered);
      for (const plan of offered) append(this.#offering, plan, name);
    }
  }

  has(api: string): boolean {
    return this.#offers.has(api);
  }

  /** APIs that offer a plan, in the order of the policy. */
  offering(plan: string | undefined): readonly string[] {
    return (plan !== undefined && this.#offering.get(plan)) || [];
  }

  /** What a consumer has on an API; null when it has nothing there. */
  on(consumer: Grantee<S>, api: string): Holding<S> | null {
    if (!this.has(api)) return null;
    if (Object.hasOwn(consumer.subscriptions, api)) return { ...consumer.subscriptions[api]!, api };
    const { plan } = consumer;
    return plan !== undefined && this.#offers.get(api)!.has(plan) ? ({ api, plan } as Holding<S>) : null;
  }

  /** Everything that a consumer holds, in the order of the policy's APIs. */
  all(consumer: Grantee<S>): Holding<S>[] {
    return this.#held(consumer, this.offering(consumer.plan));
  }

  /** The same, but of all APIs that its own plan is short for only the first: it has the same on each of them. */
  distinct(consumer: Grantee<S>): Holding<S>[] {
    const first = this.offering(consumer.plan).find((api) => !Object.hasOwn(consumer.subscriptions, api));
    return this.#held(consumer, first === undefined ? [] : [first]);
  }

  #held(consumer: Grantee<S>, ofPlan: readonly string[]): Holding<S>[] {
    const apis = new Set([...Object.keys(consumer.subscriptions).filter((api) => this.has(api)), ...ofPlan]);
    return [...apis].sort((a, b) => this.#ranks.get(a)! - this.#ranks.get(b)!).map((api) => this.on(consumer, api)!);
  }
}

/**
 * The plan that spends from a consumer's plain counters, so that what was used counts on when it changes: the consumer's own plan, or that
 * of its first subscription by the name of the API. Other plans that it holds have counters of their own.
 */
export function mainPlan({ plan, subscriptions }: Grantee): string | undefined {
  if (plan !== undefined) return plan;
  const [first] = Object.keys(subscriptions).sort((a, b) => (a < b ? -1 : 1));
  return first === undefined ? undefined : subscriptions[first]!.plan;
}

/** What tells who counts a quota, and what together. */
export interface CountedQuota {
  readonly per?: string | undefined;
  readonly scope?: string | undefined;
  readonly counter?: string | undefined;
}

/**
 * True for a quota that has a counter for each plan that a consumer holds. What counts per API or operation is apart anyway, a group's
 * counter is that of all its consumers, and the rate limit service has its own way.
 */
export function isPlansOwn({ per = 'consumer', scope, counter }: CountedQuota): boolean {
  return counter === undefined && scope !== 'mesh' && ['consumer', 'key', 'address'].includes(per);
}

/** A subscription of a plugin config, with its own limits by quota. */
export interface Held extends Omit<SubscriptionConfig, 'limits'> {
  readonly limits?: Readonly<Record<string, OwnLimit>>;
}

/** Who holds which plan in a plugin config. */
export class ConfigHoldings extends Holdings<Held> {
  readonly plans: ReadonlyMap<string, PlanConfig>;
  readonly #grantees: ReadonlyMap<string, Grantee<Held>>;
  #holders: Map<string, string[]> | null = null;

  constructor({ apis, plans, consumers }: PluginConfig) {
    super({ apis: Object.fromEntries(apis.map((api) => [api.name, api])) });
    this.plans = new Map(plans.map((plan) => [plan.name, plan]));
    this.#grantees = new Map(consumers.map((consumer) => [consumer.name, granteeOf(consumer)]));
  }

  grantee(consumer: string): Grantee<Held> {
    return this.#grantees.get(consumer)!;
  }

  /** Consumers that hold a plan somewhere. */
  holdersOf(plan: string): readonly string[] {
    this.#holders ??= this.#findHolders();
    return this.#holders.get(plan) ?? [];
  }

  /** Consumers that hold a plan somewhere with the plan's own limit for a quota. */
  boundBy(plan: string, quota: string): string[] {
    return this.holdersOf(plan).filter((consumer) =>
      this.distinct(this.grantee(consumer)).some(
        (holding) => holding.plan === plan && !Object.hasOwn(holding.limits ?? {}, quota),
      ),
    );
  }

  #findHolders(): Map<string, string[]> {
    const holders = new Map<string, string[]>();
    for (const [consumer, grantee] of this.#grantees) {
      for (const plan of new Set(this.distinct(grantee).map(({ plan }) => plan))) append(holders, plan, consumer);
    }
    return holders;
  }
}

function granteeOf({ plan, subscriptions = [] }: ConsumerConfig): Grantee<Held> {
  const held = subscriptions.map(({ limits, ...subscription }): [string, Held] => [
    subscription.api,
    {
      ...subscription,
      ...(limits && {
        limits: Object.fromEntries(
          limits.map(({ quota, limit, burst }) => [quota, burst === undefined ? limit : { limit, burst }]),
        ),
      }),
    },
  ]);
  return { plan, subscriptions: Object.fromEntries(held) };
}

interface HasMode {
  readonly mode?: Mode | undefined;
}

/** What says which modes apply: a policy, or what can be read of a draft or a plugin config. */
export interface Moded extends HasMode {
  readonly apis: Readonly<
    Record<string, HasMode & { readonly plans: readonly string[]; readonly operations?: OwnQuotas | undefined }>
  >;
  readonly plans: Readonly<
    Record<
      string,
      HasMode & { readonly quotas: Readonly<Record<string, HasMode>>; readonly concurrency?: HasMode | undefined }
    >
  >;
}

/** Quotas that an API's operations have of their own. */
type OwnQuotas = Readonly<Record<string, { readonly quotas?: Readonly<Record<string, HasMode>> | undefined }>>;

/** Which mode applies to what: the innermost that is given, of quota, plan, API and policy. The one answer to that. */
export class Modes {
  /** Of what belongs to no API. */
  readonly policy: Mode;
  readonly #offering = new Map<string, string[]>();

  constructor(private readonly moded: Moded) {
    this.policy = moded.mode ?? 'enforce';
    for (const [name, { plans }] of Object.entries(moded.apis))
      for (const plan of new Set(plans)) append(this.#offering, plan, name);
  }

  ofApi(api: string): Mode {
    return member(this.moded.apis, api)?.mode ?? this.policy;
  }

  /** Of subscriptions to a plan on an API. */
  ofPlan(plan: string, api: string): Mode {
    return member(this.moded.plans, plan)?.mode ?? this.ofApi(api);
  }

  ofQuota(quota: string, plan: string, api: string): Mode {
    return this.#quota(quota, plan)?.mode ?? this.ofPlan(plan, api);
  }

  #quota(quota: string, plan: string): HasMode | undefined {
    const quotas = member(this.moded.plans, plan)?.quotas;
    return quotas && member(quotas, quota);
  }

  /** Of a quota that an operation has of its own: its own mode, else the API's. No plan comes between. */
  ofOwnQuota({ mode }: HasMode, api: string): Mode {
    return mode ?? this.ofApi(api);
  }

  /** APIs that offer a plan. */
  offering(plan: string): readonly string[] {
    return this.#offering.get(plan) ?? [];
  }

  /** APIs on which a quota is only observed. */
  observing(quota: string, plan: string): string[] {
    return this.offering(plan).filter((api) => this.ofQuota(quota, plan, api) === 'observe');
  }

  /** True when what a plan says of itself makes no difference on any API. */
  isPlanRedundant(plan: string): boolean {
    const own = member(this.moded.plans, plan)?.mode;
    return own === undefined || this.offering(plan).every((api) => this.ofApi(api) === own);
  }

  /** Of a plan's concurrency. */
  ofFlight(plan: string, api: string): Mode {
    return member(this.moded.plans, plan)?.concurrency?.mode ?? this.ofPlan(plan, api);
  }

  isFlightRedundant(plan: string): boolean {
    const own = member(this.moded.plans, plan)?.concurrency?.mode;
    return own === undefined || this.offering(plan).every((api) => this.ofPlan(plan, api) === own);
  }

  isQuotaRedundant(quota: string, plan: string): boolean {
    const own = this.#quota(quota, plan)?.mode;
    return own === undefined || this.offering(plan).every((api) => this.ofPlan(plan, api) === own);
  }
}

/** True for a policy that lets pass what no API covers, so that it needs somewhere to go. */
export function passesUnmatched(policy: {
  readonly unmatched?: 'deny' | 'allow' | undefined;
  readonly mode?: Mode | undefined;
}): boolean {
  return policy.unmatched === 'allow' || policy.mode === 'observe';
}

const MAX_NAMED = 5;

/** Names of what is only observed, the widest first; null where everything is enforced. */
export function observedText(moded: Moded): string | null {
  const modes = new Modes(moded);
  const [apis, plans] = [Object.keys(moded.apis), Object.entries(moded.plans)];
  const observing = apis.filter((api) => modes.ofApi(api) === 'observe');
  const parts = plans.flatMap(([plan, { mode, quotas, concurrency }]) => {
    if (mode === 'observe' && !modes.isPlanRedundant(plan)) return [`plan ${plan}`];
    const isOwn = concurrency?.mode === 'observe' && !modes.isFlightRedundant(plan);
    return [
      ...(isOwn ? [`concurrency of ${plan}`] : []),
      ...Object.keys(quotas)
        .filter((quota) => !modes.observing(quota, plan).every((api) => observing.includes(api)))
        .map((quota) => `quota ${plan}/${quota}`),
    ];
  });
  const own = Object.entries(moded.apis).flatMap(([api, { operations = {} }]) =>
    Object.entries(operations).flatMap(([operation, { quotas = {} }]) =>
      Object.entries(quotas).map(([name, quota]) => ({ api, operation, name, mode: modes.ofOwnQuota(quota, api) })),
    ),
  );
  for (const { api, operation, name, mode } of own)
    if (mode === 'observe' && !observing.includes(api)) parts.push(`quota ${name} of ${operation} on ${api}`);
  const isWhole =
    modes.policy === 'observe' &&
    own.every(({ mode }) => mode === 'observe') &&
    observing.length === apis.length &&
    plans.every(([, { mode, quotas, concurrency }]) =>
      [mode, concurrency?.mode, ...Object.values(quotas).map((quota) => quota.mode)].every((own) => own !== 'enforce'),
    );
  const wide = [
    ...(modes.policy === 'observe' ? ['what belongs to no API'] : []),
    ...observing.map((api) => `API ${api}`),
  ];
  const names = [...(isWhole ? ['the whole policy'] : wide), ...parts];
  if (names.length === 0) return null;
  const [shown, more] = [names.slice(0, MAX_NAMED).join(', '), names.length - MAX_NAMED];
  return more > 0 ? `${shown} and ${more} more` : shown;
}

function member<T>(mapping: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(mapping, name) ? mapping[name] : undefined;
}

function append(lists: Map<string, string[]>, name: string, item: string): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [item]);
  else list.push(item);
}
