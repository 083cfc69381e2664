import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Story } from '../../scripts/explain/story.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { tollgate, type Run } from './fakeIo.ts';

const KEY = 'acme-secret-key';
const OTHER = 'rich-secret-key';
const AT = '2026-01-15T12:00:00Z';

function digest(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

const POLICY = `
policy: shop
keySources: [{ header: x-api-key }, { authorization: Bearer }, { query: api_key }, { cookie: api_key }]
upstreams: { v1: { url: 'http://127.0.0.1:9001' }, v2: { url: 'http://127.0.0.1:9002' } }
apis:
  pets:
    hosts: [api.example.com]
    paths: [/v1]
    plans: [free, gold]
    upstream: v1
    routes:
      - { name: write, when: { methods: [POST, PUT], headers: { x-canary: { present: true } } }, upstream: v2 }
      - name: next
        when: { path: /v1/next, headers: { x-api-version: '2' }, plans: [gold] }
        upstream: v2
        setHeaders: { x-stage: next }
        removeHeaders: [x-api-version]
        rewritePrefix: /v2
  open:
    hosts: [api.example.com]
    paths: [/open]
    anonymous: allow
    plans: []
    upstream: v1
    routes: [{ name: head, when: { methods: [HEAD] } , upstream: v2 }]
plans:
  free: { quotas: { hourly: { limit: 2, window: hour }, mesh: { limit: 10, window: day, scope: mesh } } }
  gold: {}
rateLimitService: { cluster: ratelimit }
consumers:
  acme: { plan: free, keys: [{ id: acme-1, digest: '${digest(KEY)}' }] }
  rich:
    subscriptions: { pets: { plan: gold } }
    keys: [{ id: rich-1, digest: '${digest(OTHER)}', until: 2026-06-01T00:00:00Z }]
  none: { keys: [{ id: none-1, digest: '${digest('none-secret-key')}' }] }
`;

let folder = '';
let policy = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-explain-'));
  policy = join(folder, 'shop.policy.yaml');
  await writeFile(policy, POLICY);
});
after(() => rm(folder, { recursive: true, force: true }));

function explained(request: string, headers: readonly string[] = [], at = AT): Promise<Run> {
  return tollgate([
    'explain',
    policy,
    '--request',
    request,
    ...headers.flatMap((one) => ['--header', one]),
    '--at',
    at,
  ]);
}

async function story(request: string, headers: readonly string[] = [], at = AT): Promise<Story> {
  const args = headers.flatMap((one) => ['--header', one]);
  const { out, code } = await tollgate(['explain', policy, '--request', request, ...args, '--at', at, '--json']);
  const told = JSON.parse(out) as Story;
  assert.equal(code, told.outcome === 'allowed' ? 0 : 1);
  return told;
}

it('a bucket of the subscription is told with its rate and size', async () => {
  const file = join(folder, 'bucket.policy.yaml');
  await writeFile(
    file,
    `policy: shop
apis: { pets: { paths: [/v1], plans: [free], mock: { status: 200 } } }
plans: { free: { quotas: { smooth: { limit: 5, window: second, burst: 10 }, hourly: { limit: 9, window: hour, warnAt: [10] } } } }
consumers:
  acme:
    subscriptions: { pets: { plan: free, limits: { smooth: { limit: 2, burst: 3 }, hourly: 4 } } }
    keys: [{ id: k, digest: "${digest(KEY)}" }]
`,
  );
  const args = ['explain', file, '--request', 'https://a.test/v1', '--header', `x-api-key: ${KEY}`, '--at', AT];
  const { out } = await tollgate(args);
  assert.match(
    out,
    /free, by the subscription to pets, with limits of its own: hourly 4, smooth 2 with a burst of 3\n/,
  );
  assert.match(out, /ratelimit-warning: "hourly";p=10/);
  const { plan, quotas } = JSON.parse((await tollgate([...args, '--json'])).out) as Story;
  assert.deepEqual(plan?.limits, { hourly: 4, smooth: { limit: 2, burst: 3 } });
  assert.deepEqual(
    quotas.map(({ name, limit }) => [name, limit]),
    [
      ['smooth', 3],
      ['hourly', 4],
    ],
  );
});

