import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { compilePolicy, configDigest, readPolicy } from '../../scripts/policy/index.ts';
import type { PluginConfig } from '../../scripts/contract/pluginConfig.ts';
import { loadPolicy } from './loadPolicy.ts';
import { matchesGolden } from './golden.ts';

const EVERYTHING = new URL('./compile/everything.policy.yaml', import.meta.url);

test('compiles every field', () => {
  const { policy, problems } = readPolicy(readFileSync(EVERYTHING, 'utf8'), 'everything');
  assert.deepEqual(problems, []);
  matchesGolden(
    `${JSON.stringify(compilePolicy(policy!), null, 2)}\n`,
    new URL('./compile/everything.json', import.meta.url),
  );
});

test('leaves defaults out', () => {
  const text = `
policy: p
unmatched: deny
forwardKey: false
keySources: [{ header: x-api-key }]
apis: { a: { paths: [/], plans: [b], anonymous: deny, preflight: deny, routes: [] } }
plans: { b: { quotas: { c: { limit: 1, window: day, per: consumer } } } }
consumers: { d: { subscriptions: { a: { plan: b, paused: false, limits: {} } }, keys: [] } }
`;
  const compiled = (policy: string): object => {
    const { digest, ...config } = compilePolicy(readPolicy(policy, 'p').policy!);
    assert.match(digest ?? '', /^[0-9a-f]{64}$/);
    return config;
  };
  assert.deepEqual(compiled(text), {
    version: 1,
    policy: 'p',
    keySources: [{ header: 'x-api-key' }],
    apis: [{ name: 'a', paths: ['/'], plans: ['b'] }],
    plans: [{ name: 'b', quotas: [{ name: 'c', limit: 1, window: 'day' }] }],
    consumers: [{ name: 'd', subscriptions: [{ api: 'a', plan: 'b' }] }],
  });
  assert.deepEqual(compiled('policy: p'), {
    version: 1,
    policy: 'p',
    keySources: [{ header: 'x-api-key' }],
    apis: [],
    plans: [],
    consumers: [],
  });
});

test('leaves out modes that make no difference, and no others', () => {
  const modesIn = (policy: string, api: string, plan: string, quota: string): (string | undefined)[] => {
    const mode = (word: string): string => (word === '' ? '' : `mode: ${word}, `);
    const text = `{ policy: p, ${mode(policy)}apis: { a: { ${mode(api)}paths: [/], plans: [b] } }, plans: { b: { ${mode(plan)}quotas: { c: { ${mode(quota)}limit: 1, window: day } } } } }`;
    const { policy: read, problems } = readPolicy(text, 'p');
    assert.deepEqual(problems, []);
    const { mode: whole, apis, plans } = compilePolicy(read!);
    return [whole, apis[0]!.mode, plans[0]!.mode, plans[0]!.quotas![0]!.mode];
  };
  const none = undefined;
  assert.deepEqual(modesIn('', '', '', ''), [none, none, none, none]);
  assert.deepEqual(modesIn('enforce', 'enforce', 'enforce', 'enforce'), [none, none, none, none]);
  assert.deepEqual(modesIn('observe', 'observe', 'observe', 'observe'), ['observe', none, none, none]);
  assert.deepEqual(modesIn('observe', 'enforce', '', 'enforce'), ['observe', 'enforce', none, none]);
  assert.deepEqual(modesIn('', 'observe', 'enforce', 'observe'), [none, 'observe', 'enforce', 'observe']);
  assert.deepEqual(modesIn('', '', '', 'observe'), [none, none, none, 'observe']);
});

test('compiles mesh-wide quotas', () => {
  const text = `
policy: shop
rateLimitService: { cluster: ratelimit }
plans:
  gold:
    quotas:
      denied: { limit: 5, window: hour, scope: mesh, onUnavailable: deny }
      allowed: { limit: 5, window: 7d, scope: mesh, onUnavailable: allow, per: api }
      shared: { limit: 11, window: 30d, scope: mesh, onUnavailable: local-share }
  free: { quotas: { shared: { limit: 9, window: 30d, scope: mesh, onUnavailable: local-share, localShare: 3 }, own: { limit: 1, window: 30d, scope: envoy } } }
`;
  const { policy, problems } = readPolicy(text, 'p');
  assert.deepEqual(problems, []);
  const { rateLimitService, plans } = compilePolicy(policy!);
  assert.deepEqual(rateLimitService, { cluster: 'ratelimit', domain: 'shop', timeoutMilliseconds: 50 });
  assert.deepEqual(plans, [
    {
      name: 'free',
      quotas: [
        { name: 'own', limit: 1, window: '30d' },
        { name: 'shared', limit: 9, window: '30d', scope: 'mesh', onUnavailable: 'local-share', localShare: 3 },
      ],
    },
    {
      name: 'gold',
      quotas: [
        { name: 'denied', limit: 5, window: 'hour', scope: 'mesh' },
        { name: 'allowed', limit: 5, window: '7d', per: 'api', scope: 'mesh', onUnavailable: 'allow' },
        { name: 'shared', limit: 11, window: '30d', scope: 'mesh', onUnavailable: 'local-share', localShare: 2 },
      ],
    },
  ]);
  const written = readPolicy(
    text
      .replace('cluster: ratelimit', 'cluster: "outbound|1||a.b", domain: My.Shop, timeout: 1s, calendarMonths: true')
      .replace(/30d, scope: mesh/g, 'month, scope: mesh'),
    'p',
  );
  assert.deepEqual(written.problems, []);
  assert.deepEqual(compilePolicy(written.policy!).rateLimitService, {
    cluster: 'outbound|1||a.b',
    domain: 'My.Shop',
    timeoutMilliseconds: 1000,
  });
});

