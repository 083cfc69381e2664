import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { CORE_SCHEMA, dump, load, loadAll } from 'js-yaml';
import { readFileSync } from 'node:fs';
import { configDifferences, policiesDifferences, printDifference } from '../../scripts/diff/index.ts';
import { compilePolicy, readPolicy, type Policy } from '../../scripts/policy/index.ts';
import { tollgate } from './fakeIo.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';

const folder = scratchFolder();
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

/** Every difference below is one change of this policy. */
const OLD = `
policy: shop
upstreams: { v1: { url: "http://127.0.0.1:9001" }, v2: { url: "http://127.0.0.1:9002" } }
apis:
  pets: { hosts: [a.example.com], paths: [/v1], plans: [free, gold], upstream: v1, routes: [{ name: beta, when: { methods: [GET] } }, { name: v2, when: { methods: [PUT] } }] }
plans:
  free: { quotas: { monthly: { limit: 10000, window: month }, smooth: { limit: 5, window: second, burst: 20 } } }
  gold: { quotas: { monthly: { limit: 90000, window: month } } }
consumers:
  acme: { plan: free, keys: [{ id: a1, digest: "${digest('a')}" }, { id: a2, digest: "${digest('b')}", until: 2027-01-01T00:00:00Z }] }
  globex: { plan: free, keys: [{ id: g1, digest: "${digest('c')}", revoked: true }] }
  initech: { plan: free }
  umbrella: { subscriptions: { pets: { plan: free, limits: { monthly: 20000 } } } }
`;

/** A path of the policy to a new value; undefined removes. */
type Edit = [path: string, value: unknown];

function edited(...edits: Edit[]): Policy {
  const policy = load(OLD, { schema: CORE_SCHEMA }) as Record<string, unknown>;
  for (const [path, value] of edits) {
    const names = path.split('.');
    const last = names.pop()!;
    const parent = names.reduce<Record<string, unknown>>((node, name) => node[name] as Record<string, unknown>, policy);
    if (value === undefined) delete parent[last];
    else parent[last] = value;
  }
  const result = readPolicy(JSON.stringify(policy), 'new');
  assert.deepEqual(result.problems, []);
  return result.policy!;
}

const KEY = { id: 'a1', digest: digest('a') };
const CORP = { issuer: 'https://corp.example', jwks: 'https://corp.example/keys', audiences: ['shop'] };
/** With tokens already. */
const withTokens = (fields: object = {}, subjects: object = { corp: ['a1'] }): Edit[] => [
  ['tokens', { corp: { ...CORP, ...fields } }],
  ['apis.pets.credentials', ['token']],
  ['consumers.acme.tokens', subjects],
];

