import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { matchesGolden } from '../scripts/golden.ts';
import { KEY, pluginConfig, type PluginConfig, type Quota } from '../../harness/config.ts';
import { costOf, loadCounted, type Cost } from '../../harness/count/cost.ts';
import { RateLimitServiceModel } from '../../harness/rateLimitService/rateLimitServiceModel.ts';
import { LOG_FIELDS } from '../../scripts/contract/table.ts';
import type { Backend } from '../../scripts/host/grpc.ts';
import { Host } from '../../scripts/host/host.ts';
import { Timeline } from '../../scripts/host/process.ts';
import type { Exchange } from '../../scripts/host/openRequest.ts';
import type { CallerFacts, Pair } from '../../scripts/host/stream.ts';

/** Requests at ten thousand a second, until leases have grown to that rate. */
const WARM_UP = 20_000;

const module = loadCounted();
const REQUEST: Pair[] = [
  [':authority', 'api.example.com'],
  [':path', '/v1/pets?limit=10'],
  [':method', 'GET'],
  [':scheme', 'https'],
  ['user-agent', 'curl/8.5.0'],
  ['accept', '*/*'],
  ['x-request-id', '4f0c7b9e-7a6d-4a9e-9b39-0a2c0f9f5d11'],
  ['x-api-version', '2'],
];
const QUOTAS: Quota[] = [
  { name: 'hourly', limit: 1_000_000_000, window: 'hour' },
  { name: 'monthly', limit: 1_000_000_000_000, window: 'month' },
  { name: 'daily', limit: 10_000_000_000, window: 'day' },
];
const ROUTES = [{ name: 'v2', headers: [{ name: 'x-api-version', exact: '2' }] }];

interface Situation {
  readonly quotas: Quota[];
  readonly headers: Pair[];
  readonly reason: string;
  readonly routes?: object[];
  readonly config?: Partial<PluginConfig>;
  readonly caller?: CallerFacts;
  /** Of the plan. */
  readonly plan?: object;
  /** Time without requests before the one that is counted. */
  readonly restMs?: number;
}

const withKey = (key: string): Pair[] => [...REQUEST, ['x-api-key', key]];
const withPath = (path: string): Pair[] => REQUEST.map(([name, value]) => [name, name === ':path' ? path : value]);
const none = { quotas: [], headers: withKey(KEY), reason: 'allowed' };

const ORIGIN: Pair = ['origin', 'https://app.example.com'];
const apiWith = (fields: object): Partial<PluginConfig> => ({ apis: [{ ...pluginConfig([]).apis[0]!, ...fields }] });
const CORS = apiWith({ cors: { origins: ['https://app.example.com'], headers: ['x-api-key'] } });
const WILDCARD_CORS = apiWith({ cors: { origins: ['https://*.example.com'] } });
const PREFLIGHT: Pair[] = [
  ...REQUEST.map(([name, value]): Pair => [name, name === ':method' ? 'OPTIONS' : value]),
  ORIGIN,
  ['access-control-request-method', 'GET'],
  ['access-control-request-headers', 'x-api-key'],
];

const BUCKET: Quota = { name: 'smooth', limit: 1_000_000, window: 'second', burst: 1_000_000 };
const consumerWith = (fields: object): Partial<PluginConfig> => ({
  consumers: [{ ...pluginConfig([]).consumers[0]!, ...fields }],
});
const subscribed = (fields: object): Partial<PluginConfig> =>
  consumerWith({ subscriptions: [{ api: 'petstore', plan: 'free', ...fields }] });

const operationWith = (fields: object): Partial<PluginConfig> =>
  apiWith({ operations: [{ name: 'listPets', methods: ['GET'], path: '/pets', ...fields }] });
const OWN_QUOTAS = { quotas: [{ name: 'reads', limit: 1_000_000_000, window: 'hour' }] };

const WORKLOAD = 'spiffe://cluster.local/ns/shop/sa/cart';
const workloadWith = (fields: object): Partial<PluginConfig> => ({
  ...apiWith({ credentials: ['workload'] }),
  consumers: [{ name: 'cart', plan: 'free', workloads: [WORKLOAD] }],
  ...fields,
});
const CALLER: CallerFacts = {
  uriSans: [WORKLOAD],
  metadata: { 'envoy.filters.http.rbac': { tollgate_shadow_engine_result: 'allowed' } },
};

