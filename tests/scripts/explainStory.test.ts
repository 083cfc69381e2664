import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Story } from '../../scripts/explain/story.ts';
import { tollgate } from './fakeIo.ts';

const KEY = 'acme-secret-key';
const AT = '2026-06-01T00:00:00Z';
const ORIGIN = 'https://app.example.com';

function digest(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

const POLICY = `
policy: shop
keySources: [{ header: x-api-key }]
upstreams: { v1: { url: 'http://127.0.0.1:9001' } }
apis:
  pets:
    hosts: [api.example.com]
    paths: [/v1]
    plans: [free, gold]
    upstream: v1
    cors: { origins: ['${ORIGIN}'], methods: [PUT], headers: [x-api-key] }
    deprecated: { since: 2026-01-01T00:00:00Z, sunset: 2027-01-01T00:00:00Z, successor: /v2 }
    operations:
      GET /pets: { name: listPets }
      POST /pets: { plans: [gold], cost: 5 }
      PUT,DELETE /pets: { cost: 2 }
      GET /pets/{id}: { scopes: ['read:pets', 'write:pets'] }
      POST /pets/{id}: { name: feed }
      GET /pets/mine: { scopes: ['read:pets'] }
      GET /files/{path...}: { anonymous: allow }
      /health: { anonymous: allow, cost: 0 }
      GET /gone: { retired: { from: 2026-01-01T00:00:00Z, successor: /new } }
      GET /going: { retired: { from: 2026-06-02T00:00:00Z } }
      GET /fake: { mock: { status: 404, body: '{}' } }
      GET /moved/{x}: { redirect: { to: /there, status: 307 } }
      GET /closed: { maintenance: { from: 2026-01-01T00:00:00Z, until: 2026-06-01T02:00:00Z, detail: back soon } }
      GET /soon: { maintenance: { from: 2026-06-01T03:00:00Z } }
      GET /open: { maintenance: { until: 2026-05-01T00:00:00Z }, deprecated: { since: 2026-07-01T00:00:00Z } }
    routes:
      - { name: beta, when: { path: /v1/files/beta }, upstream: v1, mock: { body: beta } }
  loose: { hosts: [api.example.com], paths: [/loose], plans: [free], upstream: v1, unlisted: allow, operations: { GET /a: } }
  other: { hosts: [api.example.com], paths: [/other], plans: [free], upstream: v1 }
  past: { hosts: [api.example.com], paths: [/past], plans: [free], upstream: v1, retired: {}, operations: { GET /a: } }
plans:
  free: { quotas: { minute: { limit: 3, window: minute } } }
  gold: {}
consumers:
  acme:
    plan: free
    scopes: ['read:pets']
    keys:
      - { id: a1, digest: '${digest(KEY)}' }
      - { id: narrow, digest: '${digest('narrow-secret-key')}', apis: [pets, loose], scopes: ['none'] }
`;

let folder = '';
let policy = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-explain-story-'));
  policy = join(folder, 'shop.policy.yaml');
  await writeFile(policy, POLICY);
});
after(() => rm(folder, { recursive: true, force: true }));

interface Told {
  readonly code: number;
  readonly story: Story;
  /** Lines by name, the further ones of a name behind the first. */
  readonly lines: Readonly<Record<string, readonly string[]>>;
  readonly verdict: string;
  readonly text: string;
}

async function tell(request: string, ...headers: readonly string[]): Promise<Told> {
  const sent = [`x-api-key: ${KEY}`, ...headers].flatMap((one) => ['--header', one]);
  const [method, path] = request.split(' ');
  const args = ['explain', policy, '--request', `${method} https://api.example.com${path}`, ...sent, '--at', AT];
  const [text, json] = await Promise.all([tollgate(args), tollgate([...args, '--json'])]);
  assert.deepEqual([text.err, json.err, json.code], ['', '', text.code]);
  const lines: Record<string, string[]> = {};
  let last = '';
  for (const [, name = '', words = ''] of text.out.matchAll(/^ {2}(\S*) +(.*)$/gm)) {
    if (!/^[A-Za-z]*$/.test(name)) continue;
    last = name === '' ? last : name;
    (lines[last] ??= []).push(words);
  }
  const [, verdict = ''] = /\n\n(\S.*)\n/.exec(text.out) ?? [];
  return { code: text.code, story: JSON.parse(json.out) as Story, lines, verdict, text: text.out };
}