describe('an allowed request', () => {
  it('is told from its path to the answer', async () => {
    const { code, out, err } = await explained('GET https://API.example.com./v1//pets/%37?q=1', [`x-api-key: ${KEY}`]);
    assert.deepEqual({ code, err }, { code: 0, err: '' });
    assert.equal(
      out,
      `GET API.example.com./v1//pets/%37 at 2026-01-15T12:00:00.000Z

  path       /v1/pets/7; sent as /v1//pets/%37
  host       api.example.com
  API        pets: api.example.com; /v1
  key        found in header x-api-key; its id is acme-1
  consumer   acme
  plan       free, the consumer's own plan, which pets offers
  quotas     hourly  1 of 2 used, 1 left, resets in 1 h
             mesh    1 of 10 used, 9 left, resets in 12 h
  route      pets/default: the API's own
             not write: does not hold: method is POST or PUT
             not next: does not hold: path is under /v1/next
  headers    set :authority: api.example.com
             set :path: /v1/pets/%37
             set x-tollgate-consumer: acme
             set x-tollgate-plan: free
             set x-tollgate-route: pets/default
             removed x-api-key
  upstream   v1: GET api.example.com/v1/pets/%37

allowed
  the upstream's answer, with
  ratelimit-policy: "hourly";q=2;w=3600, "mesh";q=10;w=86400
  ratelimit: "hourly";r=1;t=3600, "mesh";r=9;t=43200
`,
    );
  });

  it('has the conditions of its route, and those of routes before it that do not hold', async () => {
    const told = await story('PUT https://api.example.com/v1/next/a', ['x-api-version: 1, 2', `x-api-key: ${OTHER}`]);
    assert.deepEqual(told.route, {
      name: 'pets/next',
      conditions: ['path is under /v1/next', 'plan is gold', 'header x-api-version is "2"'],
      passedOver: [{ name: 'write', condition: 'header x-canary is present' }],
      morePassedOver: 0,
    });
    assert.deepEqual(told.upstream, { name: 'v2', method: 'PUT', host: 'api.example.com', path: '/v2/a' });
    assert.deepEqual([...told.headers.removed].sort(), ['x-api-key', 'x-api-version']);
    assert.ok(told.headers.set.some(({ name, value }) => name === 'x-stage' && value === 'next'));
    assert.equal(told.plan?.through, 'subscription');
  });

  it('may be nobody’s where the API lets that pass', async () => {
    const told = await story('https://api.example.com/open/x');
    assert.deepEqual([told.reason, told.consumer, told.plan, told.key?.places], ['anonymous', null, null, []]);
    assert.deepEqual(told.route?.passedOver, [{ name: 'head', condition: 'method is HEAD' }]);
    const { route } = await story('HEAD https://api.example.com/open/x');
    assert.deepEqual([route?.name, route?.conditions], ['open/head', ['method is HEAD']]);
  });
});

describe('a refused request', () => {
  it('has the reply with its body, and where the decision ended', async () => {
    const { code, out } = await explained('GET https://api.example.com/v1');
    assert.equal(code, 1);
    assert.match(out, /^ {2}key {8}none found in any key source$/m);
    assert.match(out, /\nrefused: missing_api_key\n {2}HTTP 401\n {2}content-type: application\/problem\+json\n/);
    assert.match(out, /^ {2}\{"type":"urn:tollgate:reason:missing_api_key".*\}\n$/m);
    assert.doesNotMatch(out, /upstream|route|plan {3}/);
  });

  const refusals: Record<string, [string, string[], string?]> = {
    no_api: ['https://api.example.com/v2', []],
    invalid_path: ['https://api.example.com/v1/%2f', [`x-api-key: ${KEY}`]],
    invalid_host: ['https://a..b/v1', []],
    unknown_api_key: ['https://api.example.com/v1', ['x-api-key: nobody-secret-key']],
    malformed_api_key: ['https://api.example.com/v1', ['x-api-key: a secret key']],
    expired_api_key: ['https://api.example.com/v1', [`x-api-key: ${OTHER}`], '2026-06-01T00:00:00Z'],
    not_subscribed: ['https://api.example.com/v1', ['x-api-key: none-secret-key']],
  };
  for (const [reason, [request, headers, at]] of Object.entries(refusals)) {
    it(`is told as ${reason}`, async () => assert.equal((await story(request, headers, at)).reason, reason));
  }

  it('says which plans would do', async () => {
    const { out } = await explained('https://api.example.com/v1', ['x-api-key: none-secret-key']);
    assert.match(out, /none: none has no plan of its own and no subscription to pets, which offers free, gold/);
  });
});

