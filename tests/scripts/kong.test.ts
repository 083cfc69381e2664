import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestKey } from '../../scripts/key/key.ts';
import { validPolicy, type Policy } from '../../scripts/policy/index.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';
import { tollgate } from './fakeIo.ts';

const folder = scratchFolder();

interface Made {
  readonly policy: Policy;
  /** `POINTER: RULE` of each loss and each note. */
  readonly losses: readonly string[];
  readonly notes: readonly string[];
  readonly text: string;
}

/** The policy that is made of a document, and what is said about it. */
async function made(document: object | string): Promise<Made> {
  const content = typeof document === 'string' ? document : JSON.stringify({ _format_version: '3.0', ...document });
  const file = scratchFile(folder, content, 'kong.yaml');
  const { code, out, err } = await tollgate(['import', 'kong', file, '--json']);
  assert.equal(code, 0, err);
  const {
    policy: text,
    losses,
    details,
  } = JSON.parse(out) as {
    policy: string;
    losses: { pointer: string; rule: string }[];
    details: { pointer: string; rule: string }[];
  };
  const { policy } = validPolicy(text, 'policy.yaml');
  const said = (list: typeof losses): string[] => list.map(({ pointer, rule }) => `${pointer}: ${rule}`);
  return { policy, text, losses: said(losses), notes: said(details) };
}

function withRoute(route: object, more: object = {}, service: object = {}): object {
  return {
    services: [{ name: 'orders', host: 'orders.internal', routes: [{ name: 'orders', ...route }], ...service }],
    ...more,
  };
}

const DOCUMENT = `
_format_version: "3.0"
services:
  - name: orders
    url: http://orders.internal:8080/api
    plugins:
      - { name: acl, config: { allow: [gold, free] } }
      - { name: rate-limiting, config: { minute: 100, policy: local } }
    routes:
      - name: orders
        hosts: [api.example.com]
        paths: [/orders]
  - name: status
    host: status.internal
    routes:
      - { name: status, paths: [/status], strip_path: false }
plugins:
  - name: key-auth
    service: orders
    config: { key_names: [x-api-key], key_in_query: false, hide_credentials: true }
consumers:
  - username: acme
    acls: [{ group: gold }]
    keyauth_credentials: [{ key: key-of-acme }]
    plugins: [{ name: rate-limiting, config: { minute: 500 } }]
  - username: ben
    acls: [{ group: free }]
    keyauth_credentials: [{ key: key-of-ben, id: 5f2b0a3e-0000-4000-8000-000000000001 }]
`;

