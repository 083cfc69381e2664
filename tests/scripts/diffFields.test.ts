import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policiesDifferences } from '../../scripts/diff/index.ts';
import { readPolicy, type Policy } from '../../scripts/policy/index.ts';
import { jsonSchema } from '../../scripts/policy/schema/policy.ts';

/** A field that a policy may have: a diff that shows nothing for it would hide what a change does. */
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const SERVICE = { host: 'pets.shop.svc.cluster.local', port: 80 };
const CORP = { issuer: 'https://corp.example', jwks: 'https://corp.example/keys' };
const JWK = { kty: 'EC', crv: 'P-256', x: 'a', y: 'b' };

const BASE = {
  policy: 'shop',
  upstreams: { v1: { url: 'http://127.0.0.1:9001' }, v2: { url: 'http://127.0.0.1:9002' } },
  apis: {
    pets: { paths: ['/v1'], plans: ['free', 'gold'], upstream: 'v1' },
    orders: { paths: ['/orders'], plans: ['free', 'gold'], upstream: 'v1' },
  },
  plans: {
    free: { quotas: { q: { limit: 10, window: 'day' } } },
    gold: { quotas: { other: { limit: 10, window: 'hour' } } },
  },
  consumers: {
    acme: { plan: 'free', scopes: ['read', 'write'], keys: [{ id: 'a1', digest: digest('a') }] },
    beta: { plan: 'gold', keys: [{ id: 'b1', digest: digest('b') }] },
  },
};

/** Names in the place of `*`, by the field before it. */
const NAMES: Readonly<Record<string, string>> = {
  ...{ apis: 'pets', operations: 'GET /x', plans: 'free', quotas: 'q', consumers: 'acme', upstreams: 'v1' },
  ...{ subscriptions: 'pets', limits: 'q', tokens: 'corp', headers: 'x-a', query: 'a', setHeaders: 'x-a' },
  ...{ labels: 'app', selector: 'app' },
};

type Fields = Readonly<Record<string, unknown>>;
const ONLY_NAME: Fields = { 'apis.*.routes[].name': 'beta' };
/** What the field holds before and after; undefined: it is not there. Beside it both policies have other fields, or the old one has. */
type Change = readonly [old: unknown, next: unknown, besides?: Fields, before?: Fields];
type Table = Readonly<Record<string, Change>>;

function at(prefix: string, table: Table): Table {
  return Object.fromEntries(Object.entries(table).map(([path, change]) => [prefix + path, change]));
}

const KEY_SOURCES: Table = {
  '.header': ['x-key', 'x-other-key'],
  '.prefix': [undefined, 'Key '],
  '.authorization': ['Bearer', 'Token'],
  '.basic': ['user', 'password'],
  '.query': ['key', 'other'],
  '.cookie': ['key', 'other'],
};

function keySources(prefix: string): Table {
  const table = at(prefix, KEY_SOURCES);
  return { ...table, [`${prefix}.prefix`]: [undefined, 'Key ', { [`${prefix}.header`]: 'x-key' }] };
}

function lives(prefix: string, besides: Fields): Table {
  const [early, late] = ['2030-01-01T00:00:00Z', '2031-01-01T00:00:00Z'];
  const deprecated = { ...besides, [`${prefix}.deprecated.since`]: early };
  const retired = { ...besides, [`${prefix}.retired.from`]: early };
  const maintenance = { ...besides, [`${prefix}.maintenance.from`]: early };
  const mock = { ...besides, [`${prefix}.mock.status`]: 200, [`${prefix}.mock.body`]: 'a' };
  return at(prefix, {
    '.deprecated.since': [early, late, besides],
    '.deprecated.sunset': [undefined, late, deprecated],
    '.deprecated.link': [undefined, '/a', deprecated],
    '.deprecated.successor': [undefined, '/a', deprecated],
    '.retired.from': [early, late, besides],
    '.retired.link': [undefined, '/a', retired],
    '.retired.successor': [undefined, '/a', retired],
    '.retired.detail': [undefined, 'gone', retired],
    '.maintenance.from': [early, late, besides],
    '.maintenance.until': [undefined, late, maintenance],
    '.maintenance.detail': [undefined, 'back soon', maintenance],
    '.redirect.status': [302, 307, { ...besides, [`${prefix}.redirect.to`]: '/there' }],
    '.redirect.to': ['/there', '/elsewhere', besides],
    '.mock.status': [200, 201, mock],
    '.mock.headers.*': ['a', 'b', mock],
    '.mock.body': ['a', 'b', mock],
  });
}