describe('the operation', () => {
  it('is named, with the pattern of the policy', async () => {
    const { story, lines, code } = await tell('GET /v1/pets');
    assert.equal(code, 0);
    assert.deepEqual(lines['operation'], ['listPets: GET /pets']);
    assert.equal(lines['needs'], undefined);
    assert.deepEqual(story.operation, {
      ...{ name: 'listPets', pattern: 'GET /pets', unlisted: 'deny', atPath: [], passedOver: [] },
      ...{ plans: [], scopes: [], missingScopes: [], cost: 1, settlement: null },
    });
  });

  it('is a template, for HEAD that of GET', async () => {
    const { story, lines, verdict } = await tell('HEAD /v1/pets/7');
    assert.deepEqual(lines['operation'], ['GET /pets/{id}']);
    assert.deepEqual(lines['needs'], ['the scopes read:pets and write:pets; missing: write:pets']);
    assert.deepEqual(story.operation?.missingScopes, ['write:pets']);
    assert.equal(verdict, 'refused: missing_scope');
  });

  it('has less specific ones beside it that would match too', async () => {
    const { story, lines, code } = await tell('GET /v1/pets/mine');
    assert.deepEqual(lines['operation'], ['GET /pets/mine', 'not GET /pets/{id}, which is less specific']);
    assert.deepEqual(lines['needs'], ['the scope read:pets']);
    assert.deepEqual([code, story.operation?.passedOver], [0, ['GET /pets/{id}']]);
  });

  it('is none for a method that its path does not list, though a less specific one does', async () => {
    const other = await tell('PATCH /v1/pets');
    assert.deepEqual(other.lines['operation'], [
      'none: PATCH is not listed here; GET /pets, POST /pets and PUT,DELETE /pets are',
    ]);
    assert.deepEqual([other.code, other.verdict, other.story.key], [1, 'refused: method_not_allowed', null]);
    const { lines, story } = await tell('POST /v1/pets/mine');
    assert.deepEqual(lines['operation'], [
      'none: POST is not listed here; GET /pets/mine is',
      'not POST /pets/{id}, which is less specific',
    ]);
    assert.deepEqual([story.operation?.atPath, story.operation?.passedOver], [['GET /pets/mine'], ['POST /pets/{id}']]);
  });

  it('is none where nothing is listed, and nothing after it is told', async () => {
    const { lines, story, code } = await tell('GET /v1/toys');
    assert.deepEqual(lines['operation'], ['none: pets lists nothing at /v1/toys']);
    assert.deepEqual([code, story.reason, story.key, story.consumer], [1, 'no_operation', null, null]);
    assert.equal(lines['key'], undefined);
  });

  it('may be unlisted', async () => {
    const { lines, code } = await tell('GET /loose/b');
    assert.deepEqual(lines['operation'], ['none: loose lists nothing at /loose/b; unlisted requests are allowed']);
    assert.equal(code, 0);
    const method = await tell('PUT /loose/a');
    assert.deepEqual(method.lines['operation'], [
      'none: PUT is not listed here; GET /a is; unlisted requests are allowed',
    ]);
  });

  it('is unclear where a more lenient server would read another one', async () => {
    const { lines, story } = await tell('GET /v1/pets/MINE');
    assert.deepEqual(lines['operation'], ['unclear: a more lenient server would read another one (docs/requests.md)']);
    assert.deepEqual([story.reason, story.api?.name], ['invalid_path', 'pets']);
  });

  it('may need a plan, and cost more than one unit', async () => {
    const { lines, verdict } = await tell('POST /v1/pets');
    assert.deepEqual(lines['needs'], ['the plan gold, not free', '5 units of each quota']);
    assert.equal(verdict, 'refused: operation_not_in_plan');
    const put = await tell('PUT /v1/pets');
    assert.deepEqual(put.lines['quotas'], ['minute  2 of 3 used, 1 left, resets in 1 min']);
    assert.deepEqual(put.story.quotas[0]?.used, 2);
  });

  it('is for keys that have its scopes, on the APIs that they are for', async () => {
    const key = ['--header', 'x-api-key: narrow-secret-key', '--at', AT];
    const ask = (path: string) => tollgate(['explain', policy, '--request', `https://api.example.com${path}`, ...key]);
    const scope = await ask('/v1/pets/mine');
    assert.match(
      scope.out,
      /^ {2}key +found in header x-api-key; its id is narrow, for loose and pets only, with the scope none only$/m,
    );
    assert.match(scope.out, /^ {2}needs +the scope read:pets; missing: read:pets$/m);
    assert.match(scope.out, /^refused: missing_scope$/m);
    assert.match((await ask('/loose/a')).out, /^allowed$/m);
    assert.match((await ask('/other/a')).out, /^refused: api_not_allowed$/m);
  });

  it('may cost nothing', async () => {
    const { lines, story } = await tell('PUT /v1/health');
    assert.deepEqual([lines['operation'], lines['needs']], [['/health'], ['no units of any quota']]);
    assert.deepEqual([story.outcome, story.operation?.cost, story.quotas], ['allowed', 0, []]);
  });
});

