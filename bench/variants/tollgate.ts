import { currentModule } from '../../scripts/build/module.ts';
import type { LogField } from '../../scripts/contract/pluginConfig.ts';
import { LOG_FIELDS } from '../../scripts/contract/table.ts';
import { keyOf, pluginConfig, type Quota } from '../../harness/config.ts';
import { CONSUMERS, ENDLESS, KEY, ROUTE_HEADER, ROUTED, WRONG_KEY } from '../identity.ts';
import type { Variant } from '../variant.ts';

const ONE: readonly Quota[] = [{ name: 'hourly', limit: ENDLESS, window: 'hour' }];
const THREE: readonly Quota[] = [
  ...ONE,
  { name: 'daily', limit: ENDLESS, window: 'day' },
  { name: 'monthly', limit: ENDLESS, window: 'month' },
];
export const ROUTES = [{ name: 'v2', headers: [{ name: 'x-api-version', exact: '2' }] }];

/** No line for logs, no header for upstreams or callers: only what must be done. */
const TOLD_NOTHING = { accessLog: { line: false }, identityHeaders: {}, rateLimitHeaders: 'none' };

/** Tollgate, from a key alone to everything that it does, and by number of consumers. */
export const tollgate: readonly Variant[] = [
  { ...gate('tollgate-key', 'Tollgate: key', {}) },
  { ...gate('tollgate-lean-key', 'Tollgate: key, nothing told', { told: TOLD_NOTHING }), refuses: WRONG_KEY },
  {
    ...gate('tollgate-routes-key', 'Tollgate: key, nothing told, taken off by the routes', {
      told: { ...TOLD_NOTHING, forwardKey: true },
    }),
    refuses: WRONG_KEY,
    routing: takesKeyOff,
  },
  {
    ...gate('tollgate-lean-full', 'Tollgate: key, 3 quotas, only the route told', {
      quotas: THREE,
      routes: ROUTES,
      told: { ...TOLD_NOTHING, identityHeaders: { route: ROUTE_HEADER } },
    }),
    status: ROUTED,
    refuses: WRONG_KEY,
  },
  { ...gate('tollgate-quota', 'Tollgate: key, 1 quota', { quotas: ONE }), proof: 'ratelimit' },
  ...[10, 1000, 100_000].map((consumers) =>
    full(
      `tollgate-full-${consumers}`,
      `Tollgate: key, 3 quotas, route, ${thousands(consumers)} consumers`,
      consumers,
      keyOf(consumers / 2),
    ),
  ),
  full('tollgate-first', 'Tollgate: the same, first of 10,000 consumers', 10_000, keyOf(0)),
  full('tollgate-last', 'Tollgate: the same, last of 10,000 consumers', 10_000, keyOf(9999)),
  {
    ...gate('tollgate-wrong-key', 'Tollgate: wrong key (401)', { quotas: THREE, routes: ROUTES }),
    key: WRONG_KEY,
    status: 401,
    proof: 'www-authenticate',
  },
  logged('log-line', 'an access log with the line', [], {}),
  logged('log-one', 'with the line and one field', ['consumer'], shown(['consumer'])),
  logged('log-unshown', 'with the line, nine fields not shown', LOG_FIELDS, {}),
  logged('log-all', 'with the line and nine fields', LOG_FIELDS, shown(LOG_FIELDS)),
];

/** What `keyRemoval: routes` has the routing table do, in both spellings of every `-` as emitted tables have it. The router itself is not reached here. */
function takesKeyOff(): object[] {
  const type = 'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation';
  const names = ['x-api-key', 'x-api_key', 'x_api-key', 'x_api_key'];
  return [
    {
      name: 'envoy.filters.http.header_mutation',
      typed_config: {
        '@type': `type.googleapis.com/${type}`,
        mutations: { request_mutations: names.map((remove) => ({ remove })) },
      },
    },
  ];
}

/** Key, 3 quotas and route, and an access log that shows the line and more. */
function logged(name: string, title: string, fields: readonly LogField[], more: Record<string, string>): Variant {
  const config = { quotas: THREE, routes: ROUTES, ...(fields.length === 0 ? {} : { fields }) };
  return {
    ...gate(`tollgate-${name}`, `Tollgate: key, 3 quotas, route, ${title}`, config),
    status: ROUTED,
    proof: 'ratelimit',
    accessLog: { line: '%FILTER_STATE(wasm.tollgate:PLAIN)%', ...more },
  };
}

function shown(fields: readonly LogField[]): Record<string, string> {
  return Object.fromEntries(fields.map((name) => [name, `%FILTER_STATE(wasm.tollgate.${name}:PLAIN)%`]));
}

interface Policy {
  quotas?: readonly Quota[];
  routes?: object[];
  consumers?: number;
  fields?: readonly LogField[];
  /** Fields of the plugin config that say what others get to see. */
  told?: object;
}

function full(name: string, title: string, consumers: number, key: string): Variant {
  return {
    ...gate(name, title, { quotas: THREE, routes: ROUTES, consumers }),
    key,
    status: ROUTED,
    proof: 'ratelimit',
  };
}

function gate(name: string, title: string, policy: Policy): Variant {
  const { quotas = [], routes = [], consumers = CONSUMERS, fields, told } = policy;
  const accessLog = fields && { fields };
  return {
    name,
    title,
    family: 'tollgate',
    status: 200,
    key: KEY,
    services: [],
    module: async () => (await currentModule()).path,
    configuration: () =>
      JSON.stringify({ ...pluginConfig([...quotas], { policy: name, consumers, routes }), accessLog, ...told }),
  };
}

function thousands(count: number): string {
  return count.toLocaleString('en-US');
}
