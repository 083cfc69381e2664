import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { describe, it, test } from 'node:test';
import { scratchFolder } from '../../harness/scratch.ts';
import type { Story } from '../../scripts/explain/story.ts';
import { tollgate } from './fakeIo.ts';

/** Stories of callers that are known by something else than a key, or by nothing. */
const AT = '2026-06-01T00:00:00Z';
const digest = (key: string): string => `sha256:${createHash('sha256').update(key).digest('hex')}`;
const ISSUER = 'https://idp.example.com';
const WEB = 'spiffe://cluster.local/ns/shop/sa/web';

const POLICY = `
policy: shop
clientAddress: { ipv4: 24 }
workloadProof: listener
tokens:
  corp: { issuer: '${ISSUER}', jwks: '${ISSUER}/keys.json', audiences: [shop], plan: tier, scopes: scope }
  other: { issuer: 'https://other.example.com', jwks: '${ISSUER}/keys.json' }
apis:
  pets: { paths: [/v1], plans: [free, gold], anonymous: { plan: free }, mock: { status: 200 }, routes: [{ name: trial, when: { plans: [free] } }] }
  devices: { paths: [/devices], plans: [free], anonymous: { plan: free, by: { header: x-device } }, mock: { status: 200 } }
  orders:
    paths: [/orders]
    plans: [free, gold]
    credentials: [token, workload, key]
    mock: { status: 200 }
    operations: { GET /all: { scopes: [read] }, 'GET /{id}': { scopes: [read, write] } }
    routes: [{ name: rich, when: { plans: [gold] }, mock: { status: 201 } }, { name: web, when: { consumers: [web] } }]
  inner: { paths: [/inner], plans: [free], credentials: [workload], mock: { status: 200 } }
  keys: { paths: [/keys], plans: [free, gold], mock: { status: 200 }, me: true }
  data: { paths: [/data], pathData: [escaped-slashes, empty-segments], plans: [free], anonymous: allow, mock: { status: 200 }, operations: { 'GET /{id}': , GET /fixed: } }
plans:
  free: { quotas: { hourly: { limit: 4, window: hour, warnAt: [25, 50] } }, concurrency: 1000 }
  gold: { concurrency: 5, quotas: { all: { limit: 100, window: day, per: group }, mine: { limit: 9, window: hour, counter: ours } } }
consumers:
  acme:
    plan: free
    scopes: [read, write]
    tokens: { corp: [alice], other: [bob] }
    keys:
      - { id: a1, digest: '${digest('acme-secret-key')}' }
      - { id: near, digest: '${digest('near-secret-key')}', addresses: { allow: [10.1.0.0/16] } }
      - { id: narrow, digest: '${digest('narrow-secret-key')}', apis: [orders], scopes: [read] }
  office:
    plan: gold
    group: corp
    addresses: { allow: [203.0.113.0/24], deny: [203.0.113.66] }
    origins: ['https://app.example.com']
    keys: [{ id: o1, digest: '${digest('office-secret-key')}' }]
  web: { plan: free, scopes: [read], workloads: [${WEB}] }
`;

const folder = scratchFolder();
const file = join(folder, 'shop.policy.yaml');
writeFileSync(file, POLICY);
const hops = join(folder, 'hops.policy.yaml');
writeFileSync(hops, POLICY.replace('{ ipv4: 24 }', '{ trustedHops: 2, ipv6: 48 }'));

interface Told {
  readonly code: number;
  readonly story: Story;
  readonly lines: Readonly<Record<string, readonly string[]>>;
  readonly verdict: string;
  readonly text: string;
}

async function tell(path: string, args: readonly string[] = [], policy = file): Promise<Told> {
  const all = ['explain', policy, '--request', `https://a.test${path}`, '--at', AT, ...args];
  const [text, json] = [await tollgate(all), await tollgate([...all, '--json'])];
  assert.deepEqual([text.err, json.err, json.code], ['', '', text.code]);
  const lines: Record<string, string[]> = {};
  let last = '';
  for (const [, name = '', words = ''] of text.out.matchAll(/^ {2}([A-Za-z ]{10}) (.*)$/gm)) {
    last = name.trim() === '' ? last : name.trim();
    (lines[last] ??= []).push(words);
  }
  const [, verdict = ''] = /\n\n(\S.*)\n/.exec(text.out) ?? [];
  return { code: text.code, story: JSON.parse(json.out) as Story, lines, verdict, text: text.out };
}

const key = (name: string): string[] => ['--header', `x-api-key: ${name}-secret-key`];
const claims = (fields: object): string[] => [
  '--token-claims',
  JSON.stringify({ iss: ISSUER, aud: 'shop', ...fields }),
];