const tokenWith = (fields: object, api: object = {}): Partial<PluginConfig> => ({
  ...apiWith({ credentials: ['token'], ...api }),
  tokens: [{ name: 'corp', issuer: 'https://idp.example.com', ...fields }],
  consumers: [{ name: 'acme', plan: 'free', tokens: [{ issuer: 'corp', subjects: ['8d7f3a52'] }] }],
});
const TOKEN: CallerFacts = {
  metadata: {
    'envoy.filters.http.jwt_authn': {
      payload: {
        iss: 'https://idp.example.com',
        sub: '8d7f3a52',
        aud: ['shop'],
        plan: 'free',
        scope: ['read', 'write'],
      },
    },
  },
};

const LEAN = { accessLog: { line: false }, rateLimitHeaders: 'none', identityHeaders: {} };
const LEAN_ROUTE = { ...LEAN, identityHeaders: { route: 'x-tollgate-route' } };

const keysOf = (): object[] => (pluginConfig([]).consumers[0] as { keys: object[] }).keys;
const PATH_DATA = ['escaped-slashes', 'empty-segments'];

/** Of a key: half a year after the requests. */
const END_SECONDS = Date.UTC(2026, 6, 15) / 1000;

const LOG = { accessLog: { fields: [...LOG_FIELDS] } };