const table: [what: string, edits: Edit[], expected: string[]][] = [
  ['nothing', [], []],
  [
    'cors',
    [['apis.pets.cors', { origins: ['https://a.test', 'https://*.b.test'] }]],
    ['API pets: cors added for https://*.b.test, https://a.test [widens access]'],
  ],
  ["the policy's name", [['policy', 'store']], ['policy: is now called store (was shop) [counters start anew]']],
  [
    'a deprecation of an API',
    [['apis.pets.deprecated', { since: '2026-01-01T00:00:00Z', sunset: '2027-01-01T00:00:00Z' }]],
    ['API pets: deprecated since 2026-01-01T00:00:00Z, sunset Fri, 01 Jan 2027 00:00:00 GMT'],
  ],
  [
    'the life of an API',
    [
      ['apis.pets.retired', { from: '2027-01-01T00:00:00Z' }],
      ['apis.pets.maintenance', { from: '2026-07-01T00:00:00Z', until: '2026-07-01T02:00:00Z' }],
      ['apis.pets.mock', { status: 503 }],
    ],
    [
      'API pets: retired from 2027-01-01T00:00:00Z: requests get 410 [narrows access]',
      'API pets: maintenance from 2026-07-01T00:00:00Z until 2026-07-01T02:00:00Z: requests get 503 [narrows access]',
      'API pets: answered by a mock with 503',
    ],
  ],
  [
    'the life of a route',
    [
      [
        'apis.pets.routes',
        [
          { name: 'beta', when: { methods: ['GET'] }, redirect: { status: 302, to: '/v2' } },
          { name: 'v2', when: { methods: ['PUT'] } },
        ],
      ],
    ],
    ['route pets/beta: redirected to /v2 with 302 [narrows access]'],
  ],
  [
    'unmatched',
    [['unmatched', 'allow']],
    ['policy: unmatched deny → allow: requests that match no API pass, unchecked [widens access]'],
  ],
  [
    'the mode of the policy',
    [['mode', 'observe']],
    [
      'policy: mode enforce → observe: what belongs to no API passes, and is only counted [widens access]',
      'API pets: mode enforce → observe: what it would refuse passes, and is only counted [widens access, counters start anew]',
    ],
  ],
  [
    'the mode of the policy, with an API that says its own',
    [
      ['mode', 'observe'],
      ['apis.pets.mode', 'enforce'],
    ],
    ['policy: mode enforce → observe: what belongs to no API passes, and is only counted [widens access]'],
  ],
  [
    'the mode of an API, with a plan that says its own',
    [
      ['apis.pets.mode', 'observe'],
      ['plans.gold.mode', 'enforce'],
    ],
    [
      'API pets: mode enforce → observe: what it would refuse passes, and is only counted [widens access, counters start anew]',
    ],
  ],
  [
    'the mode of a plan',
    [['plans.free.mode', 'observe']],
    [
      'plan free: mode enforce → observe: what it would refuse passes, and is only counted [widens access, counters start anew]',
    ],
  ],
  [
    'the mode of a quota',
    [['plans.free.quotas.monthly.mode', 'observe']],
    [
      'plan free: mode enforce → observe of quota monthly: what it would refuse passes, and is only counted [widens access, counters start anew]',
    ],
  ],
  [
    'modes that are what they would be without',
    [
      ['mode', 'enforce'],
      ['apis.pets.mode', 'enforce'],
      ['plans.free.mode', 'enforce'],
      ['plans.free.quotas.monthly.mode', 'enforce'],
    ],
    [],
  ],
  [
    'an observed quota more',
    [['plans.gold.quotas.daily', { limit: 5, window: 'day', mode: 'observe' }]],
    ['plan gold: quota daily added: 5 a day, only observed for no consumer'],
  ],
  [
    'key sources',
    [['keySources', [{ authorization: 'Bearer' }, { header: 'x-api-key' }]]],
    ['policy: keys are also taken from authorization Bearer'],
  ],
  ['forwardKey', [['forwardKey', true]], ['policy: upstreams now see the key']],
  [
    'key sources of an API',
    [['apis.pets.keySources', [{ header: 'x-pets', prefix: 'Key ' }, { basic: 'user' }, { authorization: 'none' }]]],
    [
      'API pets: keys are also taken from header x-pets behind "Key "',
      'API pets: keys are also taken from basic user',
      'API pets: keys are also taken from authorization none',
      'API pets: keys are no longer taken from header x-api-key [narrows access]',
    ],
  ],
  [
    'key sources of a policy, of which an API keeps the old ones',
    [
      ['keySources', [{ query: 'key' }]],
      ['apis.pets.keySources', [{ header: 'x-api-key' }]],
    ],
    [
      'policy: keys are also taken from query key',
      'policy: keys are no longer taken from header x-api-key [narrows access]',
    ],
  ],
  ['forwardKey of an API', [['apis.pets.forwardKey', true]], ['API pets: its upstreams now see the key']],
  [
    'places of an API that are what they would be without',
    [
      ['apis.pets.keySources', [{ header: 'x-api-key' }]],
      ['apis.pets.forwardKey', false],
    ],
    [],
  ],
  [
    'log fields',
    [['accessLog', { fields: ['plan', 'consumer'] }]],
    ['policy: access logs can show consumer', 'policy: access logs can show plan'],
  ],
  ['no line', [['accessLog', { line: false }]], ['policy: access logs no longer get the line']],
  ['the line, as always', [['accessLog', { line: true }]], []],
  [
    'identity headers',
    [['identityHeaders', { consumer: 'x-user', keyId: 'x-key-id', route: 'x-tollgate-route' }]],
    [
      'policy: upstreams learn the consumer from x-user (was in x-tollgate-consumer)',
      'policy: upstreams no longer learn the plan (was in x-tollgate-plan)',
      "policy: upstreams learn the key's id from x-key-id (was not told)",
    ],
  ],
  ['the usual identity headers', [['identityHeaders', ['route', 'plan', 'consumer']]], []],
  [
    'RateLimit headers',
    [['rateLimitHeaders', 'x-ratelimit']],
    ['policy: callers learn of their quotas by rateLimitHeaders standard → x-ratelimit'],
  ],
  [
    'the warning of keys that end',
    [['keyExpiryWarning', { header: 'x-key-expires', before: '36h' }]],
    ['policy: holders of keys are told of their end 36 h before, in x-key-expires (was: never)'],
  ],
  ['realm', [['realm', 'Shop']], ['policy: a 401 now names the realm "Shop"']],
  [
    'operations, the first',
    [['apis.pets.operations', { 'GET /pets/{id}': { plans: ['gold'] }, 'POST /pets': null }]],
    [
      'API pets: requests that match none of its operations are refused [narrows access]',
      'operation pets GET /pets/{}: added [narrows access]',
      'operation pets POST /pets: added',
    ],
  ],
  [
    'addresses from nothing',
    [['consumers.acme.addresses', { allow: ['10.0.0.0/8'], deny: ['10.1.2.3'] }]],
    [
      'consumer acme: allowed from 10.0.0.0/8 only [narrows access]',
      'consumer acme: denied from 10.1.2.3/32 [narrows access]',
    ],
  ],
  [
    'a plan of callers without a key',
    [['apis.pets.anonymous', { plan: 'free', by: { header: 'x-device' } }]],
    ['API pets: anonymous deny → plan free by header x-device [widens access]'],
  ],
  [
    'what counts as one caller',
    [['clientAddress', { ipv6: 48 }]],
    ['policy: one caller is /32 of IPv4, /48 of IPv6 (was: /32 of IPv4, /64 of IPv6) [counters start anew]'],
  ],
  [
    'origins',
    [['consumers.acme.origins', ['https://a.test', 'https://*.b.test']]],
    ['consumer acme: allowed from pages of https://*.b.test, https://a.test only [narrows access]'],
  ],
  [
    'addresses of a key',
    [
      [
        'consumers.acme.keys',
        [
          { ...KEY, addresses: { allow: ['10.0.0.0/8'] } },
          { id: 'a2', digest: digest('b'), until: '2027-01-01T00:00:00Z' },
        ],
      ],
    ],
    ['consumer acme: key a1 allowed from 10.0.0.0/8 only [narrows access]'],
  ],
  [
    'APIs and scopes of a key',
    [
      [
        'consumers.acme.keys',
        [
          { ...KEY, apis: ['pets'], scopes: ['read', 'write'] },
          { id: 'a2', digest: digest('b'), until: '2027-01-01T00:00:00Z' },
          { id: 'a3', digest: digest('d'), apis: ['pets'], scopes: ['read'] },
        ],
      ],
    ],
    [
      'consumer acme: key a1 for pets only [narrows access]',
      'consumer acme: key a1 with the scopes read, write only [narrows access]',
      'consumer acme: key a3 added, for pets only, with the scope read only [widens access]',
    ],
  ],
  [
    "the client's address",
    [['clientAddress', { trustedHops: 2 }]],
    ["policy: the client's address is entry 2 of x-forwarded-for from the right (was: what Envoy takes for it)"],
  ],
  [
    'workloads',
    [
      ['apis.pets.credentials', ['workload', 'key']],
      ['consumers.acme.workloads', ['spiffe://cluster.local/ns/shop/sa/acme']],
      ['consumers.cart', { plan: 'free', workloads: ['spiffe://cluster.local/ns/shop/sa/cart'] }],
      ['workloadProof', 'listener'],
    ],
    [
      'policy: workloadProof rbac → listener: every certificate of a workload counts that a listener takes [widens access]',
      'API pets: credentials key → workload, key [widens access]',
      'consumer acme: is the workload spiffe://cluster.local/ns/shop/sa/acme [widens access]',
      'consumer cart: added with plan free on pets, 0 keys, 1 workload [widens access]',
    ],
  ],
  [
    'tokens',
    [
      ['tokens', { corp: CORP }],
      ['apis.pets.credentials', ['token', 'key']],
      ['consumers.acme.tokens', { corp: ['a1', 'a2'] }],
      ['consumers.cart', { plan: 'free', tokens: { corp: ['c1'] } }],
    ],
    [
      'token corp: added: https://corp.example, for shop [widens access]',
      'API pets: credentials key → token, key [widens access]',
      'consumer acme: owns the tokens of a1 by corp [widens access]',
      'consumer acme: owns the tokens of a2 by corp [widens access]',
      'consumer cart: added with plan free on pets, 0 keys, 1 token subject [widens access]',
    ],
  ],
  [
    'credentials that go',
    [['apis.pets.credentials', ['workload']]],
    ['API pets: credentials key → workload [widens access, narrows access]'],
  ],
  ['scopes', [['consumers.acme.scopes', ['read']]], ['consumer acme: has the scope read [widens access]']],
  [
    'anonymous',
    [['apis.pets.anonymous', 'allow']],
    ['API pets: anonymous deny → allow: requests without a key pass [widens access]'],
  ],
  [
    'hosts',
    [['apis.pets.hosts', ['b.example.com']]],
    ['API pets: host b.example.com added [widens access]', 'API pets: host a.example.com removed [narrows access]'],
  ],
  ['hosts to any', [['apis.pets.hosts', undefined]], ['API pets: hosts a.example.com → any [widens access]']],
  ['paths', [['apis.pets.paths', ['/v1', '/v2']]], ['API pets: path /v2 added [widens access]']],
  [
    'paths of a policy that lets the rest pass',
    [
      ['unmatched', 'allow'],
      ['apis.pets.paths', ['/v1', '/v2']],
    ],
    [
      'policy: unmatched deny → allow: requests that match no API pass, unchecked [widens access]',
      'API pets: path /v2 added [narrows access]',
    ],
  ],
  [
    'a new API',
    [['apis.status', { paths: ['/status'], anonymous: 'allow', upstream: 'v1' }]],
    ['API status: added on any host /status, anonymous allowed [widens access]'],
  ],
  ['a route', [['apis.pets.routes.0.when', { methods: ['GET', 'HEAD'] }]], ['route pets/beta: other methods']],
  ["a route's upstream", [['apis.pets.routes.0.upstream', 'v2']], ['route pets/beta: goes to v2 (was: v1)']],
  [
    'a limit',
    [['plans.free.quotas.monthly.limit', 5000]],
    ['plan free: monthly 10,000 → 5,000 for 3 consumers (acme, globex, initech) [narrows access]'],
  ],
  [
    'a burst',
    [['plans.free.quotas.smooth.burst', 40]],
    [
      'plan free: smooth 5 a second with a burst of 20 → 5 a second with a burst of 40 for 4 consumers (acme, globex, initech, umbrella) [widens access]',
    ],
  ],
  [
    'what a quota counts together',
    [['plans.free.quotas.monthly.per', 'operation']],
    [
      'plan free: monthly 10,000 a month → 10,000 a month for each operation for 3 consumers (acme, globex, initech) [counters start anew]',
    ],
  ],
  [
    'a counter',
    [['plans.free.quotas.monthly.counter', 'calls']],
    [
      "plan free: monthly counted in the counter calls (was: with the consumer's main plan) for 3 consumers (acme, globex, initech) [counters start anew]",
    ],
  ],
  [
    'a name that a quota keeps as its counter',
    [['plans.gold.quotas', { calls: { limit: 90000, window: 'month', counter: 'monthly' } }]],
    ['plan gold: quota monthly is now called calls for no consumer'],
  ],
  [
    'a plan beside others, on an API that comes first and so gives the main plan',
    [
      ['apis.beta', { paths: ['/beta'], plans: ['gold'], upstream: 'v1' }],
      [
        'consumers.umbrella.subscriptions',
        { beta: { plan: 'gold' }, pets: { plan: 'free', limits: { monthly: 20000 } } },
      ],
    ],
    [
      'API beta: added on any host /beta [widens access]',
      "consumer umbrella: pets: smooth counted for the plan alone (was: with the consumer's main plan) [counters start anew]",
      "consumer umbrella: pets: monthly counted for the plan alone (was: with the consumer's main plan) [counters start anew]",
    ],
  ],
  [
    'what a plan says',
    [['plans.free.refusal', { status: 402 }]],
    ['plan free: answers 429 → 402 where its quotas refuse for 4 consumers (acme, globex, initech, umbrella)'],
  ],
  [
    'requests in flight that are limited now',
    [['plans.free.concurrency', 10]],
    [
      'plan free: requests in flight unlimited → 10 for each consumer for 4 consumers (acme, globex, initech, umbrella) [narrows access]',
    ],
  ],
  ['a group that nothing counts', [['consumers.initech.group', 'corp']], ['consumer initech: group none → corp']],
  [
    'a window',
    [['plans.gold.quotas.monthly.window', 'day']],
    ['plan gold: monthly 90,000 a month → 90,000 a day for no consumer [counters start anew]'],
  ],
  [
    "a quota's name",
    [['plans.gold.quotas', { calls: { limit: 90000, window: 'month' } }]],
    ['plan gold: quota monthly is now called calls for no consumer [counters start anew]'],
  ],
  [
    'a quota removed',
    [['plans.free.quotas.smooth', undefined]],
    [
      'plan free: quota smooth removed: was 5 a second with a burst of 20 for 4 consumers (acme, globex, initech, umbrella) [widens access]',
    ],
  ],
  ['a plan added', [['plans.trial', {}]], ['plan trial: added without quotas: unlimited for no consumer']],
  [
    'a plan without quotas any more',
    [['plans.gold', {}]],
    [
      'plan gold: quota monthly removed: was 90,000 a month for no consumer [widens access]',
      'plan gold: no quota is left: unlimited for no consumer',
    ],
  ],
  [
    'the first upstream, to which unchecked requests go',
    [['upstreams', { v2: { url: 'http://127.0.0.1:9002' }, v1: { url: 'http://127.0.0.1:9001' } }]],
    [],
  ],
  [
    "a consumer's plan",
    [['consumers.initech.plan', 'gold']],
    [
      'consumer initech: pets: plan free → gold: monthly 10,000 → 90,000; quota smooth removed: was 5 a second with a burst of 20 [widens access]',
    ],
  ],
  [
    "a consumer's own limit",
    [['consumers.umbrella.subscriptions.pets.limits.monthly', 30000]],
    ['consumer umbrella: pets: own limit: monthly 20,000 → 30,000 [widens access]'],
  ],
  [
    'percentages at which a quota warns',
    [['plans.free.quotas.monthly.warnAt', [95, 80]]],
    ['plan free: monthly warns at 80 %, 95 % for 3 consumers (acme, globex, initech)'],
  ],
  [
    "a consumer's own bucket",
    [['consumers.umbrella.subscriptions.pets.limits.smooth', { limit: 4, burst: 40 }]],
    [
      'consumer umbrella: pets: own limit: smooth 5 a second with a burst of 20 → 4 a second with a burst of 40 [narrows access, widens access]',
    ],
  ],
  [
    "the rate of a consumer's own bucket",
    [['consumers.umbrella.subscriptions.pets.limits.smooth', 6]],
    ['consumer umbrella: pets: own limit: smooth 5 → 6 [widens access]'],
  ],
  [
    'a pause',
    [['consumers.umbrella.subscriptions.pets.paused', true]],
    ['consumer umbrella: pets: subscription paused [narrows access]'],
  ],
  [
    'an end',
    [['consumers.umbrella.subscriptions.pets.until', '2027-01-01T00:00:00Z']],
    ['consumer umbrella: pets: subscription ends 2027-01-01T00:00:00Z (was: never) [narrows access]'],
  ],
  [
    'no plan any more',
    [['consumers.initech', {}]],
    ['consumer initech: pets: no longer holds plan free [narrows access]'],
  ],
  [
    'a new consumer',
    [['consumers.newco', { plan: 'gold', keys: [{ id: 'n', digest: digest('d') }] }]],
    ['consumer newco: added with plan gold on pets, 1 key [widens access]'],
  ],
  [
    'a consumer removed',
    [['consumers.acme', undefined]],
    ['consumer acme: removed; 2 keys no longer work [narrows access]'],
  ],
  [
    "a consumer's name",
    [
      ['consumers.globex', undefined],
      ['consumers.globex-corp', { plan: 'free', keys: [{ id: 'g1', digest: digest('c'), revoked: true }] }],
    ],
    ['consumer globex: is now called globex-corp [counters start anew]'],
  ],
  [
    'a key added, with an end',
    [['consumers.initech.keys', [{ id: 'i1', digest: digest('d'), until: '2027-01-01T00:00:00Z' }]]],
    ['consumer initech: key i1 added, ends 2027-01-01T00:00:00Z [widens access]'],
  ],
  [
    'a key revoked',
    [['consumers.acme.keys.0', { ...KEY, revoked: true }]],
    ['consumer acme: key a1 revoked [narrows access]'],
  ],
  [
    'a key no longer revoked',
    [['consumers.globex.keys.0.revoked', false]],
    ['consumer globex: key g1 no longer revoked [widens access]'],
  ],
  [
    'a key that ends later',
    [['consumers.acme.keys.1.until', '2028-01-01T00:00:00Z']],
    ['consumer acme: key a2 ends 2028-01-01T00:00:00Z (was: 2027-01-01T00:00:00Z) [widens access]'],
  ],
  [
    'a key under an old id',
    [['consumers.acme.keys.0.digest', digest('e')]],
    ['consumer acme: key a1 added [widens access]', 'consumer acme: key a1 removed [narrows access]'],
  ],
  ['an upstream', [['upstreams.v1.url', 'http://127.0.0.1:1']], ['upstream v1: other url']],
  [
    'a target',
    [['targets', [{ namespace: 'shop' }]]],
    ['target: namespace: shop added: enforced there too [narrows access]'],
  ],
];

