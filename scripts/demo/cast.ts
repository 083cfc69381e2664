import { burstLine, curlLine, curlLines, hostOf } from '../envoy/curl.ts';
import { ConfigHoldings, keySourcesOf, placedKey, type PluginConfig } from '../policy/index.ts';
import type { Playground } from './playground.ts';
import { graphUrl, type LocalPrometheus } from './prometheus.ts';

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
  const source = keySourcesOf(config, api).find((candidate) => !('query' in candidate || 'cookie' in candidate));
  if (!api || !free || !gold || !route || !source) return null;
  const perSecond = free.quotas.find(isBySecond)!;
  return {
    host: hostOf(api.hosts),
    path: `${api.paths[0]!.replace(/\/$/, '')}/pets`,
    free: { consumer: free.consumer, plan: free.plan, quota: perSecond.name, limit: perSecond.limit },
    gold: { consumer: gold.consumer, plan: gold.plan, quota: gold.quotas.find(isLong)!.name },
    route: { name: `${api.name}/${route.name}`, headers: Object.fromEntries((route.headers ?? []).map(headerOf)) },
    keyHeader: (key) => Object.fromEntries(placedKey(source, key).headers),
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
  const holdings = new ConfigHoldings(config);
  return config.consumers.flatMap(({ name: consumer }) => {
    const plan = holdings.plans.get(holdings.distinct(holdings.grantee(consumer))[0]?.plan ?? '');
    return plan ? [{ consumer, plan: plan.name, quotas: plan.quotas ?? [] }] : [];
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

/** What `tollgate demo` prints when it is ready: keys, and a line to paste for each thing worth seeing. */
export function welcome({ server, keys, file }: Playground, prometheus: LocalPrometheus | null = null): string {
  const { port, admin } = server.envoy;
  const cast = castOf(server.config);
  const holders = server.config.consumers.map(
    ({ name, plan }) => `  ${name}${plan === undefined ? '' : ` (plan ${plan})`}  ${keys.of(name)}`,
  );
  return `tollgate: ${file} in force on http://127.0.0.1:${port} (admin http://127.0.0.1:${admin.port})

keys, made for this run and kept in memory only
${holders.join('\n')}

${cast === null ? curlLines(server.config, port, 'KEY').join('\n') : linesOf(cast, port, (consumer) => keys.of(consumer))}
${prometheus === null ? '' : monitoring(prometheus)}
edit ${file} and save: in force within a second, counters kept. Ctrl-C stops.

`;
}

function linesOf(cast: Cast, port: number, keyOf: (consumer: string) => string): string {
  const call = (headers: Record<string, string>): Parameters<typeof curlLine>[0] => ({
    port,
    host: cast.host,
    path: cast.path,
    headers,
  });
  const key = cast.keyHeader(keyOf(cast.gold.consumer));
  return `without a key: 401
  ${curlLine(call({}))}
with a key: 200, RateLimit headers; the upstream sees consumer and plan, not the key
  ${curlLine(call(key))}
with a header that a route asks for: 200 from another upstream
  ${curlLine(call({ ...key, ...cast.route.headers }))}
more than ${cast.free.limit} in a second: 429
  ${burstLine(cast.free.limit + 1, call(cast.keyHeader(keyOf(cast.free.consumer))))}`;
}

function monitoring(prometheus: LocalPrometheus): string {
  return `
prometheus on ${prometheus.url}
  requests by reason  ${graphUrl(prometheus, 'sum by (reason) (rate(tollgate_requests_total[15s]))')}
  alerts              ${prometheus.url}/alerts
`;
}