describe('the lifecycle', () => {
  const deprecated =
    'the API is deprecated since 2026-01-01T00:00:00Z; to be gone on 2027-01-01T00:00:00Z, in 214 d; /v2 takes its place';

  it('of a deprecated API is told, with the headers that say so', async () => {
    const { lines, story, text } = await tell('GET /v1/pets');
    assert.deepEqual(lines['lifecycle'], [deprecated]);
    const says = { since: '2026-01-01T00:00:00Z', sunset: '2027-01-01T00:00:00Z', successor: '/v2' };
    assert.deepEqual(story.lifecycle, [{ of: 'API', is: 'deprecated', when: 'now', says }]);
    assert.match(text, /^ {2}sunset: Fri, 01 Jan 2027 00:00:00 GMT$/m);
    assert.ok(story.reply.headers.some(([name, value]) => name === 'deprecation' && value === '@1767225600'));
  });

  const decided: Record<string, [outcome: string, status: number | null, ...lines: string[]]> = {
    '/v1/gone retired': [
      'refused',
      410,
      deprecated,
      'the operation is retired since 2026-01-01T00:00:00Z; /new takes its place',
    ],
    '/v1/going allowed': [
      'allowed',
      null,
      deprecated,
      'the operation is to be retired on 2026-06-02T00:00:00Z, in 1 d',
    ],
    '/v1/fake mocked': ['answered', 404, deprecated, 'the operation is mocked: the policy answers with 404'],
    '/v1/moved/x redirected': ['answered', 307, deprecated, 'the operation redirects to /there with 307'],
    '/v1/closed maintenance': [
      'refused',
      503,
      deprecated,
      'the operation is under maintenance from 2026-01-01T00:00:00Z until 2026-06-01T02:00:00Z, for another 2 h',
    ],
    '/v1/soon allowed': [
      'allowed',
      null,
      deprecated,
      'the operation has maintenance from 2026-06-01T03:00:00Z: begins in 3 h',
    ],
    '/v1/open allowed': [
      'allowed',
      null,
      'the operation is deprecated from 2026-07-01T00:00:00Z',
      'the operation has maintenance until 2026-05-01T00:00:00Z: over',
    ],
    '/v1/files/beta mocked': ['answered', 200, deprecated, 'the route is mocked: the policy answers with 200'],
    '/past/a retired': ['refused', 410, 'the API is retired'],
  };
  for (const [what, [outcome, status, ...lines]] of Object.entries(decided)) {
    it(`is told: ${what}`, async () => {
      const [path, reason] = what.split(' ');
      const told = await tell(`GET ${path}`);
      assert.deepEqual(told.lines['lifecycle'], lines);
      assert.deepEqual([told.story.outcome, told.story.reason, told.story.reply.status], [outcome, reason, status]);
      assert.equal(told.code, outcome === 'refused' ? 1 : 0);
      assert.equal(told.verdict, outcome === 'allowed' ? 'allowed' : `${outcome}: ${reason}`);
    });
  }

  it('ends the story where it answers', async () => {
    const gone = await tell('GET /v1/gone');
    assert.deepEqual([gone.story.operation?.name, gone.story.key], ['GET/gone', null]);
    const past = await tell('GET /past/a');
    assert.deepEqual([past.story.operation, past.lines['operation'], past.story.key], [null, undefined, null]);
    const moved = await tell('GET /v1/moved/x?x-api-key=none&a=1');
    assert.ok(moved.story.reply.headers.some(([name]) => name === 'location'));
  });

  it('of a mock spends units, and no quota has refused it', async () => {
    const { lines } = await tell('GET /v1/fake');
    assert.deepEqual(lines['quotas'], ['minute  1 of 3 used, 2 left, resets in 1 min']);
  });
});