for (const [what, edits, expected] of table) {
  test(`reports ${what}`, () => {
    assert.deepEqual(policiesDifferences(edited(), edited(...edits)).map(printDifference), expected);
  });
}

const RATE_LIMIT_SERVICE = { cluster: 'outbound|8081||ratelimit.tollgate.svc.cluster.local' };
const HOURLY = { limit: 5000, window: 'hour', scope: 'mesh' };
/** The policy with a mesh-wide quota on both plans. */
const withMesh = (
  quota: object = HOURLY,
  rateLimitService: object | null = RATE_LIMIT_SERVICE,
  gold: object = quota,
): Edit[] => [
  ['rateLimitService', rateLimitService ?? undefined],
  ['plans.free.quotas', { hourly: quota }],
  ['plans.gold.quotas', { hourly: gold }],
  ['consumers.umbrella', undefined],
];
const everybody = 'for 3 consumers (acme, globex, initech)';

const meshTable: [what: string, old: Edit[], next: Edit[], expected: string[]][] = [
  [
    'a quota that the whole mesh has in common',
    withMesh({ limit: 5000, window: 'hour' }, null),
    withMesh(),
    [
      'rateLimitService: added: cluster outbound|8081||ratelimit.tollgate.svc.cluster.local, domain shop, a request waits up to 50 ms',
      `plan free: hourly 5,000 an hour in each Envoy → 5,000 an hour over the whole mesh ${everybody} [counters start anew, narrows access]`,
      'plan gold: hourly 5,000 an hour in each Envoy → 5,000 an hour over the whole mesh for no consumer [counters start anew, narrows access]',
    ],
  ],
  [
    'a quota that each Envoy counts again',
    withMesh(),
    withMesh({ limit: 500, window: '7d' }, RATE_LIMIT_SERVICE, HOURLY),
    [
      `plan free: hourly 5,000 an hour over the whole mesh → 500 in 7 days in each Envoy ${everybody} [counters start anew, widens access]`,
    ],
  ],
  [
    'a window that is a length',
    withMesh({ limit: 500, window: '15m' }, RATE_LIMIT_SERVICE, HOURLY),
    withMesh({ limit: 500, window: '10s' }, RATE_LIMIT_SERVICE, HOURLY),
    [`plan free: hourly 500 in 15 minutes → 500 in 10 seconds ${everybody} [counters start anew]`],
  ],
  [
    'the spelling of a window',
    withMesh({ limit: 500, window: '60m' }, RATE_LIMIT_SERVICE, HOURLY),
    withMesh({ limit: 500, window: 'hour' }, RATE_LIMIT_SERVICE, HOURLY),
    [],
  ],
  [
    'a limit of the mesh',
    withMesh(),
    withMesh({ ...HOURLY, limit: 6000 }, RATE_LIMIT_SERVICE, HOURLY),
    [`plan free: hourly 5,000 → 6,000 ${everybody} [widens access]`],
  ],
  [
    'a failure mode',
    withMesh(),
    withMesh({ ...HOURLY, onUnavailable: 'allow' }, RATE_LIMIT_SERVICE, HOURLY),
    [`plan free: hourly while the rate limit service does not answer: deny → allow ${everybody} [widens access]`],
  ],
  [
    'a local share',
    withMesh({ ...HOURLY, onUnavailable: 'local-share' }, RATE_LIMIT_SERVICE, HOURLY),
    withMesh({ ...HOURLY, onUnavailable: 'local-share', localShare: 400 }, RATE_LIMIT_SERVICE, HOURLY),
    [
      `plan free: hourly while the rate limit service does not answer: local share of 500 → local share of 400 ${everybody} [narrows access]`,
    ],
  ],
  [
    'a window and the failure mode at once',
    withMesh({ ...HOURLY, onUnavailable: 'allow' }, RATE_LIMIT_SERVICE, HOURLY),
    withMesh({ ...HOURLY, window: '30d', onUnavailable: 'local-share' }, RATE_LIMIT_SERVICE, HOURLY),
    [
      `plan free: hourly 5,000 an hour over the whole mesh → 5,000 in 30 days over the whole mesh ${everybody} [counters start anew]`,
      `plan free: hourly while the rate limit service does not answer: allow → local share of 500 ${everybody} [narrows access]`,
    ],
  ],
  [
    "a consumer's plan, over which the rate limit service counts on",
    withMesh(),
    [...withMesh(), ['consumers.initech.plan', 'gold']],
    ['consumer initech: pets: plan free → gold'],
  ],
  [
    'the rate limit service',
    withMesh(),
    withMesh(HOURLY, { cluster: 'ratelimit', domain: 'store', timeout: '1s', calendarMonths: true }),
    [
      'rateLimitService: cluster outbound|8081||ratelimit.tollgate.svc.cluster.local → ratelimit: counts are those that the service there has [counters start anew]',
      'rateLimitService: domain shop → store [counters start anew]',
      'rateLimitService: a request waits up to 1000 ms (was: 50 ms)',
      'rateLimitService: now counts calendar months: the service must run with USE_CALENDAR_MONTH_RATE_LIMIT=true',
    ],
  ],
];