function calendar(prefix: string): Table {
  const all = { 'plans.*.quotas.*.window': 'day' };
  return at(`${prefix}.calendar`, {
    '.zone': ['Europe/Berlin', 'Asia/Tokyo', all],
    '.dayBegins': ['06:00', '07:00', all],
    '.weekBegins': ['sunday', 'tuesday', { 'plans.*.quotas.*.window': 'week' }],
    '.monthBegins': [2, 3, { 'plans.*.quotas.*.window': 'month' }],
    '.yearBegins': ['04-01', '05-01', { 'plans.*.quotas.*.window': 'year' }],
  });
}

function addresses(prefix: string): Table {
  return at(`${prefix}.addresses`, {
    '.allow[]': ['10.0.0.0/8', '10.0.0.0/16'],
    '.deny[]': ['10.0.0.0/8', '10.0.0.0/16'],
  });
}

const MESH = {
  'rateLimitService.cluster': 'outbound|8081||ratelimit.tollgate.svc.cluster.local',
  'targets[].namespace': 'shop',
};

function quota(prefix: string, besides: Fields): Table {
  const mesh = { ...besides, ...MESH, [`${prefix}.scope`]: 'mesh' };
  return at(prefix, {
    '.limit': [10, 11, { ...besides, [`${prefix}.window`]: 'day' }],
    '.window': ['day', 'hour', { ...besides, [`${prefix}.limit`]: 10 }],
    '.burst': [5, 6, { ...besides, [`${prefix}.limit`]: 10, [`${prefix}.window`]: 'minute' }],
    '.scope': ['envoy', 'mesh', { ...besides, ...MESH, ...whole(prefix) }],
    '.onUnavailable': ['deny', 'allow', { ...mesh, ...whole(prefix) }],
    '.localShare': [1, 2, { ...mesh, ...whole(prefix), [`${prefix}.onUnavailable`]: 'local-share' }],
    '.mode': [undefined, 'observe', { ...besides, ...whole(prefix) }],
  });
}

function whole(prefix: string): Fields {
  return { [`${prefix}.limit`]: 10, [`${prefix}.window`]: 'day' };
}

function costs(prefix: string): Table {
  const [header, most] = [{ [`${prefix}.header`]: 'x-usage' }, { [`${prefix}.most`]: 10 }];
  return at(prefix, {
    '': [1, 2],
    '.reserve': [1, 2, { ...header, ...most }],
    '.header': ['x-usage', 'x-units', most],
    '.most': [10, 20, header],
    '.counts': ['all', 'success', { ...header, ...most }],
  });
}

function conditions(prefix: string): Table {
  const exact = { [prefix]: 'a' };
  return at(prefix, {
    '': ['a', 'b', ONLY_NAME],
    '.exact': ['a', 'b', ONLY_NAME],
    '.prefix': ['a', 'b', ONLY_NAME],
    '.oneOf[]': ['a', 'b', ONLY_NAME],
    '.present': [undefined, true, ONLY_NAME, exact],
    '.absent': [undefined, true, ONLY_NAME, exact],
  });
}

function destination(prefix: string, besides: Fields): Table {
  const there = { ...besides, [`${prefix}.host`]: SERVICE.host, [`${prefix}.port`]: SERVICE.port };
  return at(prefix, {
    '.host': [SERVICE.host, 'b.shop.svc.cluster.local', { ...besides, [`${prefix}.port`]: 80 }],
    '.port': [80, 81, { ...besides, [`${prefix}.host`]: SERVICE.host }],
    '.subset': ['a', 'b', there],
    '.labels.*': ['a', 'b', { ...there, [`${prefix}.subset`]: 'a' }],
  });
}