describe('a caller without a key', () => {
  it('has the plan of the API, and is counted with its network', async () => {
    const { lines, story, verdict } = await tell('/v1', ['--peer', '203.0.113.7']);
    assert.equal(verdict, 'answered: mocked');
    assert.deepEqual(lines['address'], ['203.0.113.7, the connection says']);
    assert.deepEqual(lines['caller'], ['without a key, counted with all of 203.0.113.0/24']);
    assert.deepEqual(lines['plan'], ['free, which pets gives to callers without a key']);
    assert.deepEqual(lines['in flight'], ['at most 1,000 at once, counted for the caller']);
    assert.deepEqual(lines['quotas'], ['hourly  1 of 4 used, 3 left, resets in 1 h; warns of 25 %']);
    assert.deepEqual(lines['route'], ['pets/trial: plan is free']);
    assert.deepEqual(story.visitor, {
      ...{ plan: 'free', by: 'address', header: null, block: '203.0.113.0/24', isTold: true },
    });
    assert.deepEqual(story.address, { from: 'connection', entry: null, address: '203.0.113.7', refusedBy: null });
    assert.deepEqual([story.plan?.through, story.consumer, story.credential], ['anonymous', null, null]);
    assert.deepEqual(story.quotas[0]?.warnAt, [25, 50]);
  });

  it('is counted by its /64 of IPv6, whatever its spelling', async () => {
    for (const peer of ['2001:db8:0:1::7', '2001:DB8:0:1:0:0:0:7']) {
      const { story } = await tell('/v1', ['--peer', peer]);
      assert.equal(story.visitor?.block, '2001:db8:0:1::/64');
    }
    const { story } = await tell('/v1', ['--peer', '::ffff:203.0.113.7']);
    assert.equal(story.visitor?.block, '203.0.113.0/24');
  });

  it('is found in x-forwarded-for, behind trusted proxies, as Envoy writes it', async () => {
    const sent = (value: string): string[] => ['--peer', '10.0.0.1', '--header', `x-forwarded-for: ${value}`];
    const { story, lines } = await tell('/v1', sent('9.9.9.9, [2001:db8::7]:80'), hops);
    assert.deepEqual(story.address, { from: 'x-forwarded-for', entry: 2, address: '2001:db8::7', refusedBy: null });
    assert.deepEqual(lines['caller'], ['without a key, counted with all of 2001:db8::/48']);
    for (const value of ['unknown', '1.2.3.4:99999', '_hidden']) {
      const hidden = await tell('/v1', sent(value), hops);
      assert.deepEqual(hidden.lines['address'], [
        'not known: there is no address as entry 2 of x-forwarded-for, from the right',
      ]);
      assert.deepEqual(hidden.lines['caller'], ['without a key, counted with all others whose address is not known']);
    }
    // without a peer nothing is appended
    const { story: bare } = await tell('/v1', ['--header', 'x-forwarded-for: 203.0.113.7, 10.0.0.1'], hops);
    assert.equal(bare.address?.address, '203.0.113.7');
  });

  it('is counted by a header, of which the value is not told', async () => {
    const { lines, text, story } = await tell('/devices', ['--header', 'x-device: secret-device']);
    assert.deepEqual(lines['caller'], ['without a key, counted by the value of x-device']);
    assert.doesNotMatch(text, /secret-device/);
    assert.equal(story.address, null);
    const { story: none } = await tell('/devices');
    assert.deepEqual([none.visitor?.isTold, none.visitor?.header], [false, 'x-device']);
  });
});

describe('from where a consumer calls', () => {
  it('is told with whose list keeps it out', async () => {
    const far = await tell('/keys', [...key('near'), '--peer', '10.2.0.1']);
    assert.equal(far.verdict, 'refused: address_not_allowed');
    assert.deepEqual(far.lines['address'], ['10.2.0.1, the connection says; the key near may not be used from there']);
    const near = await tell('/keys', [...key('near'), '--peer', '10.1.0.1']);
    assert.deepEqual([near.verdict, near.story.address?.refusedBy], ['answered: mocked', null]);
    const denied = await tell('/keys', [...key('office'), '--peer', '203.0.113.66']);
    assert.deepEqual(denied.lines['address'], ['203.0.113.66, the connection says; office may not call from there']);
    assert.deepEqual(denied.story.address?.refusedBy, 'consumer');
  });

  it('is told of pages by the header that names them', async () => {
    const there = [...key('office'), '--peer', '203.0.113.7'];
    const other = await tell('/keys', [...there, '--header', 'origin: https://copycat.example']);
    assert.equal(other.verdict, 'refused: origin_not_allowed');
    assert.deepEqual(other.lines['origin'], ['origin says from which page; office may not be called from there']);
    const none = await tell('/keys', there);
    assert.deepEqual(none.lines['origin'], [
      'neither origin nor referer is there; office may not be called from there',
    ]);
    const own = await tell('/keys', [...there, '--header', 'referer: https://app.example.com/a?b']);
    assert.deepEqual(own.story.origin, { header: 'referer', isListed: true });
    assert.deepEqual(own.lines['quotas'], [
      'mine  1 of 9 used, 8 left, resets in 1 h; in the counter ours',
      "all   1 of 100 used, 99 left, resets in 1 d; counted for the consumer's group",
    ]);
    assert.deepEqual(own.lines['in flight'], ['at most 5 at once, counted for the consumer']);
  });
});