for (const [what, old, next, expected] of meshTable) {
  test(`reports ${what}`, () => {
    assert.deepEqual(policiesDifferences(edited(...old), edited(...next)).map(printDifference), expected);
  });
}

test('diff of operations goes by what they match, and says what each change lets in', () => {
  const base: Edit = [
    'apis.pets.operations',
    {
      'GET /pets': { plans: ['gold'], scopes: ['read'], cost: 2 },
      '/any': null,
      'PUT,DELETE /pets/{id}': { name: 'change', anonymous: 'deny' },
    },
  ];
  const next: Edit = [
    'apis.pets.operations',
    {
      'GET /pets': { plans: ['gold', 'free'], scopes: ['write'] },
      'DELETE,PUT /pets/{name}': { name: 'modify', anonymous: 'allow' },
      'GET /new': null,
    },
  ];
  const [old, later] = [edited(base), edited(next)];
  assert.deepEqual(policiesDifferences(old, later).map(printDifference), [
    'operation pets GET /new: added [widens access]',
    'operation pets any method /any: removed [narrows access]',
    'operation pets GET /pets: plans gold → free, gold [widens access]',
    'operation pets GET /pets: scopes read → write [widens access, narrows access]',
    'operation pets GET /pets: cost 2 → 1 [widens access]',
    'operation pets DELETE,PUT /pets/{}: change is now called modify',
    'operation pets DELETE,PUT /pets/{}: anonymous deny → allow [widens access]',
  ]);
  assert.deepEqual(policiesDifferences(old, edited(base, ['apis.pets.unlisted', 'allow'])).map(printDifference), [
    'API pets: requests that match none of its operations pass as requests to the API [widens access]',
  ]);
});