const SITUATIONS: Record<string, Situation> = {
  'key in header': none,
  'key in header, route': { ...none, routes: ROUTES },
  'key in header, route by query': {
    ...none,
    routes: [{ name: 'v2', query: [{ name: 'limit', exact: '10' }] }],
  },
  'key in query': {
    ...none,
    headers: withPath(`/v1/pets?limit=10&api_key=${KEY}`),
    config: { keySources: [{ query: 'api_key' }] },
  },
  'key in cookie': {
    ...none,
    headers: [...REQUEST, ['cookie', `theme=dark; api_key=${KEY}; lang=en`]],
    config: { keySources: [{ cookie: 'api_key' }] },
  },
  'key as bearer token': {
    ...none,
    headers: [...REQUEST, ['authorization', `Bearer ${KEY}`]],
    config: { keySources: [{ authorization: 'Bearer' }] },
  },
  'key behind any scheme': {
    ...none,
    headers: [...REQUEST, ['authorization', `Token ${KEY}`]],
    config: { keySources: [{ authorization: 'Token' }] },
  },
  'key without a scheme': {
    ...none,
    headers: [...REQUEST, ['authorization', KEY]],
    config: { keySources: [{ authorization: 'none' }] },
  },
  'key as user of Basic': {
    ...none,
    headers: [...REQUEST, ['authorization', `Basic ${Buffer.from(`${KEY}:`).toString('base64')}`]],
    config: { keySources: [{ basic: 'user' }] },
  },
  'key as password of Basic': {
    ...none,
    headers: [...REQUEST, ['authorization', `Basic ${Buffer.from(`api:${KEY}`).toString('base64')}`]],
    config: { keySources: [{ basic: 'password' }] },
  },
  'key behind a prefix': {
    ...none,
    headers: [...REQUEST, ['x-auth', `Key ${KEY}`]],
    config: { keySources: [{ header: 'x-auth', prefix: 'Key ' }] },
  },
  'key in a place of the API, another place of the policy in use': {
    ...none,
    headers: [...withKey('of-the-backend'), ['x-gateway-key', KEY]],
    config: apiWith({ keySources: [{ header: 'x-gateway-key' }] }),
  },
  'key in header, 1 quota, route': { ...none, quotas: QUOTAS.slice(0, 1), routes: ROUTES },
  'key in header, 1 mesh-wide quota, route': {
    ...none,
    quotas: [{ name: 'hourly', limit: 1_000_000_000, window: 'hour', scope: 'mesh' }],
    routes: ROUTES,
    config: { rateLimitService: { cluster: 'c', domain: 'd', timeoutMilliseconds: 50 } },
  },
  'key in header, 2 quotas, route': { ...none, quotas: QUOTAS.slice(0, 2), routes: ROUTES },
  'key in header, 3 quotas, route': { ...none, quotas: QUOTAS, routes: ROUTES },
  'key in header, 2 quotas, route, all log fields': {
    ...none,
    quotas: QUOTAS.slice(0, 2),
    routes: ROUTES,
    config: LOG,
  },
  'key in header, 2 quotas, route, one log field': {
    ...none,
    quotas: QUOTAS.slice(0, 2),
    routes: ROUTES,
    config: { accessLog: { fields: ['consumer'] } },
  },
  'key in header, nothing told': { ...none, config: LEAN },
  'key in header, nothing told, key forwarded': { ...none, config: { ...LEAN, forwardKey: true } },
  'key in header, 3 quotas, route, only the route told': {
    ...none,
    quotas: QUOTAS,
    routes: ROUTES,
    config: LEAN_ROUTE,
  },
  'key in header, 3 quotas, route, quotas told in refusals': {
    ...none,
    quotas: QUOTAS,
    routes: ROUTES,
    config: { rateLimitHeaders: 'refusals' },
  },
  'key in header, 3 quotas, route, X-RateLimit headers': {
    ...none,
    quotas: QUOTAS,
    routes: ROUTES,
    config: { rateLimitHeaders: 'x-ratelimit' },
  },
  'key in header, route, all told in two headers': {
    ...none,
    routes: ROUTES,
    config: {
      identityHeaders: { consumer: 'x-caller', plan: 'x-caller', keyId: 'x-caller', route: 'x-tollgate-route' },
    },
  },
  'key missing, nothing told': { ...none, headers: REQUEST, reason: 'missing_api_key', config: LEAN },
  'key in header, path to normalise': {
    ...none,
    headers: [...withPath('/v1/a/../pets//x?limit=10'), ['x-api-key', KEY]],
  },
  'key missing': { ...none, headers: REQUEST, reason: 'missing_api_key' },
  'key missing, all log fields': { ...none, headers: REQUEST, reason: 'missing_api_key', config: LOG },
  'key unknown': { ...none, headers: withKey('no-such-key-at-all'), reason: 'unknown_api_key' },
  'quota exceeded': { ...none, quotas: [{ name: 'hourly', limit: 3, window: 'hour' }], reason: 'quota_exceeded' },
  'key in header, cors, no origin': { ...none, config: CORS },
  'key in header, cors': { ...none, headers: [...withKey(KEY), ORIGIN], config: CORS },
  'key in header, cors with a wildcard': { ...none, headers: [...withKey(KEY), ORIGIN], config: WILDCARD_CORS },
  'key in header, cors, 1 quota': {
    ...none,
    quotas: QUOTAS.slice(0, 1),
    headers: [...withKey(KEY), ORIGIN],
    config: CORS,
  },
  'key missing, cors': { ...none, headers: [...REQUEST, ORIGIN], reason: 'missing_api_key', config: CORS },
  preflight: { ...none, headers: PREFLIGHT, reason: 'preflight_answered', config: CORS },
  'key in header, operation': { ...none, config: operationWith({}) },
  'key in header, operation with a quota of its own': { ...none, config: operationWith(OWN_QUOTAS) },
  'key in header, operation with a quota of its own, 2 quotas': {
    ...none,
    quotas: QUOTAS.slice(1),
    config: operationWith(OWN_QUOTAS),
  },
  ...Object.fromEntries(
    (['key', 'operation', 'group'] as const).map((per) => [
      `key in header, 1 quota per ${per}`,
      {
        ...none,
        quotas: [{ ...QUOTAS[0]!, per }],
        config: { ...operationWith({}), ...consumerWith({ group: 'corp' }) },
      },
    ]),
  ),
  'key in header, 1 quota in a counter': { ...none, quotas: [{ ...QUOTAS[0]!, counter: 'calls' }] },
  'key in header, 1 quota in the counter of its plan alone': {
    ...none,
    quotas: QUOTAS.slice(0, 1),
    config: subscribed({ ownCounters: true }),
  },
  'key in header, 1 quota with a limit of its own': {
    ...none,
    quotas: QUOTAS.slice(0, 1),
    config: subscribed({ limits: [{ quota: 'hourly', limit: 500_000_000 }] }),
  },
  'key in header, 1 bucket': { ...none, quotas: [BUCKET] },
  'key in header, 1 bucket of its own size': {
    ...none,
    quotas: [BUCKET],
    config: subscribed({ limits: [{ quota: 'smooth', limit: 500_000, burst: 2_000_000 }] }),
  },
  'key in header, 3 quotas that warn, none of them yet': {
    ...none,
    quotas: QUOTAS.map((quota) => ({ ...quota, warnAt: [80, 95] })),
  },
  'key in header, 1 quota, beyond a percentage at which it warns': {
    ...none,
    quotas: [{ name: 'hourly', limit: 100_000, window: 'hour', warnAt: [1, 95] }],
  },
  "quota exceeded, in the plan's words": {
    ...none,
    quotas: [{ name: 'hourly', limit: 3, window: 'hour' }],
    reason: 'quota_exceeded',
    config: {
      plans: [
        {
          name: 'free',
          refusal: { status: 402, detail: 'Used up.' },
          quotas: [{ name: 'hourly', limit: 3, window: 'hour' }],
        },
      ],
    } as never,
  },
  workload: { ...none, headers: REQUEST, config: workloadWith({ workloadProof: 'listener' }), caller: CALLER },
  token: { ...none, headers: REQUEST, config: tokenWith({}), caller: TOKEN },
  'token, audience, plan and scopes': {
    ...none,
    headers: REQUEST,
    config: tokenWith(
      { audiences: ['shop'], plan: 'plan', scopes: 'scope' },
      { operations: [{ name: 'listPets', methods: ['GET'], path: '/pets', scopes: ['write'] }] },
    ),
    caller: TOKEN,
  },
  'workload, proven by RBAC': { ...none, headers: REQUEST, config: workloadWith({}), caller: CALLER },
  'key missing, observed': { ...none, headers: REQUEST, reason: 'missing_api_key', config: { mode: 'observe' } },
  'quota exceeded, observed': {
    ...none,
    quotas: [{ name: 'hourly', limit: 3, window: 'hour' }],
    reason: 'quota_exceeded',
    config: { mode: 'observe' },
  },
  'key in header, addresses of its consumer': {
    ...none,
    config: {
      consumers: [{ ...pluginConfig([]).consumers[0]!, addresses: { allow: ['127.0.0.0/8', '2001:db8::/32'] } }],
    },
  },
  'key in header, whose end is told': {
    ...none,
    config: {
      keyExpiryWarning: { header: 'x-key-expires', beforeSeconds: 366 * 86_400 },
      consumers: [{ ...pluginConfig([]).consumers[0]!, keys: keysOf().map((key) => ({ ...key, until: END_SECONDS })) }],
    },
  },
  'key in header, whose end would be told later': {
    ...none,
    config: {
      keyExpiryWarning: { header: 'x-key-expires', beforeSeconds: 60 },
      consumers: [{ ...pluginConfig([]).consumers[0]!, keys: keysOf().map((key) => ({ ...key, until: END_SECONDS })) }],
    },
  },
  'key in header, for some APIs and with some scopes': {
    ...none,
    config: {
      ...operationWith({ scopes: ['read'] }),
      consumers: [
        {
          ...pluginConfig([]).consumers[0]!,
          scopes: ['read', 'write'],
          keys: keysOf().map((key) => ({ ...key, apis: ['petstore'], scopes: ['read'] })),
        },
      ],
    },
  },
  'key in header, addresses, 2 trusted hops': {
    ...none,
    headers: [...withKey(KEY), ['x-forwarded-for', '203.0.113.7, 198.51.100.9,10.0.0.1']],
    config: {
      clientAddress: { trustedHops: 2 },
      consumers: [{ ...pluginConfig([]).consumers[0]!, addresses: { allow: ['198.51.100.0/24'] } }],
    },
  },
  'no key, a plan by address, 1 quota': {
    quotas: QUOTAS.slice(0, 1),
    headers: REQUEST,
    reason: 'anonymous',
    config: apiWith({ anonymousPlan: { plan: 'free' } }),
  },
  'key in header, 1 quota per address': { ...none, quotas: [{ ...QUOTAS[0]!, per: 'address' }] },
  'key in header, 2 quotas, one of them per address, 2 trusted hops': {
    ...none,
    quotas: [{ ...QUOTAS[0]!, per: 'address' }, QUOTAS[1]!],
    headers: [...withKey(KEY), ['x-forwarded-for', '203.0.113.7, 198.51.100.9,10.0.0.1']],
    config: { clientAddress: { trustedHops: 2 } },
  },
  'key in header, requests in flight limited': { ...none, plan: { concurrency: { limit: 100 } } },
  'key in header, requests in flight limited, 1 quota': {
    ...none,
    quotas: QUOTAS.slice(0, 1),
    plan: { concurrency: { limit: 100 } },
  },
  'key in header, an API that tells of quotas': { ...none, config: apiWith({ me: { path: '/.tollgate/me' } }) },
  'told of 3 quotas': {
    quotas: QUOTAS,
    headers: [...withPath('/v1/.tollgate/me'), ['x-api-key', KEY]],
    reason: 'me_answered',
    config: apiWith({ me: { path: '/.tollgate/me' } }),
    restMs: 10_000,
  },
  'asking for quotas too often': {
    quotas: QUOTAS,
    headers: [...withPath('/v1/.tollgate/me'), ['x-api-key', KEY]],
    reason: 'me_exceeded',
    config: apiWith({ me: { path: '/.tollgate/me' } }),
  },
  'key in header, an API with data in paths': { ...none, config: apiWith({ pathData: PATH_DATA }) },
  'key in header, escaped slashes and empty segments': {
    ...none,
    headers: [...withPath('/v1/group%2Fproject//issues'), ['x-api-key', KEY]],
    config: apiWith({ pathData: PATH_DATA }),
  },
  'no API': { ...none, headers: withPath('/nowhere'), reason: 'no_api' },
  unmatched: { ...none, headers: withPath('/nowhere'), reason: 'unmatched', config: { unmatched: 'allow' } },
};