test('puts what has no order into that of the names, and a value given twice stands once', () => {
  const names = ['zulu', 'alpha', 'mike', '10', '9'];
  const of = (value: string): string => `{ ${names.map((name) => `"${name}": ${value}`).join(', ')} }`;
  const plans = names.map((name) => `"${name}"`).join(', ');
  const text = `policy: p\napis: { a: { paths: [/], plans: [${plans}], routes: [{ name: r, when: { methods: [PUT, GET, PUT] } }] } }\nplans: ${of(`{ quotas: ${of('{ limit: 1, window: day }')} }`)}\nconsumers: ${of('{ plan: zulu }')}\n`;
  const config = compilePolicy(readPolicy(text, 'p').policy!);
  const sorted = ['10', '9', 'alpha', 'mike', 'zulu'];
  for (const list of [config.plans, config.plans[0]!.quotas!, config.consumers])
    assert.deepEqual(
      list.map(({ name }) => name),
      sorted,
    );
  assert.deepEqual([config.apis[0]!.plans, config.apis[0]!.routes![0]!.methods], [sorted, ['GET', 'PUT']]);
});

test('names quotas from the shortest window to the longest', () => {
  const sorted = (...windows: string[]): string[] => {
    const quotas = windows.map((window, index) => `q${index}: { limit: 1, window: ${window} }`).join(', ');
    const { plans } = compilePolicy(readPolicy(`policy: p\nplans: { a: { quotas: { ${quotas} } } }\n`, 'p').policy!);
    return plans[0]!.quotas!.map(({ window }) => window);
  };
  assert.deepEqual(sorted('month', '7d', 'second', '30d', 'week', 'day', 'hour', 'minute'), [
    ...['second', 'minute', 'hour', 'day', '7d', 'week', 'month', '30d'],
  ]);
  assert.deepEqual(sorted('366d', 'year', '365d', '100d', '6h', 'minute', '90s', '10s'), [
    ...['10s', 'minute', '90s', '6h', '100d', 'year', '365d', '366d'],
  ]);
});

test('writes windows that are the same in one way', () => {
  const same: Record<string, string[]> = {
    second: ['1s', 'second'],
    minute: ['60s', '1m'],
    hour: ['3600s', '60m', '1h'],
    day: ['86400s', '1440m', '24h', '1d'],
    '7d': ['168h', '7d', '604800s'],
    '30d': ['720h'],
    '2m': ['120s'],
    '90m': ['5400s'],
    '90s': ['90s'],
    '25h': ['1500m'],
    '366d': ['31622400s'],
    week: ['week'],
    month: ['month'],
    year: ['year'],
  };
  for (const [window, spellings] of Object.entries(same)) {
    for (const spelling of spellings) {
      const text = `policy: p\nplans: { a: { quotas: { q: { limit: 1, window: ${spelling} } } } }\n`;
      assert.equal(compilePolicy(readPolicy(text, 'p').policy!).plans[0]!.quotas![0]!.window, window, spelling);
    }
  }
});

test('gives the same bytes for the same policy', async () => {
  const file = new URL('../../examples/petstore.policy.yaml', import.meta.url).pathname;
  const [one, two] = await Promise.all([loadPolicy(file), loadPolicy(file)]);
  assert.equal(JSON.stringify(compilePolicy(one.policy!)), JSON.stringify(compilePolicy(two.policy!)));
});

test('the digest is that of the meaning: order and Kubernetes change nothing, any other edit does', () => {
  const policyOf = (limit: number, order: readonly string[]): string =>
    `policy: p
apis: { a: { paths: [/], plans: [${order.join(', ')}] } }
plans: { b: { quotas: { c: { limit: ${limit}, window: day } } }, e: {} }
`;
  const compiled = (policy: string): PluginConfig => compilePolicy(readPolicy(policy, 'p').policy!);
  const one = compiled(policyOf(1, ['b', 'e']));
  assert.equal(one.digest, compiled(policyOf(1, ['e', 'b'])).digest);
  assert.notEqual(one.digest, compiled(policyOf(2, ['b', 'e'])).digest);
  const shuffled = Object.fromEntries(Object.entries(one).reverse()) as unknown as PluginConfig;
  assert.equal(configDigest(shuffled), one.digest);
});