const OPERATION: Fields = { 'apis.*.operations.*.cost': 2 };
const ROUTE: Fields = { 'apis.*.routes[].name': 'beta', 'apis.*.routes[].when.methods[]': 'GET' };
const TOKENS: Fields = {
  'tokens.*': CORP,
  'apis.*.credentials[]': 'token',
  'consumers.*.tokens.*[]': 'one',
};
const WEIGHT: Fields = { 'upstreams.*.services[].weight': 1 };

const TABLE: Table = {
  policy: ['shop', 'store'],
  mode: [undefined, 'observe'],
  unmatched: [undefined, 'allow'],
  ...keySources('keySources[]'),
  'clientAddress.trustedHops': [1, 2],
  'clientAddress.ipv4': [24, 16],
  'clientAddress.ipv6': [48, 56],
  forwardKey: [undefined, true],
  keyRemoval: [undefined, 'routes'],
  realm: [undefined, 'shop'],
  workloadProof: [undefined, 'listener'],
  'tokens.*.issuer': ['https://corp.example', 'https://other.example', TOKENS],
  'tokens.*.jwks': ['https://corp.example/keys', 'https://corp.example/others', TOKENS],
  'tokens.*.jwks.keys[].kty': ['EC', 'OKP', { ...TOKENS, 'tokens.*.jwks.keys[]': JWK }],
  'tokens.*.audiences[]': ['a', 'b', TOKENS],
  'tokens.*.consumer': [undefined, 'email', TOKENS],
  'tokens.*.plan': [undefined, 'tier', TOKENS],
  'tokens.*.scopes': [undefined, 'scope', TOKENS],
  'tokens.*.forward': [undefined, true, TOKENS],
  'accessLog.line': [undefined, false, { 'accessLog.fields[]': 'plan' }],
  'accessLog.fields': [undefined, 'all', { 'accessLog.line': true }],
  'accessLog.fields[]': ['plan', 'consumer'],
  'identityHeaders[]': ['plan', 'consumer'],
  'identityHeaders.consumer': ['x-a', 'x-b'],
  'identityHeaders.plan': ['x-a', 'x-b'],
  'identityHeaders.route': ['x-a', 'x-b'],
  'identityHeaders.keyId': ['x-a', 'x-b'],
  rateLimitHeaders: [undefined, 'none'],
  'keyExpiryWarning.header': ['x-ends', 'x-expires', { 'keyExpiryWarning.before': '7d' }],
  'keyExpiryWarning.before': ['7d', '8d', { 'keyExpiryWarning.header': 'x-ends' }],
  'targets[].gateway.namespace': ['a', 'b', { 'targets[].gateway.selector.*': 'a' }],
  'targets[].gateway.selector.*': ['a', 'b', { 'targets[].gateway.namespace': 'a' }],
  'targets[].gateway.gateways[]': [
    'a',
    'b',
    { 'targets[].gateway.namespace': 'a', 'targets[].gateway.selector.*': 'a' },
  ],
  'targets[].namespace': ['a', 'b'],
  ...at('targets[].workload', {
    '.namespace': ['a', 'b', { 'targets[].workload.selector.*': 'a' }],
    '.selector.*': ['a', 'b', { 'targets[].workload.namespace': 'a' }],
    '.mode': ['SERVER', 'CLIENT', { 'targets[].workload.namespace': 'a', 'targets[].workload.selector.*': 'a' }],
    '.ports[]': [80, 81, { 'targets[].workload.namespace': 'a', 'targets[].workload.selector.*': 'a' }],
  }),
  ...at('targets[].gatewayApi', {
    '.namespace': ['a', 'b', { 'targets[].gatewayApi.kind': 'Gateway', 'targets[].gatewayApi.name': 'a' }],
    '.kind': ['Gateway', 'Service', { 'targets[].gatewayApi.namespace': 'a', 'targets[].gatewayApi.name': 'a' }],
    '.name': ['a', 'b', { 'targets[].gatewayApi.kind': 'Gateway', 'targets[].gatewayApi.namespace': 'a' }],
    '.services[]': [
      'a',
      'b',
      {
        'targets[].gatewayApi.kind': 'Waypoint',
        'targets[].gatewayApi.namespace': 'a',
        'targets[].gatewayApi.name': 'a',
      },
    ],
  }),
  'rateLimitService.cluster': ['a', 'b'],
  'rateLimitService.domain': ['a', 'b', { 'rateLimitService.cluster': 'a' }],
  'rateLimitService.timeout': [undefined, '20ms', { 'rateLimitService.cluster': 'a' }],
  'rateLimitService.calendarMonths': [undefined, true, { 'rateLimitService.cluster': 'a' }],
  'upstreams.*.url': ['http://127.0.0.1:9001', 'http://127.0.0.1:9003'],
  'upstreams.*.hostRewrite': [undefined, 'pets.example.com'],
  'upstreams.*.tls.ca': ['a.pem', 'b.pem', { 'upstreams.*.url': 'https://127.0.0.1:9001' }],
  'upstreams.*.tls.serverName': ['a.test', 'b.test', { 'upstreams.*.url': 'https://127.0.0.1:9001' }],
  'upstreams.*.tls.insecure': [
    undefined,
    true,
    { 'upstreams.*.url': 'https://127.0.0.1:9001', 'upstreams.*.tls.serverName': 'a.test' },
  ],
  ...destination('upstreams.*.service', {}),
  ...destination('upstreams.*.services[]', WEIGHT),
  'upstreams.*.services[].weight': [
    1,
    2,
    { 'upstreams.*.services[].host': SERVICE.host, 'upstreams.*.services[].port': 80 },
  ],
  'upstreams.*.timeout': ['1s', '2s', { 'upstreams.*.service': SERVICE }],
  'upstreams.*.retries.attempts': [1, 2, { 'upstreams.*.service': SERVICE }],
  'upstreams.*.retries.perTryTimeout': [
    '1s',
    '2s',
    { 'upstreams.*.service': SERVICE, 'upstreams.*.retries.attempts': 1 },
  ],
  'upstreams.*.retries.retryOn': ['503', '504', { 'upstreams.*.service': SERVICE, 'upstreams.*.retries.attempts': 1 }],
  'apis.*.hosts[]': ['a.test', 'b.test'],
  'apis.*.paths[]': ['/v1', '/v2'],
  'apis.*.pathData[]': ['escaped-slashes', 'empty-segments'],
  'apis.*.plans[]': ['free', 'gold', { 'apis.*.plans': ['free'] }],
  'apis.*.credentials[]': ['key', 'workload'],
  'apis.*.anonymous': [undefined, 'allow'],
  'apis.*.anonymous.plan': ['free', 'gold'],
  'apis.*.anonymous.by': ['address', { header: 'x-device' }, { 'apis.*.anonymous.plan': 'free' }],
  'apis.*.anonymous.by.header': ['x-device', 'x-other', { 'apis.*.anonymous.plan': 'free' }],
  'apis.*.preflight': [undefined, 'allow'],
  'apis.*.cors.origins': [undefined, '*'],
  'apis.*.cors.origins[]': ['https://a.test', 'https://b.test'],
  'apis.*.cors.methods[]': ['PUT', 'DELETE', { 'apis.*.cors.origins[]': 'https://a.test' }],
  'apis.*.cors.headers[]': ['x-a', 'x-b', { 'apis.*.cors.origins[]': 'https://a.test' }],
  'apis.*.cors.exposedHeaders[]': ['x-a', 'x-b', { 'apis.*.cors.origins[]': 'https://a.test' }],
  'apis.*.cors.credentials': [undefined, true, { 'apis.*.cors.origins[]': 'https://a.test' }],
  'apis.*.cors.maxAge': ['1m', '2m', { 'apis.*.cors.origins[]': 'https://a.test' }],
  ...lives('apis.*', {}),
  'apis.*.operations.*.name': [undefined, 'x'],
  'apis.*.operations.*.plans[]': ['free', 'gold'],
  'apis.*.operations.*.scopes[]': ['read', 'write'],
  ...costs('apis.*.cost'),
  ...costs('apis.*.operations.*.cost'),
  ...quota('apis.*.operations.*.quotas.*', {}),
  'apis.*.operations.*.anonymous': ['deny', 'allow'],
  ...lives('apis.*.operations.*', {}),
  'apis.*.unlisted': [undefined, 'allow', OPERATION],
  'apis.*.me': [undefined, true],
  'apis.*.me.path': ['/me', '/you'],
  'apis.*.me.perMinute': [1, 2],
  'apis.*.mode': [undefined, 'observe'],
  ...keySources('apis.*.keySources[]'),
  'apis.*.forwardKey': [undefined, true],
  'apis.*.upstream': ['v1', 'v2'],
  'apis.*.routes[].name': ['beta', 'gamma', { 'apis.*.routes[].when.methods[]': 'GET' }],
  ...conditions('apis.*.routes[].when.headers.*'),
  ...conditions('apis.*.routes[].when.query.*'),
  'apis.*.routes[].when.methods[]': ['GET', 'PUT', ONLY_NAME],
  'apis.*.routes[].when.path': ['/v1/a', '/v1/b', ONLY_NAME],
  'apis.*.routes[].when.plans[]': ['free', 'gold', ONLY_NAME],
  'apis.*.routes[].when.consumers[]': ['acme', 'beta', ONLY_NAME],
  'apis.*.routes[].upstream': ['v1', 'v2', ROUTE],
  'apis.*.routes[].setHeaders.*': ['a', 'b', ROUTE],
  'apis.*.routes[].removeHeaders[]': ['x-a', 'x-b', ROUTE],
  'apis.*.routes[].rewritePrefix': ['/a', '/b', ROUTE],
  ...lives('apis.*.routes[]', ROUTE),
  'plans.*.mode': [undefined, 'observe'],
  'plans.*.refusal.status': [402, 403],
  'plans.*.refusal.detail': ['a', 'b'],
  'plans.*.refusal.type': ['urn:a', 'urn:b'],
  'plans.*.concurrency': [1, 2],
  'plans.*.concurrency.limit': [1, 2],
  'plans.*.concurrency.per': ['consumer', 'key', { 'plans.*.concurrency.limit': 1 }],
  'plans.*.concurrency.mode': [undefined, 'observe', { 'plans.*.concurrency.limit': 1 }],
  ...quota('plans.*.quotas.*', {}),
  'plans.*.quotas.*.per': ['consumer', 'api', whole('plans.*.quotas.*')],
  'plans.*.quotas.*.counter': ['a', 'b', whole('plans.*.quotas.*')],
  'plans.*.quotas.*.warnAt[]': [50, 60, whole('plans.*.quotas.*')],
  ...calendar('plans.*'),
  'consumers.*.plan': ['free', 'gold'],
  'consumers.*.subscriptions.*.plan': ['free', 'gold'],
  ...at('consumers.*.subscriptions.*', {
    '.from': ['2030-01-01T00:00:00Z', '2031-01-01T00:00:00Z', { 'consumers.*.subscriptions.*.plan': 'free' }],
    '.until': ['2030-01-01T00:00:00Z', '2031-01-01T00:00:00Z', { 'consumers.*.subscriptions.*.plan': 'free' }],
    '.paused': [undefined, true, { 'consumers.*.subscriptions.*.plan': 'free' }],
    '.limits.*': [1, 2, { 'consumers.*.subscriptions.*.plan': 'free' }],
    '.limits.*.limit': [1, 2, { 'consumers.*.subscriptions.*.plan': 'free' }],
    '.limits.*.burst': [
      1,
      2,
      { 'consumers.*.subscriptions.*.plan': 'free', 'plans.*.quotas.*': { limit: 10, window: 'minute', burst: 5 } },
    ],
  }),
  'consumers.*.group': ['a', 'b'],
  'consumers.*.keys[].id': ['a1', 'a2'],
  'consumers.*.keys[].digest': [digest('a'), digest('c')],
  'consumers.*.keys[].from': ['2030-01-01T00:00:00Z', '2031-01-01T00:00:00Z'],
  'consumers.*.keys[].until': ['2030-01-01T00:00:00Z', '2031-01-01T00:00:00Z'],
  'consumers.*.keys[].revoked': [undefined, true],
  'consumers.*.keys[].apis[]': ['pets', 'orders'],
  'consumers.*.keys[].scopes[]': ['read', 'write'],
  ...addresses('consumers.*.keys[]'),
  'consumers.*.scopes[]': ['read', 'admin'],
  ...addresses('consumers.*'),
  'consumers.*.origins[]': ['https://a.test', 'https://b.test'],
  'consumers.*.workloads[]': ['spiffe://a/b', 'spiffe://a/c'],
  'consumers.*.tokens.*[]': ['one', 'two', TOKENS],
  ...calendar('consumers.*'),
};