describe('cors', () => {
  const asks = (method: string, ...headers: string[]): string[] => [
    `access-control-request-method: ${method}`,
    ...headers.map((name) => `access-control-request-headers: ${name}`),
  ];

  it('is not told of a request without an origin', async () => {
    const { lines, story } = await tell('GET /v1/pets');
    assert.deepEqual([lines['cors'], story.cors], [undefined, { origin: null, isAllowed: false, preflight: null }]);
    assert.equal((await tell('GET /loose/a')).story.cors, null);
  });

  it('tells of an origin that is allowed, on refusals too, with the headers that are added', async () => {
    for (const path of ['/v1/pets', '/v1/gone', '/v1/nothing']) {
      const { lines, story } = await tell(`GET ${path}`, `origin: ${ORIGIN}`);
      assert.deepEqual(lines['cors'], [`pages of ${ORIGIN} may read the answer`], path);
      assert.deepEqual(story.cors, { origin: ORIGIN, isAllowed: true, preflight: null });
      assert.ok(story.reply.headers.some(([name]) => name === 'access-control-expose-headers'));
    }
  });

  it('tells of an origin that is not', async () => {
    const { lines, story, code } = await tell('GET /v1/pets', 'origin: https://evil.test');
    assert.deepEqual(lines['cors'], ['pages of https://evil.test may not read the answer: the origin is not listed']);
    assert.deepEqual([code, story.cors?.isAllowed], [0, false]);
    assert.deepEqual(
      story.reply.headers.filter(([name]) => name === 'vary' || name.startsWith('access-control')),
      [['vary', 'Origin']],
    );
  });

  it('answers a preflight, before anything else is looked at', async () => {
    const { lines, story, verdict, code } = await tell(
      'OPTIONS /v1/pets',
      `origin: ${ORIGIN}`,
      ...asks('PUT', 'X-Api-Key'),
    );
    assert.deepEqual(lines['cors'], [`pages of ${ORIGIN} may read the answer`, 'preflight for PUT: allowed']);
    assert.deepEqual(
      [verdict, code, story.outcome, story.reply.status],
      ['answered: preflight_answered', 0, 'answered', 204],
    );
    assert.deepEqual([story.key, story.operation, story.lifecycle], [null, null, []]);
  });

  it('refuses one, and says what is not listed', async () => {
    const { lines, story, code } = await tell(
      'OPTIONS /v1/pets',
      `origin: ${ORIGIN}`,
      ...asks('PATCH', 'x-api-key, X-Foo,x-foo', 'x-bar'),
    );
    assert.deepEqual(
      lines['cors']?.[1],
      'preflight for PATCH: refused; not listed: the method PATCH, the header x-foo, the header x-bar',
    );
    assert.deepEqual([code, story.outcome, story.reason], [1, 'refused', 'preflight_refused']);
    const evil = await tell('OPTIONS /v1/pets', 'origin: https://evil.test', ...asks('GET'));
    assert.deepEqual(evil.lines['cors'], [
      'pages of https://evil.test may not read the answer: the origin is not listed',
      'preflight: refused',
    ]);
  });
});