test('a document becomes a commented policy, formatted as any other', async () => {
  const file = scratchFile(folder, DOCUMENT, 'shop.kong.yaml');
  const { code, out, err } = await tollgate(['import', 'kong', file]);
  assert.equal(code, 0);
  assert.equal(
    out
      .replace(/^#.*\n/gm, '')
      .replace(/\n{2,}/g, '\n')
      .trimStart(),
    `policy: shop
keySources:
  - header: x-api-key
upstreams:
  orders: { url: "http://orders.internal:8080" }
  status: { url: "http://status.internal:80" }
apis:
  orders:
    hosts: [api.example.com]
    paths: [/orders]
    plans: [gold-acme, free]
    upstream: orders
    routes:
      - name: orders
        when:
          path: /orders
        rewritePrefix: /api
  status:
    paths: [/status]
    plans: [gold-acme, free]
    anonymous: allow
    upstream: status
    unlisted: deny
    operations:
      /: { cost: 0 }
      /{path...}: { cost: 0 }
plans:
  gold-acme:
    quotas:
      per-minute: { limit: 500, window: minute }
  free:
    quotas:
      per-minute: { limit: 100, window: minute, per: api }
consumers:
  acme:
    plan: gold-acme
    keys:
      - id: ${digestKey('key-of-acme').slice(7, 17)}
        digest: ${digestKey('key-of-acme')}
  ben:
    plan: free
    keys:
      - id: 5f2b0a3e-0000-4000-8000-000000000001
        digest: ${digestKey('key-of-ben')}
`,
  );
  assert.equal(
    err,
    `${file}: #/services/0/routes/0/paths/0: note: covers whole segments: "/v1" is not "/v10", which Kong takes too
${file}: #/services/1/routes/0/paths/0: note: covers whole segments: "/v1" is not "/v10", which Kong takes too
${file}: Kong's format 3.0: 2 APIs, 2 plans, 2 consumers, 2 keys\n`,
  );
  const policy = scratchFile(folder, out);
  assert.match((await tollgate(['check', policy])).out, /valid/);
  assert.equal((await tollgate(['fmt', '--check', policy])).code, 0);
});

test('nested and flat, by name and by id, it is the same policy', async () => {
  const flat = {
    services: [{ id: 'a1', name: 'orders', host: 'orders.internal' }],
    routes: [{ name: 'orders', service: 'orders', paths: ['/orders'], strip_path: false }],
    consumers: [{ id: 'c1', username: 'acme' }],
    consumer_groups: [{ id: 'g1', name: 'pro' }],
    keyauth_credentials: [{ consumer: { id: 'c1' }, key: 'key-of-acme' }],
    acls: [{ consumer: 'acme', group: 'gold' }],
    consumer_group_consumers: [{ consumer: 'acme', consumer_group: 'pro' }],
    consumer_group_plugins: [{ consumer_group: 'g1', name: 'rate-limiting', config: { minute: 9 } }],
    plugins: [
      { name: 'key-auth', service: { name: 'orders' } },
      { name: 'acl', route: 'orders', config: { allow: ['gold'] } },
    ],
  };
  const nested = {
    services: [
      {
        name: 'orders',
        host: 'orders.internal',
        plugins: [{ name: 'key-auth' }],
        routes: [
          {
            name: 'orders',
            paths: ['/orders'],
            strip_path: false,
            plugins: [{ name: 'acl', config: { allow: ['gold'] } }],
          },
        ],
      },
    ],
    consumer_groups: [{ name: 'pro', plugins: [{ name: 'rate-limiting', config: { minute: 9 } }] }],
    consumers: [
      {
        username: 'acme',
        keyauth_credentials: [{ key: 'key-of-acme' }],
        acls: [{ group: 'gold' }],
        groups: [{ name: 'pro' }],
      },
    ],
  };
  const [one, other] = [await made(flat), await made(nested)];
  assert.deepEqual(one.policy, other.policy);
  assert.deepEqual(one.policy.plans['pro-gold'], {
    quotas: { 'per-minute': { limit: 9, window: 'minute', per: 'consumer', scope: 'envoy' } },
  });
});

test('what decK fills in is filled in: defaults, and configs that plugins share', async () => {
  const { policy } = await made({
    _info: { defaults: { route: { strip_path: false }, service: { port: 8080 } } },
    _plugin_configs: { slow: { minute: 3, policy: 'local' } },
    ...withRoute({ paths: ['/orders'], plugins: [{ name: 'rate-limiting', _config: 'slow' }, { name: 'key-auth' }] }),
    consumers: [{ username: 'acme' }],
  });
  assert.deepEqual(policy.upstreams, { orders: { url: 'http://orders.internal:8080' } });
  assert.deepEqual(policy.apis['orders']!.routes, []);
  assert.equal(policy.plans['default']!.quotas['per-minute']!.limit, 3);
});

test('what Kong speaks to a service, an upstream speaks', async () => {
  const urlOf = async (service: object): Promise<string | undefined> => {
    const { policy } = await made({ services: [{ name: 'orders', routes: [{ paths: ['/orders'] }], ...service }] });
    return policy.upstreams['orders']?.url;
  };
  assert.equal(await urlOf({ url: 'https://orders.internal' }), 'https://orders.internal:443');
  assert.equal(await urlOf({ protocol: 'grpc', host: 'orders.internal', port: 50051 }), 'h2c://orders.internal:50051');
  assert.equal(await urlOf({ protocol: 'grpcs', host: 'orders.internal' }), 'https://orders.internal:443');
});

const AUTH = { plugins: [{ name: 'key-auth', config: { hide_credentials: true } }] };

/** A document, and what is lost of it. */
const LOSSES: readonly (readonly [what: string, document: object, losses: readonly string[]])[] = [
  [
    'a regular expression that is a template',
    withRoute({ paths: ['~/v1/pets/(?<id>\\d+)$'] }),
    [
      '#/services/0/routes/0/paths/0: is made a template, whose variables take any segment; found "~/v1/pets/(?<id>\\d+)$"',
      '#/services/0/routes/0/strip_path: is not done: what a regular expression matches stays in the path',
    ],
  ],
  [
    'a regular expression that is none',
    withRoute({ paths: ['/orders', '~/(a|b)+/x'], strip_path: false }),
    [
      '#/services/0/routes/0/paths/1: is left out: a policy has prefixes of whole segments, and templates of operations; write which of them it stands for; found "~/(a|b)+/x"',
    ],
  ],
  [
    'a path with a slash at its end',
    withRoute({ paths: ['/orders/'], strip_path: false }),
    ['#/services/0/routes/0/paths/0: covers "/orders" too: a slash at the end makes no difference'],
  ],
  [
    'a wildcard at the end of a host',
    withRoute({ hosts: ['example.*', 'a.test'] }),
    ['#/services/0/routes/0/hosts/0: is left out: a wildcard stands at the beginning of a host only; name each host'],
  ],
  [
    'a host with a port',
    withRoute({ hosts: ['a.test:8443'] }),
    ['#/services/0/routes/0/hosts/0: is taken without its port: hosts of a policy have none'],
  ],
  [
    'names of TLS',
    withRoute({ paths: ['/'], snis: ['a.test'] }),
    ['#/services/0/routes/0/snis: is not looked at: the listener chooses by the name in the TLS handshake'],
  ],
  [
    'https only',
    withRoute({ paths: ['/'], protocols: ['https'] }),
    ["#/services/0/routes/0/protocols: is not looked at: which of http and https is served is the listener's business"],
  ],
  [
    'other sources',
    withRoute(
      { paths: ['/'] },
      { routes: [{ name: 'inner', service: 'orders', paths: ['/x'], sources: [{ ip: '10.0.0.0/8' }] }] },
    ),
    ['#/routes/0/sources: the route is left out: a policy does not look at addresses'],
  ],
  [
    'keys in bodies',
    withRoute({
      paths: ['/'],
      strip_path: false,
      plugins: [{ name: 'key-auth', config: { key_in_body: true, hide_credentials: true } }],
    }),
    ['#/services/0/routes/0/plugins/0/config/key_in_body: keys in bodies are not found: callers send them in a header'],
  ],
  [
    'keys of routes that share paths, here in one header and there in another, kept and hidden',
    withRoute(
      {
        paths: ['/'],
        methods: ['GET'],
        strip_path: false,
        plugins: [{ name: 'key-auth', config: { key_names: ['x-a'], hide_credentials: true } }],
      },
      {
        routes: [
          {
            name: 'b',
            service: 'orders',
            paths: ['/'],
            methods: ['PUT'],
            strip_path: false,
            plugins: [{ name: 'key-auth', config: { key_names: ['x-b'] } }],
          },
        ],
      },
    ),
    [
      '#/services/0/routes/0/plugins/0/config/key_names: routes that share paths look for keys in the places of all of them',
      '#/routes/0/plugins/0/config/key_names: routes that share paths look for keys in the places of all of them',
      '#/routes/0/plugins/0/config/hide_credentials: the key is taken off requests here too, as on the routes that share paths with this one',
    ],
  ],
  [
    'a counter in Redis, by credential',
    withRoute(
      {
        paths: ['/'],
        plugins: [
          {
            name: 'rate-limiting',
            config: { hour: 5, policy: 'redis', limit_by: 'credential', fault_tolerant: false },
          },
        ],
      },
      { ...AUTH, consumers: [{ username: 'a' }] },
    ),
    [
      '#/services/0/routes/0/plugins/0/config/limit_by: is counted by consumer: all keys of one share the limit',
      '#/services/0/routes/0/plugins/0/config/policy: is counted by each Envoy for itself: for one count of all, add a rateLimitService to the policy, and "scope: mesh" to the quota',
    ],
  ],
  [
    'a limit by address',
    withRoute(
      { paths: ['/'], plugins: [{ name: 'rate-limiting', config: { hour: 5, limit_by: 'ip' } }] },
      { ...AUTH, consumers: [{ username: 'a' }] },
    ),
    [
      '#/services/0/routes/0/plugins/0/config/limit_by: no quota is made of it: it counts by address, whoever calls; a quota that is "per: address" counts the addresses of each consumer apart',
    ],
  ],
  [
    'a limit where nobody is known',
    withRoute({ paths: ['/'], plugins: [{ name: 'rate-limiting', config: { hour: 5 } }] }),
    ['#/services/0/routes/0/plugins/0: does not count requests without a key: Envoy has local rate limits for them'],
  ],
  [
    'sliding windows',
    withRoute(
      {
        paths: ['/'],
        plugins: [{ name: 'rate-limiting-advanced', config: { limit: [5, 9], window_size: [30, 3600] } }],
      },
      { ...AUTH, consumers: [{ username: 'a' }] },
    ),
    [
      '#/services/0/routes/0/plugins/0/config/window_type: is counted in fixed windows: around the end of one, twice the limit can pass',
    ],
  ],
  [
    'another way to know callers',
    withRoute({ paths: ['/'], plugins: [{ name: 'jwt' }] }),
    ['#/services/0/routes/0/plugins/0: "jwt" is not checked: callers need a key of a consumer instead'],
  ],
  [
    'plugins that nothing here is like',
    withRoute({
      paths: ['/'],
      plugins: [{ name: 'ip-restriction' }, { name: 'request-transformer' }, { name: 'our-own' }],
    }),
    [
      `#/services/0/routes/0/plugins/0: "ip-restriction" is not taken over, so what it refuses passes: Envoy's RBAC filter looks at addresses`,
      '#/services/0/routes/0/plugins/1: "request-transformer" is not taken over: a route may set and remove headers (setHeaders, removeHeaders, rewritePrefix)',
      '#/services/0/routes/0/plugins/2: "our-own" is not taken over: a policy has nothing like it',
    ],
  ],
  [
    'keys that nobody can read yet, and other credentials',
    withRoute(
      { paths: ['/'] },
      {
        ...AUTH,
        consumers: [
          {
            username: 'a',
            keyauth_credentials: [
              { key: '{vault://env/key}' },
              { key: '${{ env "DECK_KEY" }}' },
              {},
              { key: 12 },
              { key: 'with space' },
            ],
            jwt_secrets: [{ key: 'x', secret: 'y' }],
          },
        ],
      },
    ),
    [
      ...[0, 1].map(
        (index) =>
          `#/consumers/0/keyauth_credentials/${index}/key: is left out: it is filled in from a vault or the environment when Kong gets it; "tollgate keys import" takes keys in bulk`,
      ),
      '#/consumers/0/keyauth_credentials/2/key: is left out: there is no key, so Kong makes one; "tollgate keys issue" does too',
      '#/consumers/0/keyauth_credentials/3/key: is left out: it must be a string; in YAML, digits alone need quotes',
      '#/consumers/0/keyauth_credentials/4/key: is left out: a key holds printable ASCII characters only, without spaces',
      '#/consumers/0/jwt_secrets: are not taken over: callers need a key',
    ],
  ],
  [
    'references to nothing, and names given twice',
    withRoute(
      { paths: ['/'] },
      {
        plugins: [{ name: 'key-auth', route: 'lost' }],
        consumers: [{ username: 'a' }, { username: 'a' }],
        acls: [{ consumer: 'z', group: 'g' }],
      },
    ),
    [
      '#/consumers/1: is left out: another consumer has the same name',
      '#/plugins/0/route: names no route of the document',
      '#/acls/0/consumer: names no consumer of the document',
    ],
  ],
  [
    'an anonymous consumer',
    withRoute(
      { paths: ['/'], plugins: [{ name: 'key-auth', config: { anonymous: 'guest', hide_credentials: true } }] },
      { consumers: [{ username: 'guest' }] },
    ),
    [
      '#/services/0/routes/0/plugins/0/config/anonymous: requests without a key pass; with a wrong one they get 401, and Kong lets them pass too',
    ],
  ],
];

for (const [what, document, losses] of LOSSES) {
  test(`says what is lost of ${what}`, async () => {
    const result = await made(document);
    assert.deepEqual(result.losses, losses);
  });
}

test('each API has the places of its keys: the policy those of most', async () => {
  const service = (name: string, config: object): object => ({
    name,
    host: `${name}.internal`,
    plugins: [{ name: 'key-auth', config }],
    routes: [{ name, paths: [`/${name}`], strip_path: false }],
  });
  const { policy, losses } = await made({
    services: [
      service('old', { key_names: ['token'], key_in_header: false }),
      service('pets', { key_names: ['X-Key'], key_in_query: false, hide_credentials: true }),
      service('orders', { key_names: ['X-Key'], key_in_query: false, hide_credentials: true }),
      service('bare', { key_names: ['authorization'], key_in_query: false, hide_credentials: true }),
    ],
  });
  assert.deepEqual(losses, []);
  const places = Object.entries(policy.apis).map(([name, { keySources, forwardKey }]) => ({
    name,
    keySources,
    forwardKey,
  }));
  assert.deepEqual([policy.keySources, policy.forwardKey], [[{ header: 'x-key' }], false]);
  assert.deepEqual(
    places.sort((a, b) => (a.name < b.name ? -1 : 1)),
    [
      { name: 'bare', keySources: [{ authorization: 'none' }], forwardKey: undefined },
      { name: 'old', keySources: [{ query: 'token' }], forwardKey: true },
      { name: 'orders', keySources: undefined, forwardKey: undefined },
      { name: 'pets', keySources: undefined, forwardKey: undefined },
    ],
  );
});

test('an anonymous consumer that is turned away lets nobody in without a key', async () => {
  const { policy, losses } = await made(
    withRoute(
      { paths: ['/'], plugins: [{ name: 'key-auth', config: { anonymous: 'guest', hide_credentials: true } }] },
      { consumers: [{ username: 'guest', plugins: [{ name: 'request-termination', config: { status_code: 401 } }] }] },
    ),
  );
  assert.equal(policy.apis['orders']!.anonymous, 'deny');
  assert.deepEqual(losses, ['#/consumers/0/plugins/0: the consumer is refused with 403']);
});

test('an anonymous consumer of one plugin opens nothing that another one asks for', async () => {
  const guest = { anonymous: 'guest', hide_credentials: true };
  for (const [config, anonymous] of [
    [{}, 'deny'],
    [{ anonymous: 'guest' }, 'allow'],
  ] as const) {
    const plugins = [
      { name: 'key-auth', config: guest },
      { name: 'jwt', config },
    ];
    const { policy } = await made(withRoute({ paths: ['/'], plugins }, { consumers: [{ username: 'guest' }] }));
    assert.equal(policy.apis['orders']!.anonymous, anonymous);
  }
});

test('a group that is turned away gets in nowhere', async () => {
  const { policy } = await made(
    withRoute(
      { paths: ['/'] },
      {
        ...AUTH,
        consumer_groups: [{ name: 'late', plugins: [{ name: 'request-termination', config: { status_code: 402 } }] }],
        consumers: [{ username: 'a', groups: [{ name: 'late' }] }, { username: 'b' }],
      },
    ),
  );
  assert.deepEqual([policy.consumers['a']!.plan, policy.consumers['b']!.plan], [undefined, 'default']);
});

test('a path of more segments than anybody writes is left out', async () => {
  const deep = `/${Array(65).fill('a').join('/')}`;
  const { losses } = await made(withRoute({ paths: ['/b', deep] }));
  assert.match(losses.join(), /paths\/1: is left out: it is no path that a policy could name/);
});

test('regular expressions of whole segments become templates', async () => {
  const cases: Record<string, [paths: string[], operations: string[]]> = {
    '~/v1/pets$': [['/v1/pets'], ['/']],
    '~/v1/pets': [['/v1/pets'], ['/', '/{rest...}']],
    '~/v1/pets/[^/]+$': [['/v1/pets'], ['/{v3}']],
    '~/v1/(?<kind>[a-z]+)/(?<id>\\d+)/photos$': [['/v1'], ['/{kind}/{id}/photos']],
    '~/files/.*': [['/files'], ['/{rest...}']],
    '~/files(/.*)?$': [['/files'], ['/', '/{rest...}']],
    '~/v1\\.0/x$': [['/v1.0/x'], ['/']],
  };
  for (const [regex, [paths, operations]] of Object.entries(cases)) {
    const { policy } = await made(withRoute({ paths: [regex], strip_path: false }));
    assert.deepEqual(
      [policy.apis['orders']!.paths, Object.keys(policy.apis['orders']!.operations!)],
      [paths, operations],
      regex,
    );
  }
});

test('until format 3.0 a path with other characters was a regular expression without a mark', async () => {
  const document = withRoute({ paths: ['/pets/\\d+$'], strip_path: false });
  assert.deepEqual(
    Object.keys(
      (await made(JSON.stringify({ _format_version: '1.1', ...document }))).policy.apis['orders']!.operations!,
    ),
    ['/{v2}'],
  );
});

test('cors, request-termination and preflights are those of the policy', async () => {
  const { policy, losses } = await made({
    services: [
      {
        name: 'web',
        host: 'web.internal',
        routes: [
          {
            name: 'web',
            paths: ['/web'],
            strip_path: false,
            plugins: [
              {
                name: 'cors',
                config: {
                  origins: ['https://app.example.com', 'https://.*\\.preview\\.example\\.com', 'not an origin'],
                  methods: ['GET', 'PUT'],
                  headers: ['Content-Type', 'apikey'],
                  exposed_headers: ['X-Request-Id'],
                  credentials: true,
                  max_age: 600,
                },
              },
            ],
          },
          {
            name: 'gone',
            paths: ['/gone'],
            plugins: [{ name: 'request-termination', config: { status_code: 404, message: 'not here' } }],
          },
          {
            name: 'open',
            paths: ['/open'],
            strip_path: false,
            plugins: [{ name: 'key-auth', config: { run_on_preflight: false, hide_credentials: true } }],
          },
        ],
      },
    ],
  });
  assert.deepEqual(losses, [
    '#/services/0/routes/0/plugins/0/config/origins/2: is no origin that a policy could name; found "not an origin"',
  ]);
  assert.deepEqual(policy.apis['web']!.cors, {
    origins: ['https://app.example.com', 'https://*.preview.example.com'],
    methods: ['PUT'],
    headers: ['content-type', 'apikey'],
    exposedHeaders: ['x-request-id'],
    credentials: true,
    maxAge: '600s',
  });
  assert.deepEqual(policy.apis['gone']!.mock, { status: 404, body: '{"message":"not here"}' });
  assert.equal(policy.apis['open']!.preflight, 'allow');
});

test('a key with a time to live ends when it does in Kong', async () => {
  const { policy, losses } = await made(
    withRoute(
      { paths: ['/'] },
      {
        ...AUTH,
        consumers: [
          {
            username: 'a',
            keyauth_credentials: [
              { key: 'one', ttl: 3600, created_at: 1767225600 },
              { key: 'two', ttl: 60 },
            ],
          },
        ],
      },
    ),
  );
  assert.deepEqual(
    policy.consumers['a']!.keys.map(({ until }) => until),
    ['2026-01-01T01:00:00Z'],
  );
  assert.deepEqual(losses, [
    '#/consumers/0/keyauth_credentials/1/ttl: the key is left out: nothing says from when it counts; import it with "until" instead',
  ]);
});

test('a document without consumers gives the plans of its groups', async () => {
  const { policy } = await made(
    withRoute(
      { paths: ['/'], plugins: [{ name: 'acl', config: { allow: ['partners'] } }] },
      {
        ...AUTH,
        consumer_groups: [{ name: 'Gold & Co', plugins: [{ name: 'rate-limiting', config: { second: 2.5 } }] }],
      },
    ),
  );
  assert.deepEqual(Object.keys(policy.plans), ['partners']);
  assert.deepEqual(policy.apis['orders']!.plans, ['partners']);
});

test('--strict writes nothing when a decision is lost, and does not mind what decides nothing', async () => {
  const fine = scratchFile(
    folder,
    JSON.stringify({ _format_version: '3.0', ...withRoute({ paths: ['/a'], tags: ['x'] }) }),
  );
  const { code, err } = await tollgate(['import', 'kong', fine, '--strict']);
  assert.equal(code, 0, err);
  assert.match(err, /: #\/services\/0\/routes\/0\/tags: note: is not taken over: a policy has no tags\n/);
  const lossy = scratchFile(
    folder,
    JSON.stringify({ _format_version: '3.0', ...withRoute({ paths: ['/a'], snis: ['x'] }) }),
  );
  const refused = await tollgate(['import', 'kong', lossy, '--strict']);
  assert.deepEqual([refused.code, refused.out], [1, '']);
  assert.match(refused.err, /nothing was written, because of --strict\n$/);
});