/** All fields that hold a value of their own, by path: `*` is a name, `[]` an item. */
function fieldsOf(): string[] {
  const found = new Set<string>();
  const walk = (node: Node, path: string): void => {
    const { properties = {}, additionalProperties, items, anyOf = [], oneOf = [], allOf = [] } = node;
    for (const part of [...anyOf, ...oneOf, ...allOf]) walk(part, path);
    for (const [name, child] of Object.entries(properties)) walk(child, path === '' ? name : `${path}.${name}`);
    if (typeof additionalProperties === 'object') walk(additionalProperties, `${path}.*`);
    if (items !== undefined) walk(items, `${path}[]`);
    const isScalar =
      node.type === undefined ? node.enum !== undefined || node.const !== undefined : SCALARS.has(node.type);
    if (isScalar) found.add(path);
  };
  walk(jsonSchema() as Node, '');
  return [...found];
}

interface Node {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
  readonly allOf?: readonly Node[];
}

const SCALARS = new Set(['string', 'number', 'integer', 'boolean']);

type Holder = Record<string | number, unknown>;

function policyWith(fields: readonly (readonly [string, unknown])[]): Policy {
  const policy = structuredClone(BASE) as unknown as Holder;
  for (const [path, value] of fields) if (value !== undefined) set(policy, stepsOf(path), value);
  const { policy: read, problems } = readPolicy(JSON.stringify(policy), 'policy', Date.UTC(2026, 0) / 1000);
  assert.deepEqual(problems, [], JSON.stringify(policy));
  return read!;
}