describe('what is only observed', () => {
  const observed = POLICY.replace('policy: shop', 'policy: shop\nmode: observe');
  const tellObserved = async (
    request: string,
    ...headers: readonly string[]
  ): Promise<readonly [Story, string, number]> => {
    const file = join(folder, 'observed.policy.yaml');
    await writeFile(file, observed);
    const args = ['explain', file, '--request', request, ...headers.flatMap((one) => ['--header', one]), '--at', AT];
    const json = await tollgate([...args, '--json']);
    return [JSON.parse(json.out) as Story, (await tollgate(args)).out, json.code];
  };

  it('passes, and is told with the reason for which it would be refused', async () => {
    const [story, text, code] = await tellObserved('PUT https://api.example.com/v1/pets/7', `x-api-key: ${KEY}`);
    assert.deepEqual([story.outcome, story.isObserved, story.reason, code], ['allowed', true, 'method_not_allowed', 0]);
    assert.match(text, /^allowed: would be refused, if that were not only observed: method_not_allowed$/m);
    assert.equal(story.operation?.atPath.length, 2);
    assert.deepEqual(story.key, { places: ['header x-api-key'], id: 'a1', apis: null, scopes: null });
  });

  it('has its quotas, which no answer names', async () => {
    const [story, text] = await tellObserved('GET https://api.example.com/v1/pets', `x-api-key: ${KEY}`);
    assert.deepEqual([story.isObserved, story.reason], [false, 'allowed']);
    assert.deepEqual(story.quotas, [
      { name: 'minute', limit: 3, windowSeconds: 60, isObserved: true, used: 1, remaining: 2, resetSeconds: 60 },
    ]);
    assert.match(text, /^ {2}quotas {4} minute {2}1 of 3 used, 2 left, resets in 1 min; only observed$/m);
  });

  it('has the route that nobody gets, and conditions on plans and consumers that do not hold', async () => {
    const routed = observed.replace(
      'routes:',
      `routes:
      - { name: acme, when: { consumers: [acme] }, upstream: v1 }
      - { name: free, when: { plans: [free] }, upstream: v1 }`,
    );
    const file = join(folder, 'routed.policy.yaml');
    await writeFile(
      file,
      routed.replace(`digest: '${digest(KEY)}'`, `digest: '${digest(KEY)}', until: 2026-05-01T00:00:00Z`),
    );
    const args = ['explain', file, '--request', 'https://api.example.com/v1/pets', '--header', `x-api-key: ${KEY}`];
    const { route, reason, consumer } = JSON.parse((await tollgate([...args, '--at', AT, '--json'])).out) as Story;
    assert.deepEqual([reason, consumer, route?.name], ['expired_api_key', 'acme', 'pets/default']);
    assert.deepEqual(route?.passedOver.slice(0, 2), [
      { name: 'acme', condition: 'consumer is acme' },
      { name: 'free', condition: 'plan is free' },
    ]);
  });

  it('is summed up as refused, and said to be only observed', async () => {
    const file = join(folder, 'observed.policy.yaml');
    await writeFile(file, observed);
    const lines = Array.from({ length: 5 }, (_, second) =>
      JSON.stringify({
        time: `2026-06-01T00:00:0${second}Z`,
        method: 'GET',
        path: '/v1/pets',
        host: 'api.example.com',
        consumer: 'acme',
      }),
    );
    const { out } = await tollgate(['explain', file, '--from', '-'], { stdin: `${lines.join('\n')}\n` });
    assert.match(out, /^ {2}refused {2}2 {2}40\.0 %, 2 of them passed then, 2 only observed$/m);
    assert.match(out, /^ {2}quota_exceeded listPets minute +1 +2 +line 4: /m);
  });
});
