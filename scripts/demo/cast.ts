import { hostOf } from '../envoy/curl.ts';
import type { PluginConfig } from '../policy/index.ts';

/** The most requests that the tour makes in one second. */
const MAX_BURST = 100;
export const CAST_RULE =
  'the tour needs a policy like the committed examples/petstore.policy.yaml: an API with a route by header value, ' +
  'a plan that counts by the second, another that counts longer, and a consumer on each';

/** Who and what the tour plays with, found in the policy by what the steps need. */
export interface Cast {
  host: string | null;
  /** A path of the API; the route's path where it has one. */
  path: string;
  /** A consumer whose plan counts by the second, and that limit. */
  free: { consumer: string; plan: string; quota: string; limit: number };
  /** A consumer of another plan that counts by a longer window, and that quota. */
  gold: { consumer: string; plan: string; quota: string };
  /** A route taken by header values alone. */
  route: { name: string; headers: Record<string, string> };
  /** The header that carries a key where the policy looks for one. */
  keyHeader(key: string): Record<string, string>;
}

/** Null when the policy, which its user may have changed, has not all that the steps need. */
export function castOf(config: PluginConfig): Cast | null {
  const api = config.apis[0];
  const free = holders(config)
    .filter(({ quotas }) => limitBySecond(quotas) <= MAX_BURST)
    .sort((a, b) => limitBySecond(a.quotas) - limitBySecond(b.quotas))[0];
  const gold = holders(config).find(({ plan, quotas }) => plan !== free?.plan && quotas.some(isLong));
  const route = api?.routes?.find(isByHeader);
  const source = config.keySources.find((candidate) => 'header' in candidate || 'authorization' in candidate);
  if (!api || !free || !gold || !route || !source) return null;
  const perSecond = free.quotas.find(isBySecond)!;
  return {
    host: hostOf(api.hosts),
    path: `${api.paths[0]!.replace(/\/$/, '')}/pets`,
    free: { consumer: free.consumer, plan: free.plan, quota: perSecond.name, limit: perSecond.limit },
    gold: { consumer: gold.consumer, plan: gold.plan, quota: gold.quotas.find(isLong)!.name },
    route: { name: `${api.name}/${route.name}`, headers: Object.fromEntries((route.headers ?? []).map(headerOf)) },
    keyHeader: (key) =>
      'header' in source
        ? { [source.header]: key }
        : 'authorization' in source
          ? { authorization: `${source.authorization} ${key}` }
          : {},
  };
}

type ConfigRoute = NonNullable<PluginConfig['apis'][number]['routes']>[number];

function isByHeader({ headers = [], methods, path, plans, consumers }: ConfigRoute): boolean {
  return (
    !methods && !path && !plans && !consumers && headers.length > 0 && headers.every((header) => 'exact' in header)
  );
}

function headerOf(condition: NonNullable<ConfigRoute['headers']>[number]): [string, string] {
  return [condition.name, 'exact' in condition ? condition.exact : ''];
}

type Quotas = NonNullable<PluginConfig['plans'][number]['quotas']>;

function holders(config: PluginConfig): { consumer: string; plan: string; quotas: Quotas }[] {
  return config.consumers.flatMap((consumer) => {
    const plan = config.plans.find(({ name }) => name === (consumer.subscriptions?.[0]?.plan ?? consumer.plan));
    return plan ? [{ consumer: consumer.name, plan: plan.name, quotas: plan.quotas ?? [] }] : [];
  });
}

function isBySecond(quota: Quotas[number]): boolean {
  return quota.window === 'second' && quota.burst === undefined;
}

function limitBySecond(quotas: Quotas): number {
  return quotas.find(isBySecond)?.limit ?? Number.POSITIVE_INFINITY;
}

function isLong(quota: Quotas[number]): boolean {
  return quota.window !== 'second' && quota.window !== 'minute' && quota.burst === undefined;
}
