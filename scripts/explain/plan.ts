import type { ApiConfig, ConcurrencyConfig, PluginConfig } from '../contract/pluginConfig.ts';
import { ConfigHoldings } from '../policy/index.ts';
import type { OwnLimit } from '../policy/schema/quota.ts';
import type { CredentialStory } from './credential.ts';

export interface PlanStory {
  readonly name: string | null;
  /** Where it comes from; `anonymous`: the API gives it to callers without a key, `none`: the consumer has no plan here. */
  readonly through: 'subscription' | 'consumer' | 'token' | 'anonymous' | 'none';
  /** Plans that the API offers. */
  readonly offered: readonly string[];
  /** The consumer's own plan, or the one that its token names. */
  readonly own: string | null;
  /** Own limits of the subscription, by quota. */
  readonly limits: Readonly<Record<string, OwnLimit>>;
  /** How many requests may be in flight at once; null: any number. */
  readonly concurrency: ConcurrencyStory | null;
}

export interface ConcurrencyStory {
  readonly limit: number;
  /** What has a count of its own. */
  readonly per: NonNullable<ConcurrencyConfig['per']> | 'consumer';
}

/** The plan of the caller, as far as the decision came to it. `plan`: the one that it names. */
export function planStory(
  config: PluginConfig,
  api: ApiConfig,
  consumer: string | null,
  plan: string | null,
  credential: CredentialStory | null,
): PlanStory | null {
  const concurrency = concurrencyOf(config, plan);
  if (consumer === null)
    return plan === null || api.anonymousPlan?.plan !== plan
      ? null
      : { name: plan, through: 'anonymous', offered: api.plans, own: null, limits: {}, concurrency };
  const holdings = new ConfigHoldings(config);
  const grantee = holdings.grantee(consumer);
  const subscription = Object.hasOwn(grantee.subscriptions, api.name) ? grantee.subscriptions[api.name] : undefined;
  const claimed = credential?.used === 'token' ? (credential.token?.plan?.holds ?? null) : null;
  if (claimed !== null && subscription === undefined) {
    const isOffered = api.plans.includes(claimed);
    return {
      name: plan ?? (isOffered ? claimed : null),
      through: isOffered ? 'token' : 'none',
      ...{ offered: api.plans, own: claimed, limits: {}, concurrency },
    };
  }
  const held = holdings.on(grantee, api.name);
  const through = held === null ? 'none' : subscription === undefined ? 'consumer' : 'subscription';
  return {
    name: plan ?? held?.plan ?? null,
    through,
    offered: api.plans,
    own: grantee.plan ?? null,
    limits: subscription?.limits ?? {},
    concurrency: concurrency ?? concurrencyOf(config, held?.plan ?? null),
  };
}

function concurrencyOf({ plans }: PluginConfig, plan: string | null): ConcurrencyStory | null {
  const { concurrency } = plans.find(({ name }) => name === plan) ?? {};
  return concurrency === undefined ? null : { limit: concurrency.limit, per: concurrency.per ?? 'consumer' };
}