test('no one-way mistake: what widens one way does not widen the other', () => {
  for (const [what, edits] of table.filter(([, edits]) => edits.length === 1)) {
    const effects = (old: Policy, next: Policy) =>
      configDifferences(compilePolicy(old), compilePolicy(next)).flatMap((difference) => difference.effects);
    const [there, back] = [effects(edited(), edited(...edits)), effects(edited(...edits), edited())];
    if (there.length === 1 && back.length === 1 && there[0] !== 'restarts') assert.notEqual(there[0], back[0], what);
  }
});

test('diff exits with 0, and with 1 for differences only when asked', async () => {
  const [old, next] = [scratchFile(folder, OLD), scratchFile(folder, OLD.replace('limit: 10000', 'limit: 5000'))];
  assert.deepEqual(await tollgate(['diff', old, old]), { code: 0, out: 'no differences\n', err: '' });
  assert.equal((await tollgate(['diff', old, old, '--exit-code'])).code, 0);
  const shown = await tollgate(['diff', old, next]);
  assert.deepEqual(
    [shown.code, shown.out],
    [0, 'plan free: monthly 10,000 → 5,000 for 3 consumers (acme, globex, initech) [narrows access]\n1 difference\n'],
  );
  assert.equal((await tollgate(['diff', '-', next, '--exit-code'], { stdin: OLD })).code, 1);
  const { differences, widens } = JSON.parse((await tollgate(['diff', old, next, '--json'])).out) as {
    differences: unknown[];
    widens: boolean;
  };
  assert.deepEqual(
    [differences, widens],
    [
      [
        {
          subject: 'plan free',
          text: 'monthly 10,000 → 5,000',
          effects: ['narrows'],
          consumers: ['acme', 'globex', 'initech'],
        },
      ],
      false,
    ],
  );
});

