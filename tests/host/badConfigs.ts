import { digest, pluginConfig, type PluginConfig } from '../../harness/config.ts';

export interface BadConfig {
  readonly what: string;
  readonly config: string | Buffer;
  /** What the message must name. */
  readonly names: RegExp;
}

const QUOTA = { name: 'q', limit: 10, window: 'hour' };

/** A plugin config with every field in use, all of it valid. */
export function fullConfig(): PluginConfig {
  return {
    ...pluginConfig([
      QUOTA,
      { name: 'b', limit: 5, window: 'second', burst: 20 },
      { name: 'm', limit: 7, window: 'month', per: 'api' },
      { name: 'k', limit: 8, window: 'month', per: 'group', counter: 'calls' },
      { name: 'd', limit: 9, window: 'day' },
    ]),
    unmatched: 'deny',
    forwardKey: false,
    keyRemoval: 'module',
    realm: 'The shop',
    workloadProof: 'listener',
    tokens: [
      { name: 'corp', issuer: 'https://corp.example', audiences: ['shop'], plan: 'plan', scopes: 'scope' },
      { name: 'partner', issuer: 'https://partner.example', consumer: 'client_id', forward: true },
    ],
    mode: 'observe',
    accessLog: { line: false, fields: ['reason', 'host', 'mode'] },
    identityHeaders: { consumer: 'x-user', plan: 'x-user', route: 'x-tollgate-route', keyId: 'x-key-id' },
    rateLimitHeaders: 'x-ratelimit',
    keyExpiryWarning: { header: 'x-key-expires', beforeSeconds: 1_209_600 },
    clientAddress: { trustedHops: 2, ipv4: 24, ipv6: 56 },
    keySources: [{ header: 'x-api-key' }, { authorization: 'Bearer' }, { query: 'api_key' }, { cookie: 'api_key' }],
    apis: [
      {
        name: 'petstore',
        hosts: ['api.example.com', '*.example.com'],
        paths: ['/v1'],
        pathData: ['escaped-slashes', 'empty-segments'],
        plans: ['free'],
        me: { path: '/.tollgate/me', perMinute: 30 },
        credentials: ['workload', 'token', 'key'],
        anonymousPlan: { plan: 'free', header: 'x-device' },
        cors: {
          origins: ['https://shop.test', 'https://*.example.com:8443', 'http://[::1]:3000'],
          methods: ['PUT'],
          headers: ['x-api-key'],
          exposedHeaders: ['x-request-id'],
          credentials: true,
          maxAgeSeconds: 600,
        },
        deprecated: {
          deprecation: '@1767225600',
          sunset: 'Fri, 01 Jan 2027 00:00:00 GMT',
          link: '</v2>; rel="sunset"',
        },
        retired: { from: 1798761600, link: '</v2>; rel="sunset"', detail: 'Gone.' },
        maintenance: { from: 1782864000, until: 1782871200, detail: 'Back soon.' },
        mode: 'enforce',
        keySources: [{ header: 'x-pets', prefix: 'Key ' }, { authorization: 'none' }, { basic: 'user' }],
        forwardKey: true,
        operations: [
          {
            name: 'showPet',
            methods: ['GET'],
            path: '/pets/{}',
            cost: 2,
            quotas: [
              { name: 'looks', limit: 12, window: 'minute' },
              { name: 'bursts', limit: 6, window: '2s', burst: 21 },
            ],
          },
        ],
        routes: [
          {
            name: 'v2',
            headers: [
              { name: 'x-a', exact: '2' },
              { name: 'x-b', prefix: 'b' },
              { name: 'x-c', oneOf: ['c', 'd'] },
              { name: 'x-d', present: true },
              { name: 'x-e', absent: true },
            ],
            methods: ['GET'],
            path: '/v1/pets',
            plans: ['free'],
            consumers: ['acme'],
            setHeaders: [{ name: 'x-pets-version', value: '2' }],
            removeHeaders: ['x-gone'],
            rewritePrefix: '/v2',
            redirect: { status: 302, to: 'https://api.example.org/v2' },
          },
          {
            name: 'fake',
            methods: ['PUT'],
            mock: { status: 201, headers: [{ name: 'content-type', value: 'application/json' }], body: '{}' },
          },
        ],
      },
    ],
    zones: [
      {
        name: 'Europe/Berlin',
        offsetSeconds: 3600,
        changes: [
          { at: 1774746000, offsetSeconds: 7200 },
          { at: 1792890000, offsetSeconds: 3600 },
        ],
        until: 1893456000,
      },
      { name: 'America/St_Johns', offsetSeconds: -12600, changes: [], until: 1893456000 },
    ],
    consumers: [
      {
        name: 'acme',
        plan: 'free',
        group: 'corp',
        calendar: {
          zone: 'America/St_Johns',
          dayBeginsMinutes: 90,
          weekBegins: 7,
          monthBegins: 31,
          yearBeginsMonth: 4,
          yearBeginsDay: 6,
        },
        subscriptions: [
          {
            api: 'petstore',
            plan: 'free',
            from: 1767225600,
            until: 1798761600,
            paused: false,
            ownCounters: true,
            limits: [{ quota: 'm', limit: 20000 }],
          },
        ],
        keys: [
          {
            id: 'key-1',
            digest: digest('acme-secret-key'),
            from: 1767225600,
            until: 1798761600,
            revoked: false,
            addresses: { allow: ['10.2.0.0/16', '2001:db8:1::/48'] },
          },
        ],
        origins: ['https://app.example.com', 'https://*.partner.example'],
        addresses: { allow: ['10.0.0.0/8', '2001:db8::/32', '0.0.0.0/0', '::/0'], deny: ['10.1.2.3/32', '::1/128'] },
        workloads: ['spiffe://cluster.local/ns/shop/sa/acme', 'spiffe://mesh_1.example/A.b-c_2'],
        tokens: [{ issuer: 'corp', subjects: ['acme-1', 'auth0|5f7c8ec7'] }],
      },
    ],
  };
}

type Node = Record<string, unknown>;

function badCalendars(): BadConfig[] {
  const calendar = (of: Node): string => changed((c) => (c.consumers[0]!.calendar = of));
  const zone = (of: Node): string =>
    changed(
      (c) =>
        (c.zones = [
          { name: 'Europe/Berlin', offsetSeconds: 0, until: 1, ...of },
          { name: 'America/St_Johns', offsetSeconds: 0, until: 1 },
        ]),
    );
  const change = (at: number, offsetSeconds = 0): Node => ({ at, offsetSeconds });
  return [
    {
      what: 'a calendar of a zone that is none',
      config: calendar({ zone: 'UTC' }),
      names: /consumers\[0\]\.calendar: no zone named "UTC"/,
    },
    {
      what: "a plan's calendar of a zone that is none",
      config: changed((c) => (c.plans[0]!.calendar = { zone: 'Mars' })),
      names: /plans\[0\]\.calendar: no zone named "Mars"/,
    },
    {
      what: 'a calendar as a string',
      config: changed((c) => (c.plans[0]!.calendar = 'UTC')),
      names: /plans\[0\]\.calendar/,
    },
    { what: 'an unknown field of a calendar', config: calendar({ hour: 1 }), names: /calendar\.hour: unknown field/ },
    {
      what: 'a day that begins after it',
      config: calendar({ dayBeginsMinutes: 1440 }),
      names: /dayBeginsMinutes: must be a whole number from 0 to 1439/,
    },
    {
      what: 'an eighth day of the week',
      config: calendar({ weekBegins: 8 }),
      names: /weekBegins: must be a whole number from 1 to 7/,
    },
    {
      what: 'a day zero of the month',
      config: calendar({ monthBegins: 0 }),
      names: /monthBegins: must be a whole number from 1 to 31/,
    },
    { what: 'a month thirteen', config: calendar({ yearBeginsMonth: 13 }), names: /yearBeginsMonth/ },
    { what: 'a day 32 of the year', config: calendar({ yearBeginsDay: 32 }), names: /yearBeginsDay/ },
    {
      what: 'a field of a calendar twice',
      config: text.replace('"weekBegins":7', '"weekBegins":7,"weekBegins":7'),
      names: /weekBegins: given twice/,
    },
    {
      what: 'a calendar beside a mesh-wide day',
      config: changed((c) => {
        c.rateLimitService = { cluster: 'c', domain: 'd' };
        c.plans[0]!.calendar = { monthBegins: 2 };
        quotas(c).push({ name: 'w', limit: 1, window: 'day', scope: 'mesh' });
      }),
      names: /plans\[0\]\.calendar: the quotas of the scope mesh have windows of their own/,
    },
    {
      what: 'a zone twice',
      config: changed((c) => (c.zones as Node[]).push((c.zones as Node[])[0]!)),
      names: /zones\[2\]\.name: a second zone named "Europe\/Berlin"/,
    },
    {
      what: 'a zone without its end',
      config: zone({ until: undefined }),
      names: /zones\[0\]: needs the field "until"/,
    },
    {
      what: 'a zone that is two days ahead',
      config: zone({ offsetSeconds: 172_800 }),
      names: /zones\[0\]\.offsetSeconds: must be a whole number from -86400 to 86400/,
    },
    {
      what: 'changes of a zone that go back',
      config: zone({ changes: [change(20), change(10)] }),
      names: /zones\[0\]\.changes\[1\]: changes of a zone must come one after the other/,
    },
    {
      what: 'a change without a time',
      config: zone({ changes: [{ offsetSeconds: 1 }] }),
      names: /changes\[0\]: needs the field "at"/,
    },
    {
      what: 'sixty-five changes of a zone',
      config: zone({ changes: Array.from({ length: 65 }, (_, i) => change(i)) }),
      names: /at most 64 changes to a zone/,
    },
    {
      what: 'more zones than there are',
      config: changed(
        (c) => (c.zones = Array.from({ length: 1025 }, (_, i) => ({ name: `z${i}`, offsetSeconds: 0, until: 1 }))),
      ),
      names: /at most 1024 zones/,
    },
  ];
}