describe('a limited key', () => {
  it('is told with its APIs and scopes, and which scope is missing', async () => {
    const other = await tell('/keys', key('narrow'));
    assert.equal(other.verdict, 'refused: api_not_allowed');
    assert.match(other.lines['key']![0]!, /its id is narrow, for orders only, with the scope read only/);
    const scope = await tell('/orders/7', key('narrow'));
    assert.equal(scope.verdict, 'refused: missing_scope');
    assert.deepEqual(scope.lines['needs'], ['the scopes read and write; missing: write']);
    assert.deepEqual(scope.lines['credential'], ['a key']);
  });
});

describe('a token', () => {
  it('says plan and scopes, and is never asked for', async () => {
    const { lines, story, verdict } = await tell('/orders/7', claims({ sub: 'alice', tier: 'gold', scope: 'read' }));
    assert.equal(verdict, 'refused: missing_scope');
    assert.deepEqual(lines['credential'], ['a token of corp, whose sub is alice']);
    assert.deepEqual(lines['plan'], ["gold, as the token's claim tier says"]);
    assert.deepEqual(lines['needs'], ['the scopes read and write; missing: write']);
    assert.deepEqual([story.consumer, story.plan?.through, story.credential?.used], ['acme', 'token', 'token']);
    assert.deepEqual(story.key, { places: [], id: null, apis: null, scopes: null });
    const all = await tell('/orders/all', claims({ sub: 'alice', tier: 'gold', scope: ['read'] }));
    assert.equal(all.verdict, 'answered: mocked');
    assert.deepEqual(all.lines['route'], ['orders/rich: plan is gold']);
  });

  it('without a plan that is offered, an owner or an issuer is told why', async () => {
    const plan = await tell('/orders/all', claims({ sub: 'alice', tier: 'platinum', scope: 'read' }));
    assert.equal(plan.verdict, 'refused: not_subscribed');
    assert.deepEqual(plan.lines['plan'], [
      "none: the token's claim tier names platinum and no subscription to orders, which offers free, gold",
    ]);
    const owner = await tell('/orders/all', claims({ sub: 'mallory' }));
    assert.equal(owner.verdict, 'refused: unknown_subject');
    assert.deepEqual(owner.lines['credential'], ['a token of corp, whose sub is mallory: no consumer lists that']);
    const nobody = await tell('/orders/all', claims({}));
    assert.deepEqual(nobody.lines['credential'], ['a token of corp; its claim sub is missing, or no string']);
    const issuer = await tell('/orders/all', [
      '--token-claim',
      'iss=https://evil.example',
      '--token-claim',
      'sub=alice',
    ]);
    assert.equal(issuer.verdict, 'refused: missing_api_key');
    assert.deepEqual(issuer.lines['credential'], [
      'none: the API takes a token, a workload or a key',
      "the token's issuer https://evil.example is none of the policy's",
    ]);
    const audience = await tell('/orders/all', claims({ aud: ['a', 'b'], sub: 'alice' }));
    assert.deepEqual(audience.lines['credential']![1], 'the token of corp is for another audience (aud)');
    const many = ['iss', 'aud', 'aud', 'sub', 'scope'];
    const values = [ISSUER, 'a', 'shop', 'alice', 'read'];
    const repeated = await tell(
      '/orders/all',
      many.flatMap((name, index) => ['--token-claim', `${name}=${values[index]}`]),
    );
    assert.deepEqual(repeated.lines['plan'], ["free, the consumer's own plan, which orders offers"]);
  });

  it('that only the request carries is not verified, and told so', async () => {
    const token = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl';
    const { lines, text } = await tell('/orders/all', ['--header', `authorization: Bearer ${token}`]);
    assert.deepEqual(lines['credential'], [
      'none: the API takes a token, a workload or a key',
      'the token in authorization is not verified here: --token-claims gives what it says',
    ]);
    assert.doesNotMatch(text, /eyJ/);
  });

  it('says nothing to an API that takes none', async () => {
    const { lines, verdict } = await tell('/keys', [...key('acme'), ...claims({ sub: 'alice' })]);
    assert.equal(verdict, 'answered: mocked');
    assert.deepEqual(lines['credential'], ['a key', 'a token says nothing here: the API takes a key']);
  });
});

