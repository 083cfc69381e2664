import { digestOf } from '../../harness/envoy/testPolicy.ts';
import type { Random } from '../../harness/random.ts';
import type { WireRequest } from '../cases/wire.ts';

/** A minute before a month, a day and an hour begin; traffic goes on beyond it. */
export const START = Date.UTC(2026, 0, 31, 23, 59, 0);

const KEYS = ['free', 'gold', 'own', 'none', 'late', 'gone'].map((name) => `${name}-secret-key`);
const [FREE, GOLD, OWN, NONE, LATE, GONE] = KEYS.map((key) => digestOf(key));

function after(seconds: number): string {
  return new Date(START + seconds * 1000).toISOString().replace('.000', '');
}

/** A policy with everything that a policy can say of a request, so that all of it meets in one decision. */
export const POLICY = JSON.stringify({
  policy: 'agreement',
  accessLog: { fields: 'all' },
  keySources: [{ header: 'x-api-key' }, { authorization: 'Bearer' }, { query: 'api_key' }, { cookie: 'api_key' }],
  upstreams: { v1: { url: 'http://127.0.0.1:9001' } },
  apis: {
    pets: {
      hosts: ['api.example.com', '*.pets.test'],
      paths: ['/v1', '/v1/deep/er'],
      plans: ['free', 'gold'],
      upstream: 'v1',
      routes: [
        { name: 'write', when: { methods: ['POST', 'PUT'] }, upstream: 'v1', setHeaders: { 'x-stage': 'write' } },
        {
          name: 'next',
          when: { path: '/v1/next', headers: { 'x-api-version': '2' } },
          upstream: 'v1',
          rewritePrefix: '/v2',
        },
        { name: 'gold', when: { plans: ['gold'] }, upstream: 'v1', removeHeaders: ['x-api-version'] },
      ],
    },
    open: {
      hosts: ['api.example.com'],
      paths: ['/open'],
      plans: ['free'],
      anonymous: 'allow',
      preflight: 'allow',
      upstream: 'v1',
    },
    any: { paths: ['/any'], plans: ['gold'], upstream: 'v1' },
    shop: {
      hosts: ['api.example.com', '*.pets.test'],
      paths: ['/shop', '/store/front'],
      plans: ['free', 'gold'],
      upstream: 'v1',
      cors: {
        origins: ['https://app.test', 'https://*.pages.test'],
        methods: ['PUT'],
        headers: ['x-api-key', 'content-type'],
        exposedHeaders: ['x-more'],
        credentials: true,
        maxAge: '10m',
      },
      deprecated: { since: after(-3600), sunset: after(3600), link: 'https://docs.test/shop' },
      operations: {
        'GET /items': { name: 'listItems', quotas: { lists: { limit: 20, window: 'minute' } } },
        'POST /items': { plans: ['gold'], cost: 2, quotas: { posts: { limit: 1, window: 'second', burst: 4 } } },
        'GET /items/{id}': { scopes: ['read:items'] },
        'PUT,DELETE /items/{id}': { scopes: ['read:items', 'write:items'], cost: 3 },
        'GET /items/{id}.json': { name: 'json' },
        'GET /items/mine': null,
        'POST /items/{id}:sell': { name: 'sell' },
        'GET /items/{id}/parts/{part}': null,
        'GET /files/{path...}': { anonymous: 'allow', quotas: { files: { limit: 5, window: '10s' } } },
        '/health': { anonymous: 'allow', cost: 0 },
        'GET /old': { retired: { successor: '/shop/items', detail: 'Für immer' } },
        'GET /later': { retired: { from: after(60) } },
        'GET /moved/{id}': { redirect: { to: 'https://new.test/x', status: 307 } },
        'GET /fake': { mock: { status: 404, headers: { 'x-mock': '1' }, body: '{"fake":"ü"}' } },
        'GET /closed': { maintenance: { from: after(30), until: after(90), detail: 'back soon' } },
        'GET /older': { deprecated: { since: after(0), successor: '/shop/items' } },
      },
      routes: [
        { name: 'beta', when: { path: '/shop/files/beta' }, upstream: 'v1', mock: { body: 'beta' } },
        {
          name: 'shut',
          when: { headers: { 'x-api-version': '3' } },
          upstream: 'v1',
          maintenance: { until: after(60) },
        },
        { name: 'gold', when: { plans: ['gold'], path: '/shop/items' }, upstream: 'v1', rewritePrefix: '/stock' },
      ],
    },
    loose: {
      hosts: ['api.example.com'],
      paths: ['/loose'],
      plans: ['free', 'gold'],
      unlisted: 'allow',
      upstream: 'v1',
      cors: { origins: '*' },
      operations: { 'GET /a/{x}': { plans: ['gold'] }, '/b': { redirect: { to: '/any' } }, 'POST /c': { cost: 0 } },
      routes: [{ name: 'put', when: { methods: ['PUT'] }, upstream: 'v1', deprecated: { since: after(0) } }],
    },
    watched: {
      hosts: ['api.example.com'],
      paths: ['/watched'],
      plans: ['free', 'gold'],
      mode: 'observe',
      upstream: 'v1',
      operations: {
        'GET /a': { scopes: ['write:items'] },
        'POST /a': { plans: ['gold'], quotas: { strict: { limit: 3, window: 'hour', mode: 'enforce' } } },
        'GET /old': { retired: {} },
      },
      routes: [
        { name: 'own', when: { consumers: ['own', 'free'] }, upstream: 'v1' },
        { name: 'gold', when: { plans: ['gold'] }, upstream: 'v1', rewritePrefix: '/seen' },
      ],
    },
    gone: { hosts: ['api.example.com'], paths: ['/gone'], retired: {}, cors: { origins: ['https://app.test'] } },
    moved: { hosts: ['api.example.com'], paths: ['/moved'], redirect: { to: '/shop', status: 301 } },
    closed: {
      hosts: ['api.example.com'],
      paths: ['/closed'],
      plans: ['free'],
      upstream: 'v1',
      maintenance: { from: after(20), until: after(70) },
    },
    fake: { hosts: ['api.example.com'], paths: ['/fake'], plans: ['free'], anonymous: 'allow', mock: { status: 207 } },
  },
  plans: {
    free: {
      quotas: {
        second: { limit: 2, window: 'second' },
        hourly: { limit: 150, window: 'hour' },
        watched: { limit: 1, window: '2s', mode: 'observe' },
      },
    },
    gold: { quotas: { bucket: { limit: 2, window: 'second', burst: 3 }, monthly: { limit: 160, window: 'month' } } },
  },
  consumers: {
    free: { plan: 'free', scopes: ['read:items'], keys: [{ id: 'free-1', digest: FREE }] },
    gold: { plan: 'gold', scopes: ['read:items', 'write:items'], keys: [{ id: 'gold-1', digest: GOLD }] },
    own: {
      subscriptions: {
        pets: { plan: 'gold', limits: { monthly: 40 } },
        open: { plan: 'free', paused: true },
        any: { plan: 'gold', from: after(45) },
        shop: { plan: 'gold', until: after(60) },
      },
      keys: [{ id: 'own-1', digest: OWN }],
    },
    none: { keys: [{ id: 'none-1', digest: NONE }] },
    late: { plan: 'free', keys: [{ id: 'late-1', digest: LATE, from: after(45), until: after(65) }] },
    gone: { plan: 'free', keys: [{ id: 'gone-1', digest: GONE, revoked: true }] },
  },
});

