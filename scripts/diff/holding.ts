import type { ConsumerConfig, PluginConfig, SubscriptionConfig } from '../policy/index.ts';

/** What a consumer has on an API: its subscription, or what its own plan is short for; null when it has nothing there. */
export function holdingOf(config: PluginConfig, consumer: ConsumerConfig, api: string): SubscriptionConfig | null {
  const offered = config.apis.find(({ name }) => name === api)?.plans ?? [];
  const subscription = consumer.subscriptions?.find((candidate) => candidate.api === api);
  if (subscription !== undefined) return subscription;
  return consumer.plan !== undefined && offered.includes(consumer.plan) ? { api, plan: consumer.plan } : null;
}

/** Consumers that hold a plan somewhere. */
export function holdersOf(config: PluginConfig, plan: string): string[] {
  return config.consumers.filter((consumer) => config.apis.some(({ name }) => holdingOf(config, consumer, name)?.plan === plan)).map(({ name }) => name);
}

/** Consumers that hold a plan somewhere with the plan's own limit for a quota. */
export function boundBy(config: PluginConfig, plan: string, quota: string): string[] {
  return config.consumers
    .filter((consumer) => config.apis.some(({ name }) => {
      const holding = holdingOf(config, consumer, name);
      return holding?.plan === plan && !holding.limits?.some((limit) => limit.quota === quota);
    }))
    .map(({ name }) => name);
}