test('diff --resource compares with what is rolled out, of either kind, in a List too', async () => {
  const policy = scratchFile(folder, `${OLD}targets: [{ namespace: shop }]\n`);
  const next = scratchFile(folder, OLD.replace('limit: 10000', 'limit: 5000'));
  for (const kind of ['WasmPlugin', 'TrafficExtension']) {
    const out = join(folder, kind);
    await tollgate([
      'emit',
      policy,
      '--image',
      `oci://registry.example/tollgate@${digest('a')}`,
      '-o',
      out,
      '--kind',
      kind,
    ]);
    const file = join(out, `3-${kind.toLowerCase()}.shop.tollgate-shop-sidecars.yaml`);
    assert.equal((await tollgate(['diff', '--resource', file, policy])).out, 'no differences\n');
    const list = scratchFile(folder, JSON.stringify({ kind: 'List', items: [load(readFileSync(file, 'utf8'))] }));
    for (const resource of [file, list])
      assert.match(
        (await tollgate(['diff', '--resource', resource, next])).out,
        /^plan free: monthly 10,000 → 5,000 for 3 consumers/,
      );
    assert.match(
      (await tollgate(['diff', '--resource', '-', next], { stdin: readFileSync(file) })).out,
      /^plan free: monthly 10,000 → 5,000 for 3 consumers/,
    );
  }
});

/** As `kubectl get -o yaml` prints an object: every field in the order of the names, with what the API server and others add. */
function asKubectlPrints(resource: unknown): unknown {
  const { metadata, ...rest } = sorted(resource) as { metadata: object };
  return sorted({
    ...rest,
    metadata: {
      ...metadata,
      uid: '0b7b3f0e-7f0c-4a55-9e3f-0d6d8c3f2f11',
      resourceVersion: '7421',
      generation: 3,
      creationTimestamp: '2026-01-01T00:00:00Z',
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify(resource)}\n` },
      managedFields: [
        {
          manager: 'kubectl',
          operation: 'Apply',
          apiVersion: 'extensions.istio.io/v1alpha1',
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:spec': { 'f:pluginConfig': {} } },
        },
      ],
    },
    status: { observedGeneration: '3', conditions: [{ type: 'Reconciled', status: 'True' }] },
  });
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  );
}

test('diff --resource finds no drift in what kubectl prints of what was emitted', async () => {
  for (const policy of ['order/shop', 'compile/everything', 'rateLimitService/shop']) {
    const file = scratchFile(
      folder,
      `${readFileSync(new URL(`./${policy}.policy.yaml`, import.meta.url), 'utf8')}\n${policy === 'compile/everything' ? 'targets: [{ namespace: shop }]\n' : ''}`,
    );
    const printed = await tollgate([
      'emit',
      file,
      '--image',
      `oci://registry.example/tollgate@${digest('a')}`,
      '-o',
      '-',
    ]);
    const plugins = loadAll(printed.out)
      .filter((resource) => (resource as { kind: string }).kind === 'WasmPlugin')
      .map(asKubectlPrints);
    assert.ok(plugins.length > 0, printed.err);
    const list = dump({
      apiVersion: 'v1',
      items: [...plugins, { kind: 'WasmPlugin', spec: { pluginConfig: { other: 1 } } }],
      kind: 'List',
      metadata: { resourceVersion: '' },
    });
    assert.deepEqual(
      (await tollgate(['diff', '--resource', '-', file], { stdin: list })).out,
      'no differences\n',
      policy,
    );
  }
});