/** The full config after a change, as JSON. */
function changed(
  change: (config: Node & Record<'apis' | 'plans' | 'consumers' | 'keySources', Node[]>) => void,
): string {
  const config = structuredClone(fullConfig()) as never;
  change(config);
  return JSON.stringify(config);
}

const quotas = (config: { plans: Node[] }): Node[] => config.plans[0]!.quotas as Node[];
const routes = (config: { apis: Node[] }): Node[] => config.apis[0]!.routes as Node[];
const keys = (config: { consumers: Node[] }): Node[] => config.consumers[0]!.keys as Node[];
const subscriptions = (config: { consumers: Node[] }): Node[] => config.consumers[0]!.subscriptions as Node[];
const other = (name: string, key: Node): Node => ({ name, plan: 'free', keys: [key] });
const text = JSON.stringify(fullConfig());

export const BAD_CONFIGS: BadConfig[] = [
  { what: 'empty', config: '', names: /empty/ },
  { what: 'whitespace', config: ' \n\t ', names: /object|JSON/ },
  { what: 'a lone NUL', config: Buffer.from([0]), names: /object|JSON/ },
  { what: 'null', config: 'null', names: /object/ },
  { what: 'a list', config: '[]', names: /object/ },
  { what: 'a string', config: '"policy"', names: /object/ },
  { what: 'an empty object', config: '{}', names: /version|policy|apis|plans|consumers|keySources/ },
  { what: 'YAML', config: 'version: 1\npolicy: petstore\n', names: /object|JSON/ },
  {
    what: 'a protobuf Struct',
    config: Buffer.from([0x0a, 0x0c, 0x0a, 0x07, 0x76, 0x65, 0x72, 0x73, 0x69, 0x6f, 0x6e]),
    names: /object|JSON/,
  },
  { what: 'cut short', config: text.slice(0, -1), names: /JSON|end/ },
  { what: 'cut in the middle', config: text.slice(0, text.length >> 1), names: /plugin config/ },
  { what: 'followed by more', config: `${text}{}`, names: /follow/ },
  { what: 'a byte order mark', config: `\uFEFF${text}`, names: /object|JSON/ },
  { what: 'a comment', config: text.replace('{', '{/* */'), names: /JSON/ },
  { what: 'a trailing comma', config: `${text.slice(0, -1)},}`, names: /JSON/ },
  { what: 'single quotes', config: text.replaceAll('"', "'"), names: /JSON/ },
  { what: 'wrong version', config: changed((c) => (c.version = 2)), names: /version/ },
  { what: 'version as a string', config: changed((c) => (c.version = '1')), names: /version/ },
  { what: 'no version', config: changed((c) => delete c.version), names: /version/ },
  { what: 'no policy', config: changed((c) => delete c.policy), names: /policy/ },
  { what: 'no key sources', config: changed((c) => delete (c as Node).keySources), names: /keySources/ },
  { what: 'empty key sources', config: changed((c) => (c.keySources = [])), names: /keySources/ },
  {
    what: 'nine key sources',
    config: changed((c) => (c.keySources = Array.from({ length: 9 }, (_, i) => ({ header: `x-${i}` })))),
    names: /keySources/,
  },
  {
    what: 'an unknown key source',
    config: changed((c) => (c.keySources = [{ body: 'key' }])),
    names: /keySources\[0\]/,
  },
  {
    what: 'a key source of two kinds',
    config: changed((c) => (c.keySources = [{ header: 'x-a', query: 'a' }])),
    names: /keySources\[0\]/,
  },
  {
    what: 'Basic without the part that is the key',
    config: changed((c) => (c.keySources = [{ authorization: 'Basic' }])),
    names: /keySources\[0\]\.authorization: must not be "Basic"; there is {"basic": "user"}/,
  },
  {
    what: 'a scheme that is no token',
    config: changed((c) => (c.keySources = [{ authorization: 'Bearer ' }])),
    names: /keySources\[0\]\.authorization: must be a token/,
  },
  {
    what: 'an unknown part of Basic',
    config: changed((c) => (c.keySources = [{ basic: 'both' }])),
    names: /keySources\[0\]\.basic: must be "user" or "password"/,
  },
  {
    what: 'a prefix alone',
    config: changed((c) => (c.keySources = [{ prefix: 'Key ' }])),
    names: /keySources\[0\].*needs a kind/,
  },
  {
    what: 'a prefix of a query parameter',
    config: changed((c) => (c.keySources = [{ prefix: 'Key ', query: 'key' }])),
    names: /keySources\[0\].*prefix goes with header/,
  },
  {
    what: 'a prefix that begins with a space',
    config: changed((c) => (c.keySources = [{ header: 'x-key', prefix: ' Key' }])),
    names: /keySources\[0\]\.prefix: must be printable ASCII/,
  },
  {
    what: 'a prefix of another character',
    config: changed((c) => (c.keySources = [{ header: 'x-key', prefix: 'Schlüssel ' }])),
    names: /keySources\[0\]\.prefix: must be printable ASCII/,
  },
  {
    what: 'a prefix that is too long',
    config: changed((c) => (c.keySources = [{ header: 'x-key', prefix: 'k'.repeat(128) }])),
    names: /keySources\[0\]\.prefix/,
  },
  {
    what: 'the same scheme twice',
    config: changed((c) => (c.keySources = [{ authorization: 'Token' }, { authorization: 'token' }])),
    names: /key source given twice/,
  },
  {
    what: 'no scheme twice',
    config: changed((c) => (c.keySources = [{ authorization: 'none' }, { authorization: 'None' }])),
    names: /key source given twice/,
  },
  {
    what: 'a header with and without a prefix',
    config: changed((c) => (c.keySources = [{ header: 'x-key', prefix: 'Key ' }, { header: 'x_key' }])),
    names: /key source given twice/,
  },
  {
    what: 'a prefix that begins with another',
    config: changed(
      (c) =>
        (c.keySources = [
          { header: 'x-key', prefix: 'sk_live_' },
          { header: 'x-key', prefix: 'SK_' },
        ]),
    ),
    names: /key source given twice/,
  },
  {
    what: 'empty key sources of an API',
    config: changed((c) => (c.apis[0]!.keySources = [])),
    names: /apis\[0\]\.keySources: needs a key source/,
  },
  {
    what: 'nine key sources of an API',
    config: changed((c) => (c.apis[0]!.keySources = Array.from({ length: 9 }, (_, i) => ({ header: `x-${i}` })))),
    names: /apis\[0\]\.keySources.*at most 8 key sources/,
  },
  {
    what: 'a key source of an API given twice',
    config: changed((c) => (c.apis[0]!.keySources = [{ cookie: 'a' }, { cookie: 'a' }])),
    names: /apis\[0\]\.keySources.*key source given twice/,
  },
  {
    what: 'key sources of an API given twice',
    config: text.replace('"paths"', '"keySources":[{"query":"a"}],"keySources":[{"query":"b"}],"paths"'),
    names: /apis\[0\]\.keySources: given twice/,
  },
  {
    what: 'forwardKey of an API as a string',
    config: changed((c) => (c.apis[0]!.forwardKey = 'true')),
    names: /apis\[0\]\.forwardKey/,
  },
  {
    what: 'an unknown mode',
    config: changed((c) => (c.mode = 'off')),
    names: /mode: must be "enforce" or "observe"/,
  },
  { what: 'a mode that is no word', config: changed((c) => (c.mode = true)), names: /mode/ },
  {
    what: 'a mode given twice',
    config: text.replace('"mode":', '"mode":"enforce","mode":'),
    names: /mode: given twice/,
  },
  { what: 'an unknown mode of an API', config: changed((c) => (c.apis[0]!.mode = 'x')), names: /apis\[0\]\.mode/ },
  { what: 'an unknown mode of a plan', config: changed((c) => (c.plans[0]!.mode = '')), names: /plans\[0\]\.mode/ },
  {
    what: 'an unknown mode of a quota',
    config: changed((c) => (quotas(c)[0]!.mode = 'enforce ')),
    names: /plans\[0\]\.quotas\[0\]\.mode/,
  },
  { what: 'an unknown field at the top', config: changed((c) => (c.extra = 1)), names: /extra/ },
  {
    what: 'an unknown field of an API',
    config: changed((c) => (c.apis[0]!.unheardOf = true)),
    names: /apis\[0\]\.unheardOf/,
  },
  ...badCors(),
  ...badCalendars(),
  {
    what: 'an unknown field of a route',
    config: changed((c) => (routes(c)[0]!.redirect = '/')),
    names: /apis\[0\]\.routes\[0\]\.redirect/,
  },
  {
    what: 'an unknown field of a quota',
    config: changed((c) => (quotas(c)[0]!.cost = 2)),
    names: /plans\[0\]\.quotas\[0\]\.cost/,
  },
  {
    what: 'an unknown field of a key',
    config: changed((c) => (keys(c)[0]!.text = 'x')),
    names: /consumers\[0\]\.keys\[0\]\.text/,
  },
  { what: 'a field given twice', config: text.replace('{', '{"version":1,'), names: /version/ },
  { what: 'unmatched neither allow nor deny', config: changed((c) => (c.unmatched = 'yes')), names: /unmatched/ },
  { what: 'forwardKey as a string', config: changed((c) => (c.forwardKey = 'false')), names: /forwardKey/ },
  {
    what: 'keyRemoval unknown',
    config: changed((c) => (c.keyRemoval = 'envoy')),
    names: /keyRemoval.*"module" or "routes"/,
  },
  { what: 'forwardKey as null', config: changed((c) => (c.forwardKey = null)), names: /forwardKey/ },
  { what: 'a realm with a quote', config: changed((c) => (c.realm = 'a"b')), names: /realm/ },
  { what: 'a realm with a line break', config: changed((c) => (c.realm = 'a\nb')), names: /realm/ },
  { what: 'an empty realm', config: changed((c) => (c.realm = '')), names: /realm/ },
  { what: 'a realm that is too long', config: changed((c) => (c.realm = 'r'.repeat(128))), names: /realm/ },
  { what: 'log fields as a string', config: changed((c) => (c.accessLog = { fields: 'all' })), names: /accessLog/ },
  { what: 'no log fields', config: changed((c) => (c.accessLog = { fields: [] })), names: /needs a log field/ },
  {
    what: 'an unknown log field',
    config: changed((c) => (c.accessLog = { fields: ['key'] })),
    names: /must be a log field/,
  },
  {
    what: 'a log field twice',
    config: changed((c) => (c.accessLog = { fields: ['api', 'api'] })),
    names: /given twice/,
  },
  {
    what: 'an access log line that is neither on nor off',
    config: changed((c) => (c.accessLog = { line: 'no' })),
    names: /accessLog\.line.*must be true or false/,
  },
  {
    what: 'a log field that is none',
    config: changed((c) => (c.accessLog = { lines: false })),
    names: /accessLog\.lines: unknown field/,
  },
  {
    what: 'RateLimit headers of another style',
    config: changed((c) => (c.rateLimitHeaders = 'draft')),
    names: /rateLimitHeaders: must be "standard", "x-ratelimit", "refusals" or "none"/,
  },
  {
    what: 'identity headers as a list',
    config: changed((c) => (c.identityHeaders = ['consumer'])),
    names: /identityHeaders/,
  },
  {
    what: 'a fact that there is not',
    config: changed((c) => (c.identityHeaders = { digest: 'x-digest' })),
    names: /identityHeaders\.digest: unknown field/,
  },
  ...(
    [
      ['in upper case', 'X-User', /must be a header name in lower case/],
      ['that frames the message', 'content-length', /must not be a header that frames the message/],
      ['of another fact', 'x-tollgate-plan', /must be "x-tollgate-consumer", or not begin with 'x-tollgate-'/],
      ['that is ours in another spelling', 'x_tollgate_consumer', /or not begin with 'x-tollgate-'/],
      ['with a line break', 'x-user\r\nx-admin', /must be a header name/],
      ['that is a pseudo header', ':path', /must be a header name/],
      ['that is empty', '', /must have 1 to/],
    ] as const
  ).map(([what, name, names]) => ({
    what: `an identity header ${what}`,
    config: changed((c) => (c.identityHeaders = { consumer: name })),
    names,
  })),
  { what: 'APIs as an object', config: changed((c) => (c.apis = {} as never)), names: /apis/ },
  {
    what: 'a limit of 9007199254740993',
    config: text.replace('"limit":10', '"limit":9007199254740993'),
    names: /plans\[0\]\.quotas\[0\]\.limit/,
  },
  {
    what: 'a limit of 1e400',
    config: text.replace('"limit":10', '"limit":1e400'),
    names: /plans\[0\]\.quotas\[0\]\.limit/,
  },
  {
    what: 'a limit of 1.5',
    config: text.replace('"limit":10', '"limit":1.5'),
    names: /plans\[0\]\.quotas\[0\]\.limit/,
  },
  { what: 'a limit of zero', config: text.replace('"limit":10', '"limit":0'), names: /plans\[0\]\.quotas\[0\]\.limit/ },
  {
    what: 'a negative limit',
    config: text.replace('"limit":10', '"limit":-1'),
    names: /plans\[0\]\.quotas\[0\]\.limit/,
  },
  { what: 'a limit with a leading zero', config: text.replace('"limit":10', '"limit":010'), names: /limit|JSON/ },
  { what: 'a limit in hexadecimal', config: text.replace('"limit":10', '"limit":0x10'), names: /limit|JSON/ },
  {
    what: 'a limit of NaN',
    config: text.replace('"limit":10', '"limit":NaN'),
    names: /plans\[0\]\.quotas\[0\]\.limit/,
  },
  {
    what: 'an unknown window',
    config: changed((c) => (quotas(c)[0]!.window = 'fortnight')),
    names: /plans\[0\]\.quotas\[0\]\.window/,
  },
  {
    what: 'a burst on a month',
    config: changed((c) => (quotas(c)[0]!.window = 'month') && (quotas(c)[0]!.burst = 2)),
    names: /plans\[0\]\.quotas\[0\]/,
  },
  {
    what: 'a bucket faster than a million a second',
    config: changed((c) => (quotas(c)[1]!.limit = 1_000_001)),
    names: /plans\[0\]\.quotas\[1\]/,
  },
  {
    what: 'a burst of zero',
    config: changed((c) => (quotas(c)[1]!.burst = 0)),
    names: /plans\[0\]\.quotas\[1\]\.burst/,
  },
  {
    what: 'nine quotas',
    config: changed((c) => (c.plans[0]!.quotas = Array.from({ length: 9 }, (_, i) => ({ ...QUOTA, name: `q${i}` })))),
    names: /plans\[0\]\.quotas/,
  },
  {
    what: 'two quotas of one name',
    config: changed((c) => (c.plans[0]!.quotas = [QUOTA, QUOTA])),
    names: /plans\[0\]\.quotas\[1\]/,
  },
  {
    what: 'two APIs of one name',
    config: changed((c) => c.apis.push(structuredClone(c.apis[0]!))),
    names: /apis\[1\].*petstore/,
  },
  {
    what: 'two plans of one name',
    config: changed((c) => c.plans.push({ name: 'free', quotas: [] })),
    names: /plans\[1\].*free/,
  },
  {
    what: 'a consumer whose name is two words',
    config: changed((c) => (c.consumers[0]!.name = 'acme inc')),
    names: /consumers\[0\]\.name: must be a name/,
  },
  {
    what: 'a consumer whose name is a list',
    config: changed((c) => (c.consumers[0]!.name = 'acme,root')),
    names: /consumers\[0\]\.name: must be a name/,
  },
  {
    what: 'a route for a consumer whose name ends a line',
    config: changed((c) => (routes(c)[0]!.consumers = ['acme\n'])),
    names: /apis\[0\]\.routes\[0\]\.consumers\[0\]: must be a name/,
  },
  {
    what: 'two consumers of one name',
    config: changed((c) => c.consumers.push({ name: 'acme' })),
    names: /consumers\[1\].*acme/,
  },
  {
    what: 'two routes of one name',
    config: changed((c) => routes(c).push({ name: 'v2', methods: ['GET'] })),
    names: /apis\[0\]\.routes\[2\].*v2/,
  },
  {
    what: 'a route named default',
    config: changed((c) => (routes(c)[0]!.name = 'default')),
    names: /apis\[0\]\.routes\[0\]\.name/,
  },
  {
    what: 'a digest twice',
    config: changed((c) => c.consumers.push(other('beta', { id: 'key-2', digest: digest('acme-secret-key') }))),
    names: /beta.*acme|acme.*beta/,
  },
  {
    what: 'a digest one digit short',
    config: changed((c) => (keys(c)[0]!.digest = digest('x').slice(1))),
    names: /consumers\[0\]\.keys\[0\]\.digest/,
  },
  {
    what: 'a digest with its prefix',
    config: changed((c) => (keys(c)[0]!.digest = `sha256:${digest('x')}`)),
    names: /consumers\[0\]\.keys\[0\]\.digest/,
  },
  {
    what: 'a key in clear text',
    config: changed((c) => (keys(c)[0]!.digest = 'acme-secret-key')),
    names: /consumers\[0\]\.keys\[0\]\.digest/,
  },
  {
    what: 'an API with a plan that is none',
    config: changed((c) => (c.apis[0]!.plans = ['gold'])),
    names: /apis\[0\]\.plans\[0\]: no plan named "gold"/,
  },
  {
    what: 'a route with a plan that is none',
    config: changed((c) => (routes(c)[0]!.plans = ['gold'])),
    names: /apis\[0\]\.routes\[0\]\.plans.*gold/,
  },
  {
    what: 'a route with a consumer that is none',
    config: changed((c) => (routes(c)[0]!.consumers = ['beta'])),
    names: /apis\[0\]\.routes\[0\]\.consumers.*beta/,
  },
  {
    what: 'a consumer with a plan that is none',
    config: changed((c) => (c.consumers[0]!.plan = 'gold')),
    names: /consumers\[0\]\.plan.*gold/,
  },
  {
    what: 'a subscription to an API that is none',
    config: changed((c) => (subscriptions(c)[0]!.api = 'shop')),
    names: /consumers\[0\]\.subscriptions\[0\].*shop/,
  },
  {
    what: 'a subscription with a plan that is none',
    config: changed((c) => (subscriptions(c)[0]!.plan = 'gold')),
    names: /consumers\[0\]\.subscriptions\[0\].*gold/,
  },
  {
    what: 'a limit for a quota that is none',
    config: changed((c) => (subscriptions(c)[0]!.limits = [{ quota: 'x', limit: 1 }])),
    names: /consumers\[0\]\.subscriptions\[0\].*"x"/,
  },
  ...(
    [
      ['a burst of a window', { quota: 'm', limit: 1, burst: 1 }, /the quota "m" has no burst to replace/],
      ['a burst of 0', { quota: 'm', limit: 1, burst: 0 }, /limits\[0\]\.burst: must be a whole number from 1 to/],
      ['a burst alone', { quota: 'b', burst: 4 }, /limits\[0\].*limit/],
      ['a bucket that fills too fast', { quota: 'b', limit: 1_000_001 }, /a bucket fills at most 1000000 times/],
      ['a bucket that fills too slowly', { quota: 'b', limit: 1, burst: 40_000_000 }, /must refill within 366 days/],
    ] as const
  ).map(([what, limit, names]) => ({
    what: `a limit of a subscription: ${what}`,
    config: changed((c) => {
      c.plans[0]!.quotas = [
        { ...QUOTA, name: 'm' },
        { name: 'b', limit: 5, window: 'second', burst: 10 },
      ];
      subscriptions(c)[0]!.limits = [limit];
    }),
    names,
  })),
  {
    what: 'two subscriptions to one API',
    config: changed((c) => subscriptions(c).push(structuredClone(subscriptions(c)[0]!))),
    names: /consumers\[0\]: a second subscription to API "petstore"/,
  },
  ...Object.entries({
    'a deprecation without a date': [{ deprecated: { sunset: 'Fri, 01 Jan 2027 00:00:00 GMT' } }, 'deprecated: needs'],
    'a deprecation that ends a line': [
      { deprecated: { deprecation: '@1\r\nx: y' } },
      'deprecated.deprecation: must not',
    ],
    'a deprecation of no length': [{ deprecated: { deprecation: '' } }, 'deprecated.deprecation: must have'],
    'a retirement that ends a line': [{ retired: { detail: 'a\nb' } }, 'retired.detail: must not'],
    'a retirement of 256 bytes': [{ retired: { detail: 'a'.repeat(256) } }, 'retired.detail: must have'],
    'a retirement twice': [{ retired: { from: 1, from2: 2 } }, 'retired.from2: unknown field'],
    'maintenance of another field': [{ maintenance: { to: 1 } }, 'maintenance.to: unknown field'],
    'maintenance until a date': [{ maintenance: { until: '2026-07-01' } }, 'maintenance.until: must be a whole number'],
    'a redirect to nowhere': [{ redirect: { status: 302 } }, 'redirect: needs the field "to"'],
    'a redirect with 303': [{ redirect: { status: 303, to: '/' } }, 'redirect.status: must be 301, 302, 307 or 308'],
    'a redirect to a name': [{ redirect: { to: 'v2' } }, 'redirect.to: must be a path'],
    'a redirect to another host by two slashes': [
      { redirect: { to: '//evil.example/' } },
      'redirect.to: must be a path',
    ],
    'a redirect to a host without a path': [
      { redirect: { to: 'https://api.example.org' } },
      'redirect.to: must be a path',
    ],
    'a redirect to no host': [{ redirect: { to: 'https:///v2' } }, 'redirect.to: must be a path'],
    'a redirect to a user': [{ redirect: { to: 'https://a@evil.example/' } }, 'redirect.to: must be a path'],
    'a redirect to a script': [{ redirect: { to: 'javascript:alert(1)' } }, 'redirect.to: must be a path'],
    'a redirect with a query': [{ redirect: { to: '/v2?x=' } }, 'redirect.to: must be a path'],
    'a mock of status 199': [{ mock: { status: 199 } }, 'mock.status: must be a whole number from 200 to 599'],
    'a mock of 4097 bytes': [{ mock: { body: 'a'.repeat(4097) } }, 'mock.body: must have 0 to 4096 bytes'],
    'a mock with its own length': [
      { mock: { headers: [{ name: 'content-length', value: '1' }] } },
      'mock.headers[0].name: must not be a header that frames',
    ],
    'a mock with an identity': [
      { mock: { headers: [{ name: 'x-tollgate-plan', value: 'gold' }] } },
      'mock.headers[0].name: must not be a header of Tollgate',
    ],
    'a mock with 17 headers': [
      { mock: { headers: Array.from({ length: 17 }, (_, i) => ({ name: `x-${i}`, value: '' })) } },
      'mock.headers[16]: at most 16 headers',
    ],
  } as Record<string, [Node, string]>).map(([what, [lifecycle, message]]) => ({
    what,
    config: changed((c) => Object.assign(c.apis[0]!, lifecycle)),
    names: new RegExp(`apis\\[0\\]\\.${message.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`),
  })),
  ...badCounters(),
  ...badAddresses(),
  ...badOperationQuotas(),
  ...badIdentities(),
  ...badTokens(),
  { what: 'an API without a path', config: changed((c) => (c.apis[0]!.paths = [])), names: /apis\[0\].*path/ },
  {
    what: 'a path without a slash',
    config: changed((c) => (c.apis[0]!.paths = ['v1'])),
    names: /apis\[0\]\.paths\[0\]/,
  },
  {
    what: 'a path with dots',
    config: changed((c) => (c.apis[0]!.paths = ['/v1/../admin'])),
    names: /apis\[0\]\.paths\[0\]/,
  },
  {
    what: 'a path with a query',
    config: changed((c) => (c.apis[0]!.paths = ['/v1?x'])),
    names: /apis\[0\]\.paths\[0\]/,
  },
  {
    what: 'a path with a star',
    config: changed((c) => (c.apis[0]!.paths = ['/admin/*'])),
    names: /apis\[0\]\.paths\[0\]/,
  },
  {
    what: 'a path with a parameter',
    config: changed((c) => (c.apis[0]!.paths = ['/records/:id'])),
    names: /apis\[0\]\.paths\[0\]/,
  },
  {
    what: 'a path with a group',
    config: changed((c) => (c.apis[0]!.paths = ['/records/(.+)'])),
    names: /apis\[0\]\.paths\[0\]/,
  },
  {
    what: 'a path with a star for a route',
    config: changed((c) => (routes(c)[0]!.path = '/v1/*')),
    names: /apis\[0\]\.routes\[0\]\.path/,
  },
  {
    what: 'a header with a star',
    config: changed((c) => (routes(c)[0]!.removeHeaders = ['x-internal-*'])),
    names: /apis\[0\]\.routes\[0\]\.removeHeaders\[0\]/,
  },
  {
    what: 'a method of a star',
    config: changed((c) => (routes(c)[0]!.methods = ['*'])),
    names: /apis\[0\]\.routes\[0\]\.methods\[0\]/,
  },
  {
    what: 'an address in a spelling of its own',
    config: changed((c) => (c.apis[0]!.hosts = ['[0:0::1]'])),
    names: /apis\[0\]\.hosts\[0\]/,
  },
  {
    what: 'an address that is short of numbers',
    config: changed((c) => (c.apis[0]!.hosts = ['127.1'])),
    names: /apis\[0\]\.hosts\[0\]/,
  },
  {
    what: "a host with the root's dot",
    config: changed((c) => (c.apis[0]!.hosts = ['api.example.com.'])),
    names: /apis\[0\]\.hosts\[0\]/,
  },
  {
    what: 'a wildcard of nothing',
    config: changed((c) => (c.apis[0]!.hosts = ['*.'])),
    names: /apis\[0\]\.hosts\[0\]/,
  },
  {
    what: 'a wildcard of an address',
    config: changed((c) => (c.apis[0]!.hosts = ['*.[::1]'])),
    names: /apis\[0\]\.hosts\[0\]/,
  },
  {
    what: 'a host with a port',
    config: changed((c) => (c.apis[0]!.hosts = ['api.example.com:80'])),
    names: /apis\[0\]\.hosts\[0\]/,
  },
  {
    what: 'a host in upper case',
    config: changed((c) => (c.apis[0]!.hosts = ['API.example.com'])),
    names: /apis\[0\]\.hosts\[0\]/,
  },
  {
    what: 'a star in the middle of a host',
    config: changed((c) => (c.apis[0]!.hosts = ['api.*.com'])),
    names: /apis\[0\]\.hosts\[0\]/,
  },
  {
    what: 'a header condition without a test',
    config: changed((c) => (routes(c)[0]!.headers = [{ name: 'x-a' }])),
    names: /apis\[0\]\.routes\[0\]\.headers\[0\]/,
  },
  {
    what: 'a header condition with two tests',
    config: changed((c) => (routes(c)[0]!.headers = [{ name: 'x-a', exact: '1', prefix: '1' }])),
    names: /apis\[0\]\.routes\[0\]\.headers\[0\]/,
  },
  {
    what: 'a condition on a parameter without a test',
    config: changed((c) => (routes(c)[0]!.query = [{ name: 'a' }])),
    names: /apis\[0\]\.routes\[0\]\.query\[0\]: needs one of exact/,
  },
  {
    what: 'a condition on a parameter with two tests',
    config: changed((c) => (routes(c)[0]!.query = [{ name: 'a', exact: '1', prefix: '1' }])),
    names: /apis\[0\]\.routes\[0\]\.query\[0\]/,
  },
  {
    what: 'a condition on a parameter whose name is a pattern',
    config: changed((c) => (routes(c)[0]!.query = [{ name: 'a*', present: true }])),
    names: /apis\[0\]\.routes\[0\]\.query\[0\]\.name: must be a name of letters/,
  },
  {
    what: 'a condition on a parameter whose name is escaped',
    config: changed((c) => (routes(c)[0]!.query = [{ name: 'a%20b', present: true }])),
    names: /apis\[0\]\.routes\[0\]\.query\[0\]\.name/,
  },
  {
    what: 'a condition on a parameter with a control character',
    config: changed((c) => (routes(c)[0]!.query = [{ name: 'a', exact: '1\n' }])),
    names: /apis\[0\]\.routes\[0\]\.query\[0\]\.exact: must not hold control characters/,
  },
  {
    what: 'conditions on the query that are no list',
    config: changed((c) => (routes(c)[0]!.query = { a: '1' })),
    names: /apis\[0\]\.routes\[0\]\.query/,
  },
  {
    what: 'a header name in upper case',
    config: changed((c) => (routes(c)[0]!.removeHeaders = ['X-Gone'])),
    names: /apis\[0\]\.routes\[0\]\.removeHeaders\[0\]/,
  },
  {
    what: 'a pseudo header set',
    config: changed((c) => (routes(c)[0]!.setHeaders = [{ name: ':path', value: '/' }])),
    names: /apis\[0\]\.routes\[0\]\.setHeaders\[0\]/,
  },
  {
    what: 'the host header set',
    config: changed((c) => (routes(c)[0]!.setHeaders = [{ name: 'host', value: 'x' }])),
    names: /apis\[0\]\.routes\[0\]\.setHeaders\[0\]/,
  },
  {
    what: 'an identity header set',
    config: changed((c) => (routes(c)[0]!.setHeaders = [{ name: 'x-tollgate-consumer', value: 'root' }])),
    names: /apis\[0\]\.routes\[0\]\.setHeaders\[0\]/,
  },
  {
    what: 'a header value with a line break',
    config: changed((c) => (routes(c)[0]!.setHeaders = [{ name: 'x-a', value: 'a\r\nx-b: c' }])),
    names: /apis\[0\]\.routes\[0\]\.setHeaders\[0\]/,
  },
  {
    what: 'a name with a space',
    config: changed((c) => (c.consumers[0]!.name = 'ac me')),
    names: /consumers\[0\]\.name/,
  },
  { what: 'a name with a line break', config: changed((c) => (c.policy = 'a\nb')), names: /policy/ },
  { what: 'an empty name', config: changed((c) => (c.plans[0]!.name = '')), names: /plans\[0\]\.name/ },
  { what: 'a name of a thousand letters', config: changed((c) => (c.policy = 'a'.repeat(1000))), names: /policy/ },
  {
    what: 'a time as a string',
    config: changed((c) => (keys(c)[0]!.from = '2026-01-01T00:00:00Z')),
    names: /consumers\[0\]\.keys\[0\]\.from/,
  },
  {
    what: 'a time before the epoch',
    config: changed((c) => (keys(c)[0]!.from = -1)),
    names: /consumers\[0\]\.keys\[0\]\.from/,
  },
  {
    what: 'invalid UTF-8 in a string',
    config: Buffer.from(text.replace('"petstore"', '"pet\u00ffstore"'), 'latin1'),
    names: /UTF-8/,
  },
  {
    what: 'a lone surrogate',
    config: text.replace('"value":"2"', '"value":"\\ud800"'),
    names: /setHeaders\[0\]\.value/,
  },
  {
    what: 'a control byte in a string',
    config: text.replace('"value":"2"', '"value":"\u0001"'),
    names: /setHeaders\[0\]\.value/,
  },
  { what: 'a megabyte of whitespace', config: ' '.repeat(1 << 20), names: /object|JSON/ },
  { what: 'a megabyte of one text', config: `{"policy":"${'a'.repeat(1 << 20)}"}`, names: /policy/ },
  { what: 'a megabyte of garbage', config: Buffer.alloc(1 << 20, 0xfe), names: /object|JSON/ },
  { what: 'a megabyte of an unknown field', config: `{"${'a'.repeat(1 << 20)}":1}`, names: /unknown field/ },
  { what: 'lists nested 100,000 deep', config: '['.repeat(100_000), names: /object/ },
  {
    what: 'lists nested 100,000 deep in a field',
    config: `{"version":1,"apis":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    names: /apis/,
  },
  { what: 'objects nested 100,000 deep', config: '{"apis":'.repeat(100_000), names: /apis/ },
  {
    what: 'objects nested 100,000 deep in an unknown field',
    config: `{"x":${'{"x":'.repeat(100_000)}1${'}'.repeat(100_001)}`,
    names: /x/,
  },
  {
    what: 'a number of 100,000 digits',
    config: text.replace('"limit":10', `"limit":${'9'.repeat(100_000)}`),
    names: /plans\[0\]\.quotas\[0\]\.limit/,
  },
  {
    what: 'an exponent of 100,000 digits',
    config: text.replace('"limit":10', `"limit":1e${'9'.repeat(100_000)}`),
    names: /plans\[0\]\.quotas\[0\]\.limit/,
  },
];

/** Settings of cors that would allow nothing, or more than was meant. */
function badCors(): BadConfig[] {
  const bad = (what: string, fields: object, names: RegExp): BadConfig => ({
    what: `cors: ${what}`,
    config: changed((c) => (c.apis[0]!.cors = { origins: ['https://shop.test'], ...fields })),
    names,
  });
  const origins = {
    'an origin with a path': 'https://shop.test/',
    'an origin in upper case': 'https://Shop.test',
    'a scheme in upper case': 'HTTPS://shop.test',
    'a scheme that begins with a digit': '3s://shop.test',
    'an origin without a scheme': 'shop.test',
    'an origin without a host': 'https://',
    'an origin with a port only': 'https://:8080',
    'an origin with an empty port': 'https://shop.test:',
    'an origin with a port too large': 'https://shop.test:65536',
    'the null origin': 'null',
    'a star for a port': 'http://localhost:*',
    'a star inside a label': 'https://a*.test',
    'two stars': 'https://*.*.test',
    'a star alone': 'https://*',
    'a domain of nothing': 'https://*.',
    'a wildcard of an IPv6 address': 'https://*.[::1]',
    'an address in another spelling': 'https://127.1',
    'a root dot': 'https://shop.test.',
    'two origins in one': 'https://shop.test,https://b.test',
    'a user': 'https://a@shop.test',
    'a line break': 'https://shop.test\r\nx: y',
    'nothing at all': '',
    'an origin too long': `https://${'a'.repeat(320)}`,
  };
  return [
    { what: 'cors that is no object', config: changed((c) => (c.apis[0]!.cors = true)), names: /apis\[0\]\.cors/ },
    {
      what: 'cors beside preflight',
      config: changed((c) => (c.apis[0]!.preflight = 'allow')),
      names: /preflight: must not be allow beside cors/,
    },
    ...Object.entries(origins).map(([what, origin]) => bad(what, { origins: [origin] }, /cors\.origins\[0\]/)),
    bad('no origin', { origins: [] }, /needs an origin/),
    bad('any origin and another', { origins: ['*', 'https://a.test'] }, /must be the only origin/),
    bad('an origin and any', { origins: ['https://a.test', '*'] }, /must be the only origin/),
    bad('any origin with credentials', { origins: ['*'], credentials: true }, /credentials: must be false/),
    bad('a method with a space', { methods: ['PUT X'] }, /cors\.methods\[0\]/),
    bad('any method', { methods: ['*'] }, /cors\.methods\[0\]/),
    bad('any header', { headers: ['*'] }, /cors\.headers\[0\]/),
    bad('a header in upper case', { headers: ['X-Key'] }, /cors\.headers\[0\]/),
    bad('a header of two lines', { exposedHeaders: ['x\r\ny'] }, /cors\.exposedHeaders\[0\]/),
    bad('a fraction of a second', { maxAgeSeconds: 0.5 }, /cors\.maxAgeSeconds/),
    bad('two days', { maxAgeSeconds: 172_800 }, /cors\.maxAgeSeconds/),
    bad('an unknown field', { origin: 'https://a.test' }, /cors\.origin/),
  ];
}

function badCounters(): BadConfig[] {
  const bad = (what: string, quota: object, names: RegExp): BadConfig => ({
    what: `a counter: ${what}`,
    config: changed((c) => {
      c.rateLimitService = { cluster: 'c', domain: 'd' };
      c.plans[0]!.quotas = [{ name: 'm', limit: 1, window: 'day', ...quota }];
    }),
    names,
  });
  const group = (what: string, value: unknown, names: RegExp): BadConfig => ({
    what: `a group: ${what}`,
    config: changed((c) => (c.consumers[0]!.group = value)),
    names,
  });
  return [
    bad('per nothing', { per: '' }, /quotas\[0\]\.per: must have 1 to 16 bytes/),
    bad('per method', { per: 'method' }, /quotas\[0\]\.per: must be consumer, api, operation, key, group or address/),
    ...(
      [
        ['no object', 402, /plans\[0\]\.refusal.*object/],
        ['a success', { status: 200 }, /refusal\.status/],
        ["a server's fault", { status: 503 }, /refusal\.status/],
        ['a status as a string', { status: '402' }, /refusal\.status/],
        ['an empty detail', { detail: '' }, /refusal\.detail: must have 1 to 255 bytes/],
        ['a detail of 256 bytes', { detail: 'a'.repeat(256) }, /refusal\.detail: must have 1 to 255 bytes/],
        ['a detail of two lines', { detail: 'a\nb' }, /refusal\.detail: must not hold control characters/],
        ['an empty type', { type: '' }, /refusal\.type/],
        ['an unknown field', { title: 'x' }, /refusal\.title/],
      ] as const
    ).map(([what, refusal, names]) => ({
      what: `a refusal: ${what}`,
      config: changed((c) => (c.plans[0]!.refusal = refusal)),
      names,
    })),
    ...(
      [
        ['a percentage alone', 80, /quotas\[0\]\.warnAt.*list/],
        ['no percentage', [], /quotas\[0\]\.warnAt: needs a percentage/],
        ['zero', [0], /warnAt\[0\]: must be a whole number from 1 to 100/],
        ['more than all', [101], /warnAt\[0\]: must be a whole number from 1 to 100/],
        ['a part of one', [79.5], /warnAt\[0\]: must be a whole number from 1 to 100/],
        ['a falling one', [95, 80], /warnAt\[1\]: must be above the one before/],
        ['one twice', [80, 80], /warnAt\[1\]: must be above the one before/],
        ['five', [1, 2, 3, 4, 5], /at most 4 percentages/],
        ['a million', Array.from({ length: 100_000 }, () => 1), /must be above the one before/],
      ] as const
    ).map(([what, warnAt, names]) => bad(`warnings at ${what}`, { warnAt }, names)),
    bad(
      'per address, of the mesh',
      { per: 'address', scope: 'mesh' },
      /a quota per address cannot have the scope mesh/,
    ),
    bad('a bucket that warns', { burst: 1, warnAt: [80] }, /a bucket cannot warn/),
    {
      what: "warnings of an operation's own quota",
      config: changed(
        (c) => (c.apis[0]!.operations = [{ name: 'o', path: '/', quotas: [{ ...QUOTA, warnAt: [80] }] }]),
      ),
      names: /warnAt goes with a plan's quota/,
    },
    ...(
      [
        ['no object', 10, /plans\[0\]\.concurrency: must be an object/],
        ['without a limit', {}, /concurrency: needs the field "limit"/],
        ['of none', { limit: 0 }, /concurrency\.limit: must be a whole number from 1 to 1000000/],
        ['of too many', { limit: 1_000_001 }, /concurrency\.limit: must be a whole number from 1 to 1000000/],
        ['a limit as a string', { limit: '10' }, /concurrency\.limit/],
        ['per method', { limit: 1, per: 'method' }, /per: must be consumer, api, operation, key, group or address/],
        ['of another mode', { limit: 1, mode: 'off' }, /concurrency\.mode/],
        ['an unknown field', { limit: 1, window: 'hour' }, /concurrency\.window: unknown field/],
      ] as const
    ).map(([what, concurrency, names]) => ({
      what: `requests in flight: ${what}`,
      config: changed((c) => (c.plans[0]!.concurrency = concurrency)),
      names,
    })),
    bad('a counter with a slash', { counter: '/' }, /quotas\[0\]\.counter/),
    {
      what: 'a counter of two quotas',
      config: changed((c) => {
        c.plans[0]!.quotas = [QUOTA, { ...QUOTA, name: 'r', window: '1h', per: 'key', counter: 'q' }];
        c.consumers = [];
        c.apis[0]!.routes = [];
      }),
      names: /the quotas "q" and "r" must not have one counter/,
    },
    {
      what: "a counter of an operation's own quota",
      config: changed(
        (c) => (c.apis[0]!.operations = [{ name: 'o', path: '/', quotas: [{ ...QUOTA, counter: 'c' }] }]),
      ),
      names: /counter goes with a plan's quota/,
    },
    ...(
      [
        ['other months', { window: 'month', counter: 'all' }, { monthBegins: 15 }, { monthBegins: 16 }],
        ['months in UTC', { window: 'month', counter: 'all' }, { monthBegins: 15 }, undefined],
        ["a group's other months", { window: 'month', per: 'group' }, { monthBegins: 15 }, undefined],
      ] as const
    ).map(([what, quota, calendar, other]) => ({
      what: `a counter of two calendars: ${what}`,
      config: changed((c) => {
        c.plans.push(
          { name: 'one', quotas: [{ name: 'a', limit: 1, ...quota }], calendar },
          { name: 'two', quotas: [{ name: 'a', limit: 2, ...quota }], ...(other && { calendar: other }) },
        );
      }),
      names: /the quotas "a" and "a" share a counter, and their plans must have one calendar/,
    })),
    {
      what: 'counters of a plan that are no boolean',
      config: changed((c) => (subscriptions(c)[0]!.ownCounters = 1)),
      names: /subscriptions\[0\]\.ownCounters/,
    },
    {
      what: 'nine limits in a subscription',
      config: changed(
        (c) => (subscriptions(c)[0]!.limits = Array.from({ length: 9 }, () => ({ quota: 'm', limit: 1 }))),
      ),
      names: /at most 8 limits in a subscription/,
    },
    group('no string', 7, /consumers\[0\]\.group: must be a string/),
    group('an empty one', '', /consumers\[0\]\.group: must have 1 to 127 bytes/),
    group('not encoded', 'Bob & Co', /consumers\[0\]\.group: must be a name of letters/),
    {
      what: 'a group given twice',
      config: JSON.stringify(fullConfig()).replace('"name":"acme"', '"name":"acme","group":"a","group":"b"'),
      names: /consumers\[0\]\.group: given twice/,
    },
  ];
}

/** Blocks of addresses that could be read in two ways, or in none. */
function badAddresses(): BadConfig[] {
  const blocks = {
    'bits behind the length': '10.1.2.3/8',
    'an IPv6 block with bits behind the length': '2001:db8::1/64',
    'no length': '10.0.0.1',
    'an IPv6 address without a length': '::1',
    'an empty length': '10.0.0.0/',
    'a length too large': '10.0.0.0/33',
    'an IPv6 length too large': '::/129',
    'a length with a leading zero': '10.0.0.0/08',
    'a negative length': '10.0.0.0/-1',
    'a mask': '10.0.0.0/255.0.0.0',
    'two slashes': '10.0.0.0/8/8',
    'a leading zero': '010.0.0.0/8',
    'three parts': '10.0.0/8',
    'a long spelling': '2001:0db8::/32',
    'upper case': '2001:DB8::/32',
    'an IPv4-mapped block': '::ffff:10.0.0.0/104',
    'a zone': 'fe80::1%eth0/128',
    brackets: '[::1]/128',
    'a port': '10.0.0.0:80/8',
    'a name': 'office.example.com',
    'a space': ' 10.0.0.0/8',
    'nothing at all': '',
  };
  const names = /consumers\[0\]\.addresses\.allow\[1\]/;
  return [
    ...Object.entries(blocks).map(([what, block]) => ({
      what: `addresses: ${what}`,
      config: changed((c) => (c.consumers[0]!.addresses = { allow: ['10.0.0.0/8', block] })),
      names,
    })),
    {
      what: 'addresses of a key: a name',
      config: changed((c) => (keys(c)[0]!.addresses = { deny: ['localhost'] })),
      names: /consumers\[0\]\.keys\[0\]\.addresses\.deny\[0\].*block/,
    },
    {
      what: 'a warning of keys without a header',
      config: changed((c) => ((c as Node).keyExpiryWarning = { beforeSeconds: 60 })),
      names: /keyExpiryWarning: needs the field "header"/,
    },
    {
      what: 'a warning of keys long before',
      config: changed((c) => ((c as Node).keyExpiryWarning = { header: 'x-ends', beforeSeconds: 366 * 86_400 + 1 })),
      names: /keyExpiryWarning\.beforeSeconds/,
    },
    {
      what: 'a warning of keys in a header with upper case',
      config: changed((c) => ((c as Node).keyExpiryWarning = { header: 'X-Ends', beforeSeconds: 60 })),
      names: /keyExpiryWarning\.header/,
    },
    {
      what: 'APIs of a key: none',
      config: changed((c) => (keys(c)[0]!.apis = [])),
      names: /consumers\[0\]\.keys\[0\]\.apis: needs an API/,
    },
    {
      what: 'APIs of a key: one that is not there',
      config: changed((c) => (keys(c)[0]!.apis = ['petstore', 'pets'])),
      names: /consumers\[0\]\.keys\[0\]\.apis\[1\]: no API named "pets"/,
    },
    {
      what: 'APIs of a key: one twice',
      config: changed((c) => (keys(c)[0]!.apis = ['petstore', 'petstore'])),
      names: /consumers\[0\]\.keys\[0\]\.apis\[1\]: API given twice/,
    },
    {
      what: 'APIs of a key: too many',
      config: changed((c) => (keys(c)[0]!.apis = Array.from({ length: 129 }, (_, i) => `p${i}`))),
      names: /consumers\[0\]\.keys\[0\]\.apis.*at most 128 APIs of a key/,
    },
    {
      what: 'APIs of a key: a string',
      config: changed((c) => (keys(c)[0]!.apis = 'petstore')),
      names: /consumers\[0\]\.keys\[0\]\.apis/,
    },
    {
      what: 'scopes of a key: none',
      config: changed((c) => (keys(c)[0]!.scopes = [])),
      names: /consumers\[0\]\.keys\[0\]\.scopes: needs a scope/,
    },
    {
      what: 'scopes of a key: one twice',
      config: changed((c) => (keys(c)[0]!.scopes = ['read', 'read'])),
      names: /consumers\[0\]\.keys\[0\]\.scopes\[1\]: scope given twice/,
    },
    {
      what: 'scopes of a key: with a space',
      config: changed((c) => (keys(c)[0]!.scopes = ['read write'])),
      names: /consumers\[0\]\.keys\[0\]\.scopes\[0\]/,
    },
    {
      what: 'addresses that are a list',
      config: changed((c) => (c.consumers[0]!.addresses = ['10.0.0.0/8'])),
      names: /consumers\[0\]\.addresses.*object/,
    },
    {
      what: 'addresses: an empty list',
      config: changed((c) => (c.consumers[0]!.addresses = { deny: [] })),
      names: /needs an address block/,
    },
    ...Object.entries({
      'any origin': '*',
      'an origin with a path': 'https://a.test/',
      'a host': 'a.test',
      'the null origin': 'null',
    }).map(([what, origin]) => ({
      what: `origins of a consumer: ${what}`,
      config: changed((c) => (c.consumers[0]!.origins = ['https://a.test', origin])),
      names: /consumers\[0\]\.origins\[1\]/,
    })),
    {
      what: 'origins of a consumer: none',
      config: changed((c) => (c.consumers[0]!.origins = [])),
      names: /consumers\[0\]\.origins.*needs an origin/,
    },
    ...Object.entries<[object, RegExp]>({
      'no plan': [{}, /needs the field "plan"/],
      'a plan that is none': [{ plan: 'none' }, /anonymousPlan\.plan: no plan named "none"/],
      'a header in upper case': [{ plan: 'free', header: 'X-Device' }, /anonymousPlan\.header/],
      'a header of its own': [{ plan: 'free', header: 'x-tollgate-plan' }, /anonymousPlan\.header/],
      'another field': [{ plan: 'free', by: 'address' }, /anonymousPlan\.by/],
    }).map(([what, [anonymousPlan, names]]) => ({
      what: `a plan of callers without a key: ${what}`,
      config: changed((c) => (c.apis[0]!.anonymousPlan = anonymousPlan)),
      names,
    })),
    ...Object.entries<[object, RegExp]>({
      'no path': [{}, /needs the field "path"/],
      'the path of the API': [{ path: '/' }, /me\.path: must be a path of a segment or more/],
      'a slash at its end': [{ path: '/me/' }, /me\.path: must be a path of a segment or more/],
      'a template': [{ path: '/{}' }, /me\.path: must be a path/],
      'a long path': [{ path: `/${'m'.repeat(124)}` }, /me\.path: must be a path .* at most 124 bytes/],
      'too many segments': [{ path: '/m'.repeat(33) }, /me\.path: must be a path/],
      never: [{ path: '/me', perMinute: 0 }, /me\.perMinute/],
      'too often': [{ path: '/me', perMinute: 6001 }, /me\.perMinute/],
      'another field': [{ path: '/me', limit: 1 }, /me\.limit: unknown field/],
    }).map(([what, [me, names]]) => ({
      what: `where callers are told of their quotas: ${what}`,
      config: changed((c) => (c.apis[0]!.me = me)),
      names,
    })),
    {
      what: 'where callers are told of their quotas: the path of an operation',
      config: changed((c) => (c.apis[0]!.operations = [{ name: 'o', methods: ['POST'], path: '/.tollgate/me' }])),
      names: /API "petstore" has two operations for one method and "\/\.tollgate\/me"/,
    },
    ...Object.entries<[unknown, RegExp]>({
      nothing: [[], /apis\[0\]\.pathData: must say what is data/],
      'a word that is none': [['slashes'], /pathData\[0\]: must be "escaped-slashes" or "empty-segments"/],
      'one twice': [['empty-segments', 'empty-segments'], /pathData\[1\]: given twice/],
      'no list': ['empty-segments', /pathData: must be a list/],
    }).map(([what, [pathData, names]]) => ({
      what: `data in paths: ${what}`,
      config: changed((c) => (c.apis[0]!.pathData = pathData)),
      names,
    })),
    {
      what: 'data in paths: empty segments behind a new prefix that is nothing',
      config: changed((c) => (c.apis[0]!.routes = [{ name: 'r', rewritePrefix: '/' }])),
      names: /rewritePrefix must not be '\/' where empty segments are data/,
    },
    {
      what: 'data in paths: empty segments behind a redirect to the root',
      config: changed((c) => (c.apis[0]!.redirect = { to: '/' })),
      names: /a redirect must not lead to '\/' where empty segments are data/,
    },
    {
      what: 'a plan of callers without a key: not offered',
      config: changed((c) => {
        c.plans.push({ name: 'other' });
        c.apis[0]!.anonymousPlan = { plan: 'other' };
      }),
      names: /anonymousPlan\.plan: the API does not offer the plan "other"/,
    },
    {
      what: 'a plan of callers without a key: a quota per key',
      config: changed((c) => (c.plans[0]!.quotas = [{ ...QUOTA, name: 'm', per: 'key' }])),
      names: /anonymousPlan\.plan: the plan "free" has a quota per key/,
    },
    {
      what: 'a plan of callers without a key: a concurrency per key',
      config: changed((c) => {
        c.plans[0]!.concurrency = { limit: 1, per: 'key' };
      }),
      names: /anonymousPlan\.plan: the plan "free" has a concurrency per key/,
    },
    {
      what: 'a plan of callers without a key: a mesh-wide quota of an operation',
      config: changed((c) => {
        c.rateLimitService = { cluster: 'c', domain: 'd' };
        c.apis[0]!.operations = [{ name: 'o', path: '/', quotas: [{ ...QUOTA, scope: 'mesh' }] }];
      }),
      names: /anonymousPlan: neither plan nor operations may have quotas of the scope mesh/,
    },
    ...[0, 33].map((ipv4) => ({
      what: `${ipv4} bits of an IPv4 address`,
      config: changed((c) => (c.clientAddress = { ipv4 })),
      names: /clientAddress\.ipv4/,
    })),
    {
      what: 'a client address of no hops',
      config: changed((c) => (c.clientAddress = { trustedHops: 0 })),
      names: /clientAddress\.trustedHops/,
    },
    {
      what: 'a client address in a header',
      config: changed((c) => (c.clientAddress = { trustedHops: 1, header: 'x-real-ip' })),
      names: /clientAddress\.header/,
    },
  ];
}

function badIdentities(): BadConfig[] {
  const api = (what: string, credentials: unknown, names: RegExp): BadConfig => ({
    what: `credentials: ${what}`,
    config: changed((c) => (c.apis[0]!.credentials = credentials)),
    names,
  });
  const workloads = (
    what: string,
    list: unknown,
    names = /consumers\[0\]\.workloads\[0\].*must be a SPIFFE id/,
  ): BadConfig => ({
    what: `workloads: ${what}`,
    config: changed((c) => (c.consumers[0]!.workloads = list)),
    names,
  });
  return [
    api('none', [], /apis\[0\]\.credentials.*needs a credential/),
    api('an unknown one', ['password'], /credentials\[0\].*must be a credential/),
    api('the same twice', ['key', 'workload', 'key'], /credentials\[2\].*given twice/),
    api('a string', 'key', /credentials.*must be a list/),
    {
      what: 'an unknown proof',
      config: changed((c) => (c.workloadProof = 'mtls')),
      names: /workloadProof.*"rbac" or "listener"/,
    },
    workloads('a string', 'spiffe://a/b', /consumers\[0\]\.workloads.*must be a list/),
    workloads('another scheme', ['https://cluster.local/ns/shop/sa/cart']),
    workloads('no path', ['spiffe://cluster.local']),
    workloads('an empty path', ['spiffe://cluster.local/']),
    workloads('an empty segment', ['spiffe://cluster.local/ns//sa']),
    workloads('a slash at the end', ['spiffe://cluster.local/ns/']),
    workloads('a dot segment', ['spiffe://cluster.local/ns/../sa']),
    workloads('no trust domain', ['spiffe:///ns/shop']),
    workloads('an upper-case trust domain', ['spiffe://Cluster.local/ns']),
    workloads('a port', ['spiffe://cluster.local:8080/ns']),
    workloads('a pattern', ['spiffe://cluster.local/ns/*/sa/cart']),
    workloads('a query', ['spiffe://cluster.local/ns?x']),
    workloads('a space', ['spiffe://cluster.local/n s']),
    workloads('an escape', ['spiffe://cluster.local/%2e%2e/a']),
    workloads('256 bytes', [`spiffe://d.test/${'a'.repeat(240)}`], /workloads\[0\].*1 to 255 bytes/),
    workloads(
      'one twice',
      ['spiffe://a.test/b', 'spiffe://a.test/b'],
      /workload "spiffe:\/\/a\.test\/b" of consumer "acme" is one of consumer "acme" already/,
    ),
    {
      what: 'workloads: one of two consumers',
      config: changed((c) =>
        c.consumers.push({ name: 'other', workloads: ['spiffe://cluster.local/ns/shop/sa/acme'] }),
      ),
      names: /of consumer "other" is one of consumer "acme" already/,
    },
  ];
}

function badTokens(): BadConfig[] {
  const token = (what: string, fields: object, names: RegExp): BadConfig => ({
    what: `tokens: ${what}`,
    config: changed((c) => Object.assign((c as Node as { tokens: Node[] }).tokens[0]!, fields)),
    names,
  });
  const subjects = (what: string, list: unknown, names: RegExp): BadConfig => ({
    what: `subjects: ${what}`,
    config: changed((c) => (c.consumers[0]!.tokens = list)),
    names,
  });
  const visible = /must hold only visible ASCII characters without quotation marks and backslashes/;
  return [
    { what: 'tokens: a mapping', config: changed((c) => (c.tokens = {})), names: /tokens.*must be a list/ },
    {
      what: 'tokens: too many',
      config: changed((c) => (c.tokens = Array.from({ length: 17 }, (_, i) => ({ name: `t${i}`, issuer: `i${i}` })))),
      names: /tokens\[16\].*at most 16 issuers of tokens/,
    },
    {
      what: 'tokens: without an issuer',
      config: changed((c) => (c.tokens = [{ name: 'corp' }])),
      names: /tokens\[0\].*needs the field "issuer"/,
    },
    {
      what: 'tokens: without a name',
      config: changed((c) => (c.tokens = [{ issuer: 'i' }])),
      names: /tokens\[0\].*needs the field "name"/,
    },
    token('an unknown field', { jwks: 'https://corp.example/keys' }, /tokens\[0\]\.jwks.*unknown field/),
    token('a name that is none', { name: 'c o' }, /tokens\[0\]\.name/),
    token('a name twice', { name: 'partner' }, /tokens\[1\]\.name.*a second token named "partner"/),
    token('an issuer twice', { issuer: 'https://partner.example' }, /tokens\[1\]\.issuer.*a second token of issuer/),
    token('an issuer of 256 bytes', { issuer: 'i'.repeat(256) }, /tokens\[0\]\.issuer.*1 to 255 bytes/),
    token('an issuer with a quotation mark', { issuer: 'a"b' }, visible),
    token('no audience', { audiences: [] }, /tokens\[0\]\.audiences.*needs an audience/),
    token('17 audiences', { audiences: Array.from({ length: 17 }, (_, i) => `a${i}`) }, /audiences\[16\].*at most 16/),
    token('an audience with a space', { audiences: ['a b'] }, visible),
    token('a claim with a NUL', { plan: 'a\u0000b' }, visible),
    token('a claim beyond ASCII', { scopes: 'ü' }, visible),
    token('an empty claim', { consumer: '' }, /tokens\[0\]\.consumer.*1 to 127 bytes/),
    token('a claim that is a list', { scopes: ['a', 'b'] }, /tokens\[0\]\.scopes.*must be a string/),
    token('a word for forward', { forward: 'yes' }, /tokens\[0\]\.forward.*must be true or false/),
    subjects('a mapping', { corp: ['a'] }, /consumers\[0\]\.tokens.*must be a list/),
    subjects('none', [{ issuer: 'corp', subjects: [] }], /tokens\[0\]\.subjects.*needs a subject/),
    subjects('without an issuer', [{ subjects: ['a'] }], /tokens\[0\].*needs the field "issuer"/),
    subjects(
      'of another issuer',
      [{ issuer: 'other', subjects: ['a'] }],
      /consumer "acme": tokens: no token named "other"/,
    ),
    subjects('256 bytes', [{ issuer: 'corp', subjects: ['a'.repeat(256)] }], /subjects\[0\].*1 to 255 bytes/),
    subjects('a backslash', [{ issuer: 'corp', subjects: ['a\\b'] }], visible),
    subjects('a line break', [{ issuer: 'corp', subjects: ['a\nb'] }], visible),
    subjects(
      'one twice',
      [{ issuer: 'corp', subjects: ['a', 'a'] }],
      /subject "a" of consumer "acme" is one of consumer "acme" already/,
    ),
    {
      what: 'subjects: one of two consumers',
      config: changed((c) => c.consumers.push({ name: 'other', tokens: [{ issuer: 'corp', subjects: ['acme-1'] }] })),
      names: /subject "acme-1" of consumer "other" is one of consumer "acme" already/,
    },
  ];
}

function badOperationQuotas(): BadConfig[] {
  const bad = (what: string, operation: object, names: RegExp): BadConfig => ({
    what: `an operation's quotas: ${what}`,
    config: changed((c) => (c.apis[0]!.operations = [{ name: 'o', path: '/', ...operation }])),
    names,
  });
  const own = (count: number, fields: object = {}): Node[] =>
    Array.from({ length: count }, (_, i) => ({ ...QUOTA, name: `own${i}`, ...fields }));
  return [
    bad('no list', { quotas: {} }, /apis\[0\]\.operations\[0\]\.quotas.*list/),
    bad('one without a limit', { quotas: [{ name: 'q', window: 'hour' }] }, /operations\[0\]\.quotas\[0\].*limit/),
    bad('two of one name', { quotas: [QUOTA, QUOTA] }, /operations\[0\]\.quotas\[1\]\.name.*second quota/),
    bad('one per API', { quotas: [{ ...QUOTA, per: 'api' }] }, /per goes with a plan's quota/),
    bad('without a cost', { quotas: [QUOTA], cost: 0 }, /operations\[0\].*needs a cost above 0/),
    bad('nine', { quotas: own(9) }, /at most 8 quotas/),
    bad(
      'six beside three of a plan',
      { quotas: own(6) },
      /operations\[0\]: more than 8 quotas together with the plan "free"/,
    ),
    bad(
      'four of the mesh',
      { quotas: own(4, { scope: 'mesh' }) },
      /at most 3 quotas of a plan may have the scope mesh/,
    ),
    bad(
      'one of the mesh without a service',
      { quotas: own(1, { scope: 'mesh' }) },
      /there must be a rate limit service/,
    ),
    {
      what: "an operation's quotas: mesh-wide ones beside those of a plan",
      config: changed((c) => {
        c.rateLimitService = { cluster: 'c', domain: 'd' };
        (c.plans[0]!.quotas as Node[])[0]!.scope = 'mesh';
        c.apis[0]!.operations = [{ name: 'o', path: '/', quotas: own(3, { scope: 'mesh' }) }];
      }),
      names: /more than 3 quotas of the scope mesh together with the plan "free"/,
    },
    {
      what: "an operation's quotas: 4097 in all",
      config: changed((c) => {
        c.plans[0]!.quotas = [];
        c.consumers = [];
        c.apis[0]!.routes = [];
        c.apis[0]!.operations = Array.from({ length: 1025 }, (_, i) => ({
          name: `o${i}`,
          path: `/${i}`,
          quotas: own(i < 1024 ? 4 : 1),
        }));
      }),
      names: /operations\[1024\].*at most 4096 quotas of operations in all/,
    },
  ];
}