/** Reasons that this traffic comes to; nothing is proven by requests that all end alike. */
export const REASONS = [
  ...['allowed', 'anonymous', 'preflight', 'no_api', 'invalid_host', 'invalid_path', 'missing_api_key'],
  ...['unknown_api_key', 'malformed_api_key', 'ambiguous_api_key', 'revoked_api_key', 'inactive_api_key'],
  ...['expired_api_key', 'not_subscribed', 'subscription_paused', 'subscription_inactive', 'subscription_expired'],
  ...['quota_exceeded', 'preflight_answered', 'preflight_refused', 'no_operation', 'method_not_allowed'],
  ...['operation_not_in_plan', 'missing_scope', 'retired', 'maintenance', 'redirected', 'mocked'],
];

/** Most callers are known ones. */
const CALLERS = [...KEYS, ...KEYS.slice(0, 3), ...KEYS.slice(0, 2), ...KEYS.slice(0, 2)];
const HOSTS = [
  ...Array.from({ length: 60 }, () => 'api.example.com'),
  ...['API.example.com.', 'a.pets.test:8080', 'other.test', 'a..b', '127.1'],
];
const PATHS = [
  ...['/v1', '/v1/pets', '/v1//pets/%37', '/v1/next/7', '/%76%31/x', '/v1/../open', '/V1/pets', '/v1;x/pets'],
  ...['/v1/%2f', '/v1//../x', '/open', '/any/', '/nowhere', '/v1/deep/er/x'],
  ...['/gone', '/gone/x', '/moved', '/moved/a%20b/', '/moved//c', '/closed/x', '/fake', '/loose', '/loose/a/1'],
  ...[
    '/loose/b',
    '/loose/b/',
    '/loose/c',
    '/loose/d',
    '/loose/A/1',
    '/watched/a',
    '/watched/a',
    '/watched/old',
    '/watched/x',
    '/watched//a/?b=1',
  ],
];
/** Below an API with operations. */
const TEMPLATES = [
  ...['', '/', '/items', '/items', '/items/', '/items/7', '/items/7', '/items/7.json', '/items/.json', '/items/mine'],
  ...['/items/7:sell', '/items/:sell', '/items/7/parts/x', '/items//7', '/items/%37', '/items/%6dine', '/items/Mine'],
  ...['/items/7;a=b', '/items/mine;a', '/items/7%3fx', '/items/mine%23', '/items/../items/mine', '/items/..;/x'],
  ...['/Items', '/items/7/toys', '/files', '/files/a/b%2Fc', '/files/a//b/', '/files/%c3%a9', '/files/beta/x'],
  ...['/health', '/health/', '/old', '/later', '/moved/7', '/moved/a%20b', '/fake', '/closed', '/older', '/none'],
];
const PREFIXES = ['/shop', '/shop', '/shop', '/store/front', '/%73hop', '//shop', '/store//front'];
const METHODS = [
  ...Array.from({ length: 8 }, () => 'GET'),
  'POST',
  'POST',
  'PUT',
  'HEAD',
  'OPTIONS',
  'DELETE',
  'PATCH',
];
const ORIGINS = ['https://app.test', 'https://a.pages.test', 'https://evil.test', 'null', 'https://app.test:444'];