describe('a workload', () => {
  it('is a consumer, or nobody', async () => {
    const { lines, story } = await tell('/inner', ['--workload', WEB]);
    assert.deepEqual(lines['credential'], [`the workload ${WEB}`]);
    assert.deepEqual([story.consumer, story.key, story.credential?.used], ['web', null, 'workload']);
    const { lines: other, verdict } = await tell('/inner', ['--workload', `${WEB}2`]);
    assert.equal(verdict, 'refused: unknown_workload');
    assert.deepEqual(other['credential'], [`the workload ${WEB}2, which is no consumer`]);
    const { lines: none, verdict: missing } = await tell('/inner', key('acme'));
    assert.equal(missing, 'refused: missing_credential');
    assert.deepEqual(none['credential'], ['none: the API takes a workload']);
    assert.equal(none['key'], undefined);
  });

  it('does not count beside a token that goes before it, and takes routes of its own', async () => {
    const both = await tell('/orders/all', ['--workload', WEB, ...claims({ sub: 'alice', scope: 'read' })]);
    assert.deepEqual(both.lines['credential'], [
      'a workload does not count beside a token',
      'a token of corp, whose sub is alice',
    ]);
    const alone = await tell('/orders/all', ['--workload', WEB]);
    assert.deepEqual(alone.lines['route'], ['orders/web: consumer is web', 'not rich: does not hold: plan is gold']);
  });
});

describe('what the module answers and takes', () => {
  it('tells callers of their quotas', async () => {
    const { lines, verdict, story } = await tell('/keys/.tollgate/me', key('acme'));
    assert.equal(verdict, 'answered: me_answered');
    assert.equal(story.outcome, 'answered');
    assert.deepEqual(lines['needs'], ['no units of any quota']);
    assert.match(story.reply.body, /"name":"hourly"/);
  });

  it('has slashes as data in paths', async () => {
    const { lines, story } = await tell('/data/a%2Fb');
    assert.deepEqual(lines['path']!.at(-1), '// and %2F are data in it');
    assert.deepEqual(story.operation?.pattern, 'GET /{id}');
    assert.deepEqual(story.api?.pathData, ['empty-segments', 'escaped-slashes']);
  });
});

test('wrong usage names the option and its rule, and repeats no value', async () => {
  const token = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl';
  const table: [string[], RegExp][] = [
    [
      ['--peer', 'secret-host'],
      /^tollgate explain: --peer must be an IP address such as 203\.0\.113\.7 or 2001:db8::7, without port;/,
    ],
    [['--peer', '10.0.0.1:80'], /--peer must be an IP address/],
    [['--peer', 'fe80::1%eth0'], /--peer must be an IP address/],
    [['--workload', 'cart'], /--workload must be a SPIFFE id/],
    [['--token-claim', 'sub'], /--token-claim must be 'NAME=VALUE'/],
    [['--token-claim', '=secret'], /--token-claim must be 'NAME=VALUE'/],
    [
      ['--token-claims', token],
      /--token-claims must be what a token says, its claims as a JSON object, and not the token/,
    ],
    [['--token-claims', '[1]'], /--token-claims must be a JSON object such as/],
    [['--token-claims', 'secret'], /--token-claims must be a JSON object such as/],
    [['--token-claims', '{}', '--token-claim', 'a=b'], /takes --token-claim or --token-claims, not both/],
    [['--token-claims', '@-', '--header', '@-'], /standard input is read once/],
  ];
  for (const [args, expected] of table) {
    const { code, err, out } = await tollgate(['explain', file, '--request', 'https://a.test/v1', ...args]);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, expected);
    assert.doesNotMatch(err, /secret|eyJ/);
  }
  const replay = await tollgate(['explain', file, '--from', 'a.log', '--peer', '10.0.0.1']);
  assert.match(replay.err, /--peer, --workload, --token-claim and --token-claims go with --request/);
});

test('claims come from a file or standard input', async () => {
  const text = JSON.stringify({ iss: ISSUER, aud: 'shop', sub: 'alice', scope: 'read' });
  const path = join(folder, 'claims.json');
  writeFileSync(path, `\ufeff${text}\n`);
  const args = ['explain', file, '--request', 'https://a.test/orders/all', '--token-claims'];
  for (const run of [await tollgate([...args, `@${path}`]), await tollgate([...args, '@-'], { stdin: text })])
    assert.match(run.out, /consumer {3}acme/);
  writeFileSync(path, 'not JSON: secret');
  const { code, err } = await tollgate([...args, `@${path}`]);
  assert.equal(code, 2);
  assert.match(err, /--token-claims: .*claims\.json must be a JSON object/);
});