/** The cost of one request once leases fit the rate. */
/** The rate limit service as a model, which answers after two milliseconds. */
function serviceOf(timeline: Timeline): Backend {
  const model = new RateLimitServiceModel('d', [{ window: 'hour', quota: 'hourly' }]);
  return ({ message }) => ({
    arrivesAfterMs: 1,
    afterMs: 2,
    result: () => model.answer(message, timeline.clock.wallMs),
  });
}

function steadyCost({ quotas, headers, reason, routes = [], config, caller = {}, plan, restMs = 0 }: Situation): Cost {
  const timeline = new Timeline(Date.UTC(2026, 0, 15, 12));
  const host = new Host(module, config?.rateLimitService ? { timeline, backend: serviceOf(timeline) } : {});
  const made = { ...pluginConfig(quotas, { routes }), ...config };
  made.plans = made.plans.map((own) => ({ ...own, ...plan }));
  assert.ok(host.load(JSON.stringify(made)), host.logs().join('\n'));
  for (let i = 0; i < WARM_UP; i++) {
    host.pass(0.1);
    // The first one of a mesh-wide quota waits.
    host.open(headers, { caller });
  }
  host.pass(restMs);
  let exchange: Exchange | undefined;
  const cost = costOf(host, () => (exchange = host.request(headers, { caller })));
  const { filterState, details } = exchange!;
  const line = filterState.get('wasm.tollgate');
  // where the policy wants no line, what the caller got tells the reason
  if (line === undefined) assert.equal(details, reason === 'allowed' ? 'via_upstream' : `tollgate_${reason}`);
  else assert.match(line, new RegExp(`^reason=${reason}( |$)`));
  assert.equal(line === undefined, JSON.stringify(config ?? {}).includes('"line":false'));
  assert.deepEqual(host.faults, []);
  return cost;
}