test('diff --resource takes defaults that are written out, an older order, and the policy among several', async () => {
  const file = scratchFile(folder, OLD);
  const config = compilePolicy(edited()) as unknown as {
    apis: object[];
    plans: { quotas: object[] }[];
    consumers: { keys?: object[]; subscriptions?: object[] }[];
  };
  const written = {
    ...config,
    unmatched: 'deny',
    forwardKey: false,
    apis: config.apis.map((api) => ({ ...api, anonymous: 'deny', preflight: 'deny' })),
    plans: config.plans
      .map((plan) => ({
        ...plan,
        quotas: plan.quotas
          .map((quota) => ({ ...quota, per: 'consumer', scope: 'envoy', onUnavailable: 'deny' }))
          .reverse(),
      }))
      .reverse(),
    consumers: config.consumers
      .map((consumer) => ({
        ...consumer,
        keys: (consumer.keys ?? []).map((key) => ({ revoked: false, ...key })),
        subscriptions: (consumer.subscriptions ?? []).map((subscription) => ({ ...subscription, paused: false })),
      }))
      .reverse(),
  };
  const plugin = (pluginConfig: unknown): unknown => ({ kind: 'WasmPlugin', spec: { pluginConfig } });
  const list = JSON.stringify({
    kind: 'List',
    items: [plugin({ ...config, policy: 'another', consumers: [] }), plugin(written)],
  });
  assert.deepEqual(await tollgate(['diff', '--resource', '-', file], { stdin: list }), {
    code: 0,
    out: 'no differences\n',
    err: '',
  });
});

test('diff --resource refuses a config of any other shape, without a stack trace', async () => {
  const file = scratchFile(folder, OLD);
  const config = compilePolicy(edited());
  for (const wrong of [
    { consumers: [{ name: 'a', keys: 'x' }] },
    { consumers: [{ name: 'a', keys: [{ id: 1 }] }] },
    { apis: [{ name: 'a', paths: ['/'], plans: ['b'], routes: {} }] },
    { plans: [{ name: 'a', quotas: [null] }] },
    { keySources: [7] },
    { version: 2 },
  ]) {
    const stdin = JSON.stringify({ kind: 'WasmPlugin', spec: { pluginConfig: { ...config, ...wrong } } });
    assert.deepEqual(await tollgate(['diff', '--resource', '-', file], { stdin }), {
      code: 1,
      out: '',
      err: 'standard input: holds no WasmPlugin or TrafficExtension of Tollgate with a plugin config of version 1\n',
    });
  }
});

test('diff of thousands of APIs and consumers takes seconds', () => {
  const many = (plan: string): Policy =>
    readPolicy(
      `policy: p\nplans: { x: { quotas: { q: { limit: 1, window: day } } }, y: { quotas: { q: { limit: 2, window: day } } } }\napis:\n${Array.from(
        { length: 4000 },
        (_, i) => `  a${i}: { paths: [/${i}], plans: [x, y] }\n`,
      ).join('')}consumers:\n${Array.from(
        { length: 20_000 },
        (_, i) => `  c${i}: { plan: ${i % 5000 === 0 ? plan : 'x'}, subscriptions: { a1: { plan: y } } }\n`,
      ).join('')}`,
      'p',
    ).policy!;
  const [old, next] = [many('x'), many('y')];
  const started = process.hrtime.bigint();
  assert.equal(policiesDifferences(old, next).length, 4 * 4000);
  assert.ok(process.hrtime.bigint() - started < 15_000_000_000n);
});

test('diff refuses what it cannot compare', async () => {
  const policy = scratchFile(folder, OLD);
  const run = async (...args: string[]): Promise<[number, string]> => {
    const { code, err } = await tollgate(['diff', ...args]);
    return [code, err];
  };
  assert.deepEqual(await run(policy), [
    2,
    'tollgate diff: takes two policies, OLD and NEW; found 1; see tollgate diff --help\n',
  ]);
  assert.deepEqual(await run('-', '-'), [
    2,
    'tollgate diff: standard input can be one of the two policies; see tollgate diff --help\n',
  ]);
  assert.deepEqual(await run('--resource', '-', '-'), [
    2,
    'tollgate diff: standard input can be the resource or the policy, not both; see tollgate diff --help\n',
  ]);
  assert.deepEqual(await run('--resource', '-', policy), [
    1,
    'standard input: holds no WasmPlugin or TrafficExtension of Tollgate with a plugin config of version 1\n',
  ]);
  assert.deepEqual(await run('--resource', policy, policy), [
    1,
    `${policy}: holds no WasmPlugin or TrafficExtension of Tollgate with a plugin config of version 1\n`,
  ]);
  assert.deepEqual(await run('--resource', join(folder, 'none.yaml'), policy), [
    1,
    `${join(folder, 'none.yaml')}: no such file\n`,
  ]);
  const bad = scratchFile(folder, 'policy: shop\nunmatched: never\n');
  assert.deepEqual(await run(policy, bad), [1, `${bad}:2: unmatched: must be "deny" or "allow"; found "never"\n`]);
});

