import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { LOG_FIELDS } from '../../scripts/contract/table.ts';
import { compilePolicy, readPolicy } from '../../scripts/policy/index.ts';
import { Host } from '../../scripts/host/host.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';

const skip = existsSync(modulePath) ? false : 'build/tollgate.wasm is not built';

/** Values at the edges of what the tool takes, on both sides; the tool sorts out which are valid. */
const edge = {
  name: fc.oneof(
    fc.constantFrom('a', 'a--b', '0', 'z'.repeat(63), 'z'.repeat(64)),
    fc.stringMatching(/^[a-z0-9-]{1,5}$/),
  ),
  label: fc.oneof(
    fc.constantFrom('A.b_c@d-', `x${'.'.repeat(126)}`, `x${'.'.repeat(127)}`),
    fc.stringMatching(/^[A-Za-z0-9._@-]{1,5}$/),
  ),
  host: fc.oneof(
    fc.constantFrom(
      'a',
      '*.a',
      '*.',
      '*',
      '[::1]',
      '[fe80::1%eth0]',
      '[::ffff:1.2.3.4]',
      'a_b',
      'a..b',
      '-a',
      'h'.repeat(253),
      'h'.repeat(254),
    ),
    fc.stringMatching(/^[a-z0-9._*[\]:-]{1,6}$/),
  ),
  path: fc.oneof(
    fc.constantFrom('/', '/a/', '/..', '/.', '/.a', '/a..', '/...', `/${'p'.repeat(1023)}`, `/${'p'.repeat(1024)}`),
    fc.stringMatching(/^\/[!-~]{0,4}$/),
  ),
  header: fc.oneof(
    fc.constantFrom(
      'x-tollgate',
      'x-tollgate-',
      'x_tollgate-a',
      'host',
      'te',
      'authorization',
      'cookie',
      'h'.repeat(127),
      'h'.repeat(128),
    ),
    fc.stringMatching(/^[!-~]{1,3}$/),
  ),
  value: fc.oneof(
    fc.constantFrom(
      '',
      ' ',
      'a b',
      'ü',
      '\u0080',
      '\u007f',
      '\t',
      '🗝',
      'v'.repeat(4096),
      'ü'.repeat(2048),
      'ü'.repeat(2049),
    ),
    fc.string({ maxLength: 3 }),
  ),
  realm: fc.oneof(
    fc.constantFrom(' a', 'a ', 'a"b', 'a\\b', 'r'.repeat(127), 'r'.repeat(128), 'ü'),
    fc.string({ minLength: 1, maxLength: 3 }),
  ),
  token: fc.oneof(
    fc.constantFrom('GET', 'M-SEARCH', 't'.repeat(127), 't'.repeat(128)),
    fc.stringMatching(/^[!-~]{1,3}$/),
  ),
  count: fc.constantFrom(
    1,
    0,
    7,
    366,
    367,
    2562,
    2563,
    1e6,
    1e6 + 1,
    1e9,
    1e9 + 1,
    6e7,
    6e7 + 59,
    2 ** 53,
    2 ** 53 + 2,
  ),
  time: fc.constantFrom('1970-01-01T00:00:00Z', '9999-12-31T23:59:59-23:59', '2026-01-01T00:00:00Z'),
  link: fc.oneof(
    fc.constantFrom(
      '/',
      '//a',
      'https://a',
      'http://a.b/c?d#e',
      'HTTPS://A',
      `/${'l'.repeat(1023)}`,
      `/${'l'.repeat(1024)}`,
    ),
    fc.stringMatching(/^(?:https:\/\/a)?\/[ -~]{0,3}$/),
  ),
  detail: fc.oneof(
    fc.constantFrom('', '"\\', 'ü'.repeat(127), 'ü'.repeat(128), 'd'.repeat(255), 'd'.repeat(256), 'a\nb', '\u0085'),
    fc.string({ maxLength: 3, unit: 'grapheme' }),
  ),
  location: fc.oneof(
    fc.constantFrom(
      ...['/', '/a/', '//a', '/a//b', 'https://a', 'https://a/', 'http://[::1]:80/b', 'https://A.B', 'https://a:443/b'],
      ...['https://a//b', 'https://ü.de/b', 'https://a_b/c', 'https://a b/c', 'https://a/../b', 'https://0x7f.1/b'],
      ...[
        `https://a/${'p'.repeat(1014)}`,
        `https://a/${'p'.repeat(1015)}`,
        `/${'p'.repeat(1023)}`,
        `/${'p'.repeat(1024)}`,
      ],
    ),
    fc.stringMatching(/^(?:https?:\/\/[!-~]{0,3})?\/[!-~]{0,4}$/),
  ),
};
const window = fc.constantFrom(
  ...['second', 'minute', 'hour', 'day', 'week', 'month', 'year', '7d', '30d', '365d', '366d', '367d'],
  ...[
    '1s',
    '10s',
    '60s',
    '61s',
    '31622400s',
    '31622401s',
    '15m',
    '7m',
    '1440m',
    '6h',
    '25h',
    '0s',
    '007m',
    '1.5h',
    '10S',
  ],
);
// nothing once in four times; a frequency of 1 would be nothing always
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 4 });