/** Host calls on one line, so that a change of one shows as one line. */
function print(costs: Record<string, Cost>): string {
  return (
    JSON.stringify(costs, null, 2).replace(
      /\{\s+("proxy[^}]*?)\s+\}/g,
      (_, calls: string) => `{ ${calls.replace(/\s+/g, ' ')} }`,
    ) + '\n'
  );
}

describe('the exact cost of a decision', () => {
  it('is as in counts.golden.json', () => {
    const costs = Object.fromEntries(
      Object.entries(SITUATIONS).map(([name, situation]) => [name, steadyCost(situation)]),
    );
    matchesGolden(print(costs), new URL('counts.golden.json', import.meta.url));
  });

  it('is the same with ten consumers and with ten thousand', () => {
    const host = (consumers: number): Host => {
      const made = new Host(module);
      assert.ok(made.load(JSON.stringify(pluginConfig([], { consumers }))));
      made.request(withKey(KEY));
      return made;
    };
    const [few, many] = [10, 10_000].map((consumers) => {
      const made = host(consumers);
      return costOf(made, () => made.request(withKey(KEY)));
    }) as [Cost, Cost];
    assert.deepEqual({ ...many, instructions: 0 }, { ...few, instructions: 0 });
    // A longer chain in the index is a few instructions.
    assert.ok(
      Math.abs(many.instructions - few.instructions) < 100,
      `${few.instructions} and ${many.instructions} instructions`,
    );
  });
});