/** A request with a key in one place, none, two, a wrong one or one that is none. */
export function randomRequest(random: Random): WireRequest {
  const headers: [string, string][] = [];
  let path = random.chance(0.5) ? random.pick(PREFIXES) + random.pick(TEMPLATES) : random.pick(PATHS);
  if (random.chance(0.2)) path += `?a=${random.below(10)}`;
  const add = (key: string): void => {
    const place = random.below(5);
    if (place === 0) headers.push(['authorization', random.chance(0.5) ? `bearer ${key}` : `Basic abc, Bearer ${key}`]);
    else if (place === 1) path += `${path.includes('?') ? '&' : '?'}api_key=${key}`;
    else if (place === 2) headers.push(['cookie', `a=b; api_key=${key}`]);
    else headers.push([random.pick(['x-api-key', 'X-API-Key', 'x-api-key']), key]);
  };
  const kind = random.below(20);
  if (kind < 16) add(random.pick(CALLERS));
  if (kind === 16) add('unknown-secret-key');
  if (kind === 17) headers.push(['x-api-key', 'with a space']);
  if (kind === 15) add(random.pick(KEYS));
  addHeaders(random, headers);
  if (random.chance(0.05)) return preflight(random);
  return { method: random.pick(METHODS), path, host: random.pick(HOSTS), headers, peer: null };
}

function preflight(random: Random): WireRequest {
  const headers: [string, string][] = [
    ['origin', random.pick(ORIGINS)],
    ['access-control-request-method', random.pick(['GET', 'PUT', 'DELETE'])],
  ];
  if (random.chance(0.5)) headers.push(['access-control-request-headers', random.pick(['X-Api-Key', 'x-foo'])]);
  const path = random.pick(['/shop/items', '/shop/none', '/open/x', '/loose/a/1', '/gone', '/v1/pets']);
  return { method: 'OPTIONS', path, host: 'api.example.com', headers, peer: null };
}

function addHeaders(random: Random, headers: [string, string][]): void {
  if (random.chance(0.3)) headers.push(['x-api-version', random.pick(['2', '1, 2', '3'])]);
  if (random.chance(0.05)) headers.push(['x-api-version', '3'], ['x-other', '1'], ['X-Other', '2']);
  if (random.chance(0.1)) headers.push(['x-tollgate-consumer', 'forged'], ['connection', 'keep-alive, x-api-version']);
  if (random.chance(0.05)) headers.push(['X-Tollgate-Route', 'a'], ['x-tollgate-route', 'b'], ['x-tollgate-new', 'c']);
  if (random.chance(0.3)) headers.push(['origin', random.pick(ORIGINS)]);
  if (random.chance(0.02)) headers.push(['origin', random.pick(ORIGINS)]);
  if (random.chance(0.2)) {
    headers.push(['access-control-request-method', random.pick(['GET', 'PUT', 'DELETE'])]);
    if (random.chance(0.5))
      headers.push(['access-control-request-headers', random.pick(['X-Api-Key', 'content-type,x-api-key', 'x-foo'])]);
    if (random.chance(0.1)) headers.push(['access-control-request-headers', 'content-type']);
  }
  if (random.chance(0.05)) headers.push(['content-type', random.pick(['application/grpc', 'application/grpc-web'])]);
}