const keySource = fc.oneof(
  fc.record({ header: edge.header }),
  fc.record({ query: edge.token }),
  fc.record({ cookie: edge.token }),
  fc.record({ authorization: fc.constantFrom('Bearer', 'ApiKey') }),
);
const rateLimitService = fc.record({
  cluster: fc.constantFrom(
    'c',
    'outbound|8081||ratelimit.tollgate.svc.cluster.local',
    'c'.repeat(255),
    'c'.repeat(256),
    '!',
    '~|{"\\',
    'a b',
  ),
  domain: fc.constantFrom(undefined, 'D', 'd'.repeat(127), 'd'.repeat(128), 'a.B-1'),
  timeout: fc.constantFrom(undefined, '1ms', '999ms', '1000ms', '1s', '1001ms'),
  calendarMonths: fc.constantFrom(undefined, true, false),
});
/** Of a quota: the rate limit service comes with it, or hardly any would be valid. */
const mesh = fc.record({
  rateLimitService,
  failure: fc.oneof(
    fc.constantFrom({}, { onUnavailable: 'deny' }, { onUnavailable: 'allow' }, { onUnavailable: 'local-share' }),
    fc.record({ onUnavailable: fc.constant('local-share'), localShare: edge.count }),
  ),
  per: fc.constantFrom(undefined, 'api', 'consumer'),
  limit: fc.constantFrom(1, 9, 2 ** 32 - 1, 2 ** 32),
  copies: fc.constantFrom(1, 3, 4),
});
const condition = fc.oneof(
  edge.value,
  fc.record({ exact: edge.value }),
  fc.record({ prefix: edge.value }),
  fc.record({ oneOf: fc.array(edge.value, { minLength: 1, maxLength: 2 }) }),
  fc.constant({ present: true }),
  fc.constant({ absent: true }),
);
const change = fc.record({
  headers: optional(fc.tuple(edge.header, condition)),
  method: optional(edge.token),
  path: edge.path,
  set: optional(fc.tuple(edge.header, edge.value)),
  remove: optional(edge.header),
  rewritePrefix: optional(edge.path),
});
const lifecycle = fc.oneof(
  fc.record({
    deprecated: fc.record({
      since: edge.time,
      sunset: optional(edge.time),
      link: optional(edge.link),
      successor: optional(edge.link),
    }),
  }),
  fc.record({
    retired: fc.record({ from: optional(edge.time), link: optional(edge.link), detail: optional(edge.detail) }),
  }),
  fc.record({
    maintenance: fc.record({ from: optional(edge.time), until: optional(edge.time), detail: optional(edge.detail) }),
  }),
  fc.record({
    redirect: fc.record({ status: fc.constantFrom(undefined, 301, 302, 303, 307, 308), to: edge.location }),
  }),
  fc.record({
    mock: fc.record({
      status: fc.constantFrom(undefined, 199, 200, 204, 599, 600),
      headers: optional(fc.tuple(edge.header, edge.value).map(([name, value]) => ({ [name]: value }))),
      body: optional(fc.oneof(fc.constantFrom('', 'b'.repeat(4096), 'b'.repeat(4097), '\0\n'), fc.string())),
    }),
  }),
);
const parts = {
  lifecycle: optional(lifecycle),
  mesh: optional(mesh),
  policy: edge.name,
  api: edge.name,
  plan: edge.name,
  quota: edge.name,
  route: edge.name,
  consumer: edge.label,
  id: edge.label,
  logFields: optional(fc.oneof(fc.constant('all'), fc.array(fc.constantFrom(...LOG_FIELDS, 'key'), { maxLength: 3 }))),
  modes: optional(
    fc.array(fc.constantFrom(undefined, 'enforce', 'observe', 'observed'), { minLength: 4, maxLength: 4 }),
  ),
  realm: optional(edge.realm),
  host: optional(edge.host),
  apiPath: edge.path,
  keySource: optional(keySource),
  limit: edge.count,
  window,
  burst: optional(edge.count),
  other: optional(edge.count),
  from: optional(edge.time),
  until: optional(edge.time),
  change: optional(change),
};
type Parts = { [K in keyof typeof parts]: (typeof parts)[K] extends fc.Arbitrary<infer T> ? T : never };