describe('the key', () => {
  const places: Record<string, [string, string[]]> = {
    'header x-api-key': ['', [`x-api-key: ${KEY}`]],
    'header authorization, scheme Bearer': ['', [`authorization: Basic abc, bearer ${KEY}`]],
    'query parameter api_key': [`?a=1&api_key=${KEY}`, []],
    'cookie api_key': ['', [`cookie: a=b; api_key=${KEY}`]],
  };
  for (const [place, [query, headers]] of Object.entries(places)) {
    it(`is found in its place and printed nowhere: ${place}`, async () => {
      const url = `https://api.example.com/v1/pets${query}`;
      assert.deepEqual((await story(url, headers)).key, { places: [place], id: 'acme-1', apis: null, scopes: null });
      for (const extra of [[], ['--json']]) {
        for (const path of [url, url.replace('/v1', '/v9')]) {
          const args = ['explain', policy, '--request', path, ...headers.flatMap((one) => ['--header', one]), ...extra];
          const { out, err } = await tollgate(args);
          assert.ok(!`${out}${err}`.includes(KEY) && out !== '', out);
        }
      }
    });
  }

  it('stays unsaid where two differ', async () => {
    const told = await story(`https://api.example.com/v1?api_key=${OTHER}`, [`x-api-key: ${KEY}`]);
    assert.deepEqual(told.key, {
      places: ['header x-api-key', 'query parameter api_key'],
      ...{ id: null, apis: null, scopes: null },
    });
    assert.equal(told.reason, 'ambiguous_api_key');
    assert.ok(!JSON.stringify(told).includes('secret'));
  });

  it('is read from a file and from standard input, so that no list of processes has it', async () => {
    const file = join(folder, 'headers.txt');
    await writeFile(file, `\uFEFFx-api-version: 2\r\n\r\nx-api-key: ${KEY}\r\n`);
    assert.equal((await story('https://api.example.com/v1', [`@${file}`])).consumer, 'acme');
    const { out } = await tollgate(['explain', policy, '--request', 'https://api.example.com/v1', '--header', '@-'], {
      stdin: `x-api-key: ${KEY}`,
    });
    assert.match(out, /consumer {3}acme/);
  });

  it('is in no error', async () => {
    const file = join(folder, 'bad.txt');
    await writeFile(file, `x: 1\n${KEY}\n`);
    const wrong: [string[], RegExp][] = [
      [['--request', `GET https://a/?k=${KEY} x`], /--request must be 'METHOD https:/],
      [['--request', `https://u:${KEY}@a/`], /must not hold a user name or password/],
      [['--request', `/v1?k=${KEY}`], /names no host/],
      [['--request', 'https://a/', '--header', KEY], /--header must be 'NAME: VALUE'/],
      [['--request', 'https://a/', '--header', `x: ${KEY}\ny: z`], /--header must have a value on one line/],
      [['--request', 'https://a/', '--header', `@${file}`], /bad\.txt:2: a header must be 'NAME: VALUE'/],
      [['--request', 'https://a/', '--header', 'x-api-key:', KEY], /takes one POLICY; found 2 arguments/],
      [
        ['--request', 'https://a/', '--header', `x: ${KEY.repeat(5000)}`],
        /at most 100 headers?|headers must be at most 100/,
      ],
    ];
    for (const [args, message] of wrong) {
      const { code, out, err } = await tollgate(['explain', policy, ...args]);
      assert.deepEqual([code, out], [2, '']);
      assert.match(err, message);
      assert.match(err, /; see tollgate explain --help\n$/);
      assert.ok(!err.includes(KEY), err);
    }
  });
});

describe('wrong usage', () => {
  const wrong: Record<string, string[]> = {
    'takes one POLICY; found 0 arguments': [],
    'needs either --request, or --from and an access log': ['p.yaml'],
    '- may stand once only: standard input is read once': ['-', '--from', '-'],
    '--as, --host and --exit-code go with --from': ['p.yaml', '--request', 'https://a/', '--as', 'acme'],
    '--header and --at go with --request': ['p.yaml', '--from', 'x', '--at', AT],
    '--at must be a time such as 2026-01-31T00:00:00Z, from 1970 to 2199': [
      'p.yaml',
      '--request',
      'https://a/',
      '--at',
      'noon',
    ],
  };
  for (const [message, args] of Object.entries(wrong)) {
    it(message, async () => {
      assert.deepEqual(await tollgate(['explain', ...args]), {
        code: 2,
        out: '',
        err: `tollgate explain: ${message}; see tollgate explain --help\n`,
      });
    });
  }

  it('bounds times to those that the module can hold', async () => {
    for (const at of ['1969-12-31T23:59:59Z', '2200-01-01T00:00:00Z', '9999-12-31T23:59:59Z', '2026-02-30T00:00:00Z'])
      assert.equal((await explained('https://api.example.com/v1', [], at)).code, 2, at);
    assert.equal(
      (await story('https://api.example.com/v1', [], '2199-12-31T23:59:59.999Z')).at,
      '2199-12-31T23:59:59.999Z',
    );
  });

  it('of a policy with problems names them, as check does', async () => {
    const { code, err } = await tollgate(['explain', '-', '--request', 'https://a/'], {
      stdin: 'policy: x\nplan: {}\n',
    });
    assert.equal(code, 1);
    assert.match(err, /^standard input:2:1: unknown field "plan"/);
  });
});

it('what a client sends steers no terminal', async () => {
  for (const extra of [[], ['--json']]) {
    const { out } = await tollgate([
      ...['explain', policy, '--request', 'GET https://api.example.com/v1/\u001b[31m\u009b/é', ...extra],
      ...['--header', `x-api-key: ${KEY}`],
    ]);

    assert.match(out, /^[\n\x20-\x7e]+$/);
  }
});

it('the example policy is explained too', async () => {
  const example = inPackage('examples', 'petstore.policy.yaml');
  const { code, out } = await tollgate(['explain', example, '--request', 'https://any.host/v1']);
  assert.equal(code, 1);
  assert.match(out, /refused: missing_api_key/);
});