/** `consumers.*.keys[].id` → consumers, acme, keys, 0, id */
function stepsOf(path: string): (string | number)[] {
  const steps: (string | number)[] = [];
  for (const part of path.split('.')) {
    const [name, ...items] = part.split('[]');
    const isOwn = steps.at(-1) === 'quotas' && steps.includes('operations');
    const known = isOwn ? 'own' : NAMES[String(steps.at(-1))]!;
    steps.push(name === '*' ? known : name!, ...items.map(() => 0));
  }
  return steps;
}

function set(root: Holder, steps: readonly (string | number)[], value: unknown): void {
  let node = root;
  for (const [at, step] of steps.slice(0, -1).entries()) {
    const known = node[step];
    if (typeof known !== 'object' || known === null) node[step] = typeof steps[at + 1] === 'number' ? [] : {};
    node = node[step] as Holder;
  }
  node[steps.at(-1)!] = structuredClone(value);
}

test('every field of a policy has a change here', () => {
  assert.deepEqual(Object.keys(TABLE).sort(), fieldsOf().sort());
});

for (const [path, [old, next, besides = {}, before = {}]] of Object.entries(TABLE)) {
  test(`a diff tells of ${path}`, () => {
    const others = Object.entries(besides).filter(([other]) => other !== path);
    const [former, current] = [
      policyWith([...others, ...Object.entries(before), [path, old]]),
      policyWith([...others, [path, next]]),
    ];
    const [there, back] = [policiesDifferences(former, current), policiesDifferences(current, former)];
    assert.ok(there.length > 0, 'nothing is said of it');
    assert.ok(back.length > 0, 'nothing is said of the way back');
    assert.ok([...there, ...back].every(({ text }) => !/undefined|NaN|\[object/.test(text)));
  });
}