const TAME: Parts = {
  lifecycle: undefined,
  policy: 'p',
  api: 'a',
  plan: 'b',
  quota: 'q',
  route: 'r',
  consumer: 'c',
  id: 'k',
  logFields: undefined,
  modes: undefined,
  realm: undefined,
  host: undefined,
  apiPath: '/',
  keySource: undefined,
  limit: 1,
  window: 'day',
  mesh: undefined,
  burst: undefined,
  other: undefined,
  from: undefined,
  until: undefined,
  change: undefined,
};

/** Few parts at an edge at a time, or hardly any policy would be valid. */
const specimen = fc
  .subarray(Object.keys(parts) as (keyof Parts)[], { minLength: 1, maxLength: 4 })
  .chain((names) =>
    fc
      .record(Object.fromEntries(names.map((name) => [name, parts[name] as fc.Arbitrary<unknown>])))
      .map((wild) => ({ ...TAME, ...wild })),
  );

function policyOf(p: Parts): string {
  const { change } = p;
  const route = change && {
    name: p.route,
    when: {
      path: change.path,
      headers: change.headers && { [change.headers[0]]: change.headers[1] },
      methods: change.method && [change.method],
    },
    setHeaders: change.set && { [change.set[0]]: change.set[1] },
    removeHeaders: change.remove && [change.remove],
    rewritePrefix: change.rewritePrefix,
  };
  const { copies = 0, rateLimitService, limit, per, failure } = p.mesh ?? {};
  const shared = Object.fromEntries(
    Array.from({ length: copies }, (_, index) => [
      `mesh-${index}`,
      { limit, window: p.window, scope: 'mesh', per, ...failure },
    ]),
  );
  return JSON.stringify({
    policy: p.policy,
    mode: p.modes?.[0],
    rateLimitService,
    accessLog: p.logFields && { fields: p.logFields },
    realm: p.realm,
    keySources: p.keySource && [p.keySource],
    apis: {
      [p.api]: {
        mode: p.modes?.[1],
        hosts: p.host && [p.host],
        paths: [p.apiPath],
        plans: [p.plan],
        routes: route && [route],
        ...p.lifecycle,
      },
    },
    plans: {
      [p.plan]: {
        mode: p.modes?.[2],
        quotas: { [p.quota]: { limit: p.limit, window: p.window, burst: p.burst, mode: p.modes?.[3] }, ...shared },
      },
    },
    consumers: {
      [p.consumer]: {
        subscriptions: {
          [p.api]: {
            plan: p.plan,
            from: p.from,
            until: p.until,
            limits: p.other === undefined ? undefined : { [p.quota]: p.other },
          },
        },
        keys: [{ id: p.id, digest: `sha256:${'0'.repeat(64)}`, from: p.from, until: p.until }],
      },
    },
  });
}

test('the module accepts whatever check accepts', { skip }, () => {
  const host = new Host(loadModule(modulePath), { workers: 1 });
  let valid = 0;
  let ofMesh = 0;
  let withLife = 0;
  fc.assert(
    fc.property(specimen, (specimen) => {
      const { policy } = readPolicy(policyOf(specimen), 'p');
      if (policy === null) return;
      valid++;
      if (policy.rateLimitService !== undefined) ofMesh++;
      if (specimen.lifecycle !== undefined) withLife++;
      assert.notEqual(host.load(JSON.stringify(compilePolicy(policy))), null, host.logs().at(-1));
      host.retireAllButNewest();
    }),
    { seed: 3, numRuns: 3500 },
  );
  assert.ok(
    valid > 400 && ofMesh > 20 && withLife > 20,
    `only ${valid} specimens were valid, ${ofMesh} of them with a rate limit service, ${withLife} with a lifecycle`,
  );
});

test('the module takes the example policies', { skip }, () => {
  const host = new Host(loadModule(modulePath), { workers: 1 });
  for (const file of [
    './compile/everything.policy.yaml',
    '../../examples/petstore.policy.yaml',
    '../../wasmplugins/mesh-quotas/policy.yaml',
    './rateLimitService/shop.policy.yaml',
  ]) {
    const { policy } = readPolicy(readFileSync(new URL(file, import.meta.url), 'utf8'), file);
    assert.notEqual(host.load(JSON.stringify(compilePolicy(policy!))), null, host.logs().at(-1));
  }
});