test('diff says what a change of cors does to pages', () => {
  const withCors = (cors: unknown): Policy => edited(['apis.pets.cors', cors]);
  const old = { origins: ['https://a.test'], methods: ['PUT'], exposedHeaders: ['x-total'], maxAge: '10m' };
  const changes: [next: unknown, expected: string[]][] = [
    [old, []],
    [{ ...old, maxAge: '600s', methods: ['PUT', 'PUT'].slice(1) }, []],
    [undefined, ['API pets: cors removed [narrows access]']],
    [
      { ...old, origins: ['https://b.test'] },
      [
        'API pets: cors: origin https://b.test added [widens access]',
        'API pets: cors: origin https://a.test removed [narrows access]',
      ],
    ],
    [{ ...old, methods: ['PUT', 'PATCH'] }, ['API pets: cors: method PATCH added [widens access]']],
    [{ ...old, headers: ['x-api-key'] }, ['API pets: cors: header content-type removed [narrows access]']],
    [{ ...old, exposedHeaders: [] }, ['API pets: cors: exposed header x-total removed [narrows access]']],
    [
      { ...old, credentials: true },
      ['API pets: cors: credentials false → true: pages may send cookies [widens access]'],
    ],
    [{ ...old, maxAge: undefined }, ["API pets: cors: maxAge 600s → the browser's own"]],
  ];
  for (const [next, expected] of changes)
    assert.deepEqual(policiesDifferences(withCors(old), withCors(next)).map(printDifference), expected);
  assert.deepEqual(policiesDifferences(withCors({ ...old, credentials: true }), withCors(old)).map(printDifference), [
    'API pets: cors: credentials true → false: pages send no cookies [narrows access]',
  ]);
});

test('tells what has ended', () => {
  const life = {
    deprecated: { since: '2026-01-01T00:00:00Z' },
    maintenance: {},
    mock: {},
  };
  const old = edited(...Object.entries(life).map(([field, value]): Edit => [`apis.pets.${field}`, value]));
  assert.deepEqual(policiesDifferences(old, edited()).map(printDifference), [
    'API pets: no longer deprecated',
    'API pets: no more maintenance [widens access]',
    'API pets: no longer answered by a mock',
  ]);
});

/** Two APIs and a consumer that has one plan on each. */
function apart({ plan, orders, counter }: { plan?: string; orders: string; counter?: string }): Policy {
  const quota = { limit: 5, window: 'month', ...(counter !== undefined && { counter }) };
  const { policy, problems } = readPolicy(
    JSON.stringify({
      policy: 'shop',
      apis: {
        orders: { paths: ['/orders'], plans: ['free', 'gold'] },
        pets: { paths: ['/pets'], plans: ['free', 'gold'] },
      },
      plans: { free: { quotas: { q: quota } }, gold: { quotas: { q: quota } } },
      consumers: { acme: { ...(plan !== undefined && { plan }), subscriptions: { orders: { plan: orders } } } },
    }),
    'apart',
  );
  assert.deepEqual(problems, []);
  return policy!;
}

const counterTable: [what: string, old: Policy, next: Policy, expected: string[]][] = [
  [
    'a plan that was held beside the main one and becomes it',
    apart({ plan: 'free', orders: 'gold' }),
    apart({ plan: 'gold', orders: 'gold' }),
    [
      "consumer acme: orders: q counted with the consumer's main plan (was: for the plan alone) [counters start anew]",
      'consumer acme: pets: plan free → gold',
    ],
  ],
  [
    'a plan beside the main one that changes',
    apart({ plan: 'free', orders: 'free' }),
    apart({ plan: 'free', orders: 'gold' }),
    [
      "consumer acme: orders: plan free → gold: q counted for the plan alone (was: with the consumer's main plan) [counters start anew]",
    ],
  ],
  [
    'a counter that two plans share from now on',
    apart({ plan: 'free', orders: 'gold' }),
    apart({ plan: 'free', orders: 'gold', counter: 'q' }),
    ['consumer acme: orders: q counted in the counter q (was: for the plan alone) [counters start anew]'],
  ],
  [
    'the plan of an only subscription',
    apart({ orders: 'free' }),
    apart({ orders: 'gold' }),
    ['consumer acme: orders: plan free → gold'],
  ],
];

for (const [what, old, next, expected] of counterTable) {
  test(`tells which counters begin at zero through ${what}`, () => {
    assert.deepEqual(policiesDifferences(old, next).map(printDifference), expected);
  });
}

test('diff of tokens says what changes of an issuer let in', () => {
  const changes: [next: Edit[], expected: string[]][] = [
    [withTokens(), []],
    [
      withTokens({ issuer: 'https://other.example' }),
      ['token corp: issuer https://corp.example → https://other.example [widens access, narrows access]'],
    ],
    [withTokens({ audiences: ['shop', 'till'] }), ['token corp: audience till added [widens access]']],
    [withTokens({ audiences: undefined }), ['token corp: audiences shop → any audience [widens access]']],
    [
      withTokens({ consumer: 'client_id' }),
      ['token corp: the owner is in the claim client_id (was: in the claim sub) [widens access, narrows access]'],
    ],
    [
      withTokens({ plan: 'tier', scopes: 'scp' }),
      [
        "token corp: the plan is in the claim tier (was: the consumer's) [widens access, narrows access]",
        "token corp: scopes are in the claim scp (was: the consumer's) [widens access, narrows access]",
      ],
    ],
    [withTokens({ forward: true }), ['token corp: upstreams now see the token']],
    [
      withTokens({ jwks: { keys: [{ kty: 'RSA', e: 'AQAB', n: 'a' }] } }),
      [
        'token corp: is verified by 1 key in the policy (was: https://corp.example/keys) [widens access, narrows access]',
      ],
    ],
    [
      withTokens({}, { corp: ['a2'] }),
      [
        'consumer acme: owns the tokens of a2 by corp [widens access]',
        'consumer acme: no longer owns the tokens of a1 by corp [narrows access]',
      ],
    ],
    [
      [],
      [
        'token corp: removed: was https://corp.example [narrows access]',
        'API pets: credentials token → key [widens access, narrows access]',
        'consumer acme: no longer owns the tokens of a1 by corp [narrows access]',
      ],
    ],
  ];
  for (const [next, expected] of changes)
    assert.deepEqual(policiesDifferences(edited(...withTokens()), edited(...next)).map(printDifference), expected);
});
