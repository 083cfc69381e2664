import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from 'js-yaml';
import { describeApi, type Described } from '../../scripts/openapi/describeApi.ts';
import { fitted, type WrittenApi } from '../../scripts/openapi/fit.ts';

interface Read {
  readonly described: Described;
  readonly api: WrittenApi;
  /** `POINTER: RULE`. */
  readonly losses: string[];
  readonly invalid: string[];
}

async function read(text: string): Promise<Read> {
  const reach = { net: false, stdin: () => Promise.resolve(Buffer.from(text)), signal: new AbortController().signal };
  const { described, losses, invalid } = await describeApi('-', reach, () => undefined);
  const { api } = fitted(described, described.plans ?? ['free'], losses);
  return {
    described,
    api,
    losses: losses.all.map(({ pointer, rule }) => `${pointer}: ${rule}`),
    invalid: invalid.map(({ pointer, rule }) => `${pointer}: ${rule}`),
  };
}

const RESPONSES = 'responses: { 200: { description: OK } }';

/** A document of OpenAPI 3.1 with these fields and paths. */
function document(paths: string, fields = ''): string {
  return `openapi: 3.1.0\ninfo: { title: Orders, version: '1' }\n${fields}\npaths:\n${paths.replace(/^/gm, '  ')}\n`;
}

const ONE = `/orders: { get: { operationId: listOrders, ${RESPONSES} } }`;

for (const version of ['3.0.4', '3.1.1', '3.2.0'])
  test(`OpenAPI ${version}: servers, operations and security become an API`, async () => {
    const { described, api, losses, invalid } = await read(`openapi: ${version}
info: { title: Order API v2.1, version: '1' }
servers: [{ url: 'https://API.example.com:8443/v1/' }, { url: https://eu.example.com/v1 }]
security: [{ key: [] }]
paths:
  /orders:
    get: { operationId: listOrders, ${RESPONSES} }
    post: { security: [{ oauth: [orders:write, orders:read] }], ${RESPONSES} }
  /orders/{id}:
    get: { operationId: get order, security: [], ${RESPONSES} }
  x-note: { get: {} }
components:
  securitySchemes:
    key: { type: apiKey, in: header, name: X-Orders-Key }
    oauth: { type: oauth2, flows: { clientCredentials: { tokenUrl: https://a.example.com/t, scopes: { 'orders:write': w, 'orders:read': r } } } }
    unused: { type: apiKey, in: query, name: key }
`);
    assert.deepEqual(invalid, []);
    assert.equal(described.name, 'order');
    assert.deepEqual(described.keySources, [{ header: 'x-orders-key' }, { authorization: 'Bearer' }]);
    assert.deepEqual(api, {
      hosts: ['api.example.com', 'eu.example.com'],
      paths: ['/v1'],
      plans: ['free'],
      unlisted: 'deny',
      operations: {
        'GET /orders': { name: 'listOrders' },
        'POST /orders': { scopes: ['orders:write', 'orders:read'] },
        'GET /orders/{id}': { name: 'get-order', anonymous: 'allow' },
      },
    });
    assert.deepEqual(losses, [
      '#/paths/~1orders~1{id}/get/operationId: is "get-order" in the policy; found "get order"',
      '#/components/securitySchemes/oauth: is about tokens of an authorization server, which are not checked: callers send a key as bearer token',
    ]);
  });

test('Swagger 2.0: host, basePath and securityDefinitions', async () => {
  const { described, api, losses, invalid } = await read(`swagger: '2.0'
info: { title: Swagger Petstore, version: '1' }
host: petstore.swagger.io:443
basePath: /v2
schemes: [https]
security: [{ key: [] }, { basic: [] }]
paths: { /pets: { get: { ${RESPONSES} }, head: { security: [], ${RESPONSES} } } }
securityDefinitions: { key: { type: apiKey, in: query, name: api_key }, basic: { type: basic } }
`);
  assert.deepEqual(invalid, []);
  assert.deepEqual(described.keySources, [{ query: 'api_key' }, { basic: 'user' }]);
  assert.deepEqual([api.hosts, api.paths], [['petstore.swagger.io'], ['/v2']]);
  assert.deepEqual(api.operations, { 'GET /pets': {}, 'HEAD /pets': { anonymous: 'allow' } });
  assert.deepEqual(losses, [
    '#/securityDefinitions/basic: is about user names and passwords, which are not checked: callers send a key as user name',
  ]);
});

test('OpenAPI 3.2: the method query, and methods that it does not know', async () => {
  const { api, losses, invalid } = await read(`openapi: 3.2.0
info: { title: Docs, version: '1' }
paths:
  /docs:
    query: { operationId: search, ${RESPONSES} }
    additionalOperations: { COPY: { operationId: copy, ${RESPONSES} }, 'bad method': { ${RESPONSES} } }
`);
  assert.deepEqual(Object.keys(api.operations), ['QUERY /docs', 'COPY /docs']);
  assert.deepEqual(losses, [
    '#/paths/~1docs/additionalOperations/bad method: is no method in upper case; it is left out',
  ]);
  assert.deepEqual(invalid, ['#/paths/~1docs/additionalOperations: must not have a field "bad method"']);
});

const SERVERS: readonly (readonly [
  what: string,
  servers: string,
  api: Pick<WrittenApi, 'hosts' | 'paths'>,
  losses: string[],
])[] = [
  ['none', '[]', { paths: ['/'] }, []],
  ['a path alone: any host', '[{ url: /v1 }]', { paths: ['/v1'] }, []],
  ['any host beside one', '[{ url: https://a.example.com }, { url: / }]', { paths: ['/'] }, []],
  [
    'variables with their values',
    "[{ url: 'https://{region}.example.com/{v}', variables: { region: { enum: [eu, us], default: eu }, v: { enum: [v1, v2], default: v1 } } }]",
    { hosts: ['eu.example.com', 'us.example.com'], paths: ['/v1', '/v2'] },
    [],
  ],
  [
    'a name of any value before a domain',
    "[{ url: 'https://{tenant}.example.com:{port}', variables: { tenant: { default: demo }, port: { default: '443' } } }]",
    { hosts: ['*.example.com'], paths: ['/'] },
    [],
  ],
  [
    'a host of any value',
    "[{ url: '{scheme}://{host}/v1', variables: { scheme: { default: https }, host: { default: a.example.com } } }]",
    { paths: ['/v1'] },
    ['#/servers/0/variables/scheme: may have any value; only its default "https" is imported'],
  ],
  [
    'a variable without values',
    "[{ url: 'https://a.example.com/{v}' }, { url: https://b.example.com }]",
    { hosts: ['b.example.com'], paths: ['/'] },
    ['#/servers/0/variables/v: has no values; the server is left out'],
  ],
  [
    'a path of any value',
    "[{ url: 'https://a.example.com/{v}', variables: { v: { default: v1 } } }]",
    { hosts: ['a.example.com'], paths: ['/v1'] },
    ['#/servers/0/variables/v: may have any value; only its default "v1" is imported'],
  ],
  [
    'not each path on each host',
    '[{ url: https://a.example.com/v1 }, { url: https://b.example.com/v2 }]',
    { hosts: ['a.example.com', 'b.example.com'], paths: ['/v1', '/v2'] },
    ['#/servers: has not each path on each host; in the policy each host of the API has each of its paths'],
  ],
  [
    'an address that no policy could have',
    '[{ url: "https://a b/" }, { url: v1 }, { url: 7 }, 8, { url: "https://a.example.com/a b" }]',
    { paths: ['/'] },
    [
      '#/servers/0/url: is no host that a policy could name; found "a b"',
      '#/servers/1/url: is relative to where the document lies, which a policy does not know; found "v1"',
      '#/servers/2/url: must be a string; found 7',
      '#/servers/3: must be a mapping; found 8',
      '#/servers/4/url: is under no path that a policy could name; found "/a b"',
      '#/servers: has no address that a policy could say; the API lies under "/" of any host',
    ],
  ],
  [
    'a name of another script',
    '[{ url: https://münchen.example }]',
    { hosts: ['xn--mnchen-3ya.example'], paths: ['/'] },
    [],
  ],
  [
    'a password, a query',
    '[{ url: "https://u:p@a.example.com/v1?x=1" }]',
    { hosts: ['a.example.com'], paths: ['/v1'] },
    ['#/servers/0/url: holds a query or a fragment, which is left out'],
  ],
];

for (const [what, servers, expected, losses] of SERVERS)
  test(`servers: ${what}`, async () => {
    const found = await read(document(ONE, `servers: ${servers}`));
    const { hosts, paths } = found.api;
    assert.deepEqual({ ...(hosts && { hosts }), paths }, expected);
    assert.deepEqual(found.losses, losses);
  });

const SCHEMES = `components:
  securitySchemes:
    key: { type: apiKey, in: header, name: x-key }
    oauth: { type: http, scheme: bearer }
    mtls: { type: mutualTLS }
    raw: { type: apiKey, in: header, name: Authorization }
    host: { type: apiKey, in: header, name: Host }`;

const SECURITY: readonly (readonly [what: string, security: string, fields: object | null, losses: string[]])[] = [
  ['nothing', '[]', { anonymous: 'allow' }, []],
  ['nothing, or a key', '[{ key: [] }, {}]', { anonymous: 'allow' }, []],
  ['a key', '[{ key: [] }]', {}, []],
  ['all of some scopes', '[{ oauth: [a, b] }]', { scopes: ['a', 'b'] }, []],
  ['the least of two', '[{ oauth: [a, b] }, { oauth: [a] }]', { scopes: ['a'] }, []],
  [
    'one of two that differ: one stands for both',
    '[{ oauth: [a] }, { oauth: [b] }]',
    { scopes: ['a'] },
    ['#/paths/~1a/get/security: is met by other scopes too; a policy asks for all of one list: a'],
  ],
  [
    'two credentials at once',
    '[{ key: [], oauth: [a] }]',
    { scopes: ['a'] },
    ['#/paths/~1a/get/security/0: asks for several credentials at once; a policy takes one key'],
  ],
  [
    'a scheme that is not there',
    '[{ none: [] }]',
    {},
    ['#/paths/~1a/get/security/0/none: is no security scheme of the document; a key is needed'],
  ],
  [
    'what is no list',
    '{ key: [] }',
    {},
    ['#/paths/~1a/get/security: must be a list, so that a key is needed; found a mapping'],
  ],
  [
    'what is no list either',
    'null',
    {},
    ['#/paths/~1a/get/security: must be a list, so that a key is needed; found null'],
  ],
  [
    'a scope that nobody can have',
    '[{ oauth: ["a b"] }]',
    null,
    [
      '#/paths/~1a/get/security/0/oauth/0: is no scope that a policy could name, so nobody has it; found "a b"',
      '#/paths/~1a/get: is left out: a policy cannot ask for what it needs',
    ],
  ],
  [
    'a string where a requirement belongs',
    '[key]',
    null,
    [
      '#/paths/~1a/get/security/0: must be a mapping; found "key"',
      '#/paths/~1a/get: is left out: a policy cannot ask for what it needs',
    ],
  ],
  [
    'a certificate',
    '[{ mtls: [] }]',
    {},
    ['#/components/securitySchemes/mtls: is not checked: callers need a key; found type "mutualTLS"'],
  ],
  ['the Authorization header as it is', '[{ raw: [] }]', {}, []],
  [
    'a header of HTTP itself',
    '[{ host: [] }]',
    {},
    ['#/components/securitySchemes/host: is no place where a policy could look for a key; found "host"'],
  ],
];

for (const [what, security, fields, losses] of SECURITY)
  test(`security that asks for ${what}`, async () => {
    const paths = `/a: { get: { security: ${security}, ${RESPONSES} } }\n/b: { get: { ${RESPONSES} } }`;
    const found = await read(document(paths, `security: [{ key: [] }]\n${SCHEMES}`));
    assert.deepEqual(found.api.operations, { ...(fields && { 'GET /a': fields }), 'GET /b': {} });
    assert.deepEqual(found.losses, losses);
  });

test('where nothing asks for a key the API is anonymous, and says so once', async () => {
  const { api } = await read(document(`/a: { get: { ${RESPONSES} } }\n/b: { get: { security: [{}], ${RESPONSES} } }`));
  assert.equal(api.anonymous, 'allow');
  assert.deepEqual(api.operations, { 'GET /a': {}, 'GET /b': {} });
});

const TEMPLATES: readonly (readonly [path: string, key: string | null, losses: string[]])[] = [
  ['/', 'GET /', []],
  ['/pets/', 'GET /pets', []],
  ['/pets/{id}.json', 'GET /pets/{id}.json', []],
  ['/v{n}/x:cancel', 'GET /v{n}/x:cancel', []],
  ['/files/{path+}', 'GET /files/{path...}', []],
  ['/files/{+path}', 'GET /files/{path...}', []],
  [
    '/caf%C3%A9',
    null,
    ['holds characters that no template of a policy can have, so what lies there is left out; found "caf%C3%A9"'],
  ],
  ['/a%2Db', 'GET /a-b', []],
  [
    '/compare/{base}...{head}',
    'GET /compare/{base}',
    ['has 2 variables in a segment; the policy has one in their place: "{base}"'],
  ],
  ['/r/{y}-{m}.pdf', 'GET /r/{y}.pdf', ['has 2 variables in a segment; the policy has one in their place: "{y}.pdf"']],
  ['/a/{id}/b/{id}', 'GET /a/{id}/b/{id2}', []],
  ['/a/{user id}', 'GET /a/{user_id}', []],
  ['/a?b=c', 'GET /a', ['holds a query or a fragment, which a policy does not look at; only the path counts']],
  [
    '/a b',
    null,
    ['holds characters that no template of a policy can have, so what lies there is left out; found "a b"'],
  ],
  [
    '/a/{b',
    null,
    ['holds characters that no template of a policy can have, so what lies there is left out; found "{b"'],
  ],
  ['pets', null, ['must begin with "/"; it is left out']],
];

for (const [path, key, rules] of TEMPLATES)
  test(`the path ${path} is ${key ?? 'left out'}`, async () => {
    const { api, losses } = await read(
      document(`${JSON.stringify(path)}: { get: { ${RESPONSES} } }\n/other: { put: { ${RESPONSES} } }`),
    );
    assert.deepEqual(Object.keys(api.operations), [...(key === null ? [] : [key]), 'PUT /other']);
    const pointer = `#/paths/${path.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    assert.deepEqual(
      losses,
      rules.map((rule) => `${pointer}: ${rule}`),
    );
  });

test('what a policy cannot tell apart asks for what both ask for', async () => {
  const { api, losses } = await read(
    document(
      `/a/{x}: { get: { operationId: one, security: [], ${RESPONSES} } }
/a/{y}/: { get: { operationId: two, security: [{ oauth: [s] }], x-tollgate-cost: 3, ${RESPONSES} } }`,
      `security: [{ key: [] }]\n${SCHEMES}`,
    ),
  );
  assert.deepEqual(api.operations, { 'GET /a/{x}': { name: 'one', scopes: ['s'], cost: 3 } });
  assert.deepEqual(losses, [
    '#/paths/~1a~1{y}~1/get: is the same operation of a policy as "GET /a/{x}"; what both ask for is asked for',
  ]);
});

test('x-tollgate fields: on the operation, the path item, the document', async () => {
  const { api, losses, described } = await read(
    document(
      `/a:
  x-tollgate-cost: 2
  get: { x-tollgate-plan: gold, ${RESPONSES} }
  put: { x-tollgate-plan: [gold, free], x-tollgate-cost: 0, ${RESPONSES} }
  post: { x-tollgate-cost: many, x-tollgate-plan: [], ${RESPONSES} }
  patch: { x-tollgate-cost: -1, ${RESPONSES} }
/b: { get: { ${RESPONSES} } }
/c:
  x-tollgate-quotas: { reads: { limit: 30, window: minute } }
  get: { ${RESPONSES} }
  put: { x-tollgate-quotas: { writes: { limit: 3, window: fortnight } }, ${RESPONSES} }`,
      'x-tollgate-plan: free\nx-tollgate-cost: 5\nx-tollgate-quotas: { daily: { limit: 10, window: day } }',
    ),
  );
  assert.deepEqual(described.quotas, load('daily: { limit: 10, window: day }'));
  assert.deepEqual(api.plans, ['free', 'gold']);
  assert.deepEqual(api.operations, {
    'GET /a': { plans: ['gold'], cost: 2 },
    'PUT /a': { plans: ['gold', 'free'], cost: 0 },
    'PATCH /a': { anonymous: 'allow' },
    'GET /b': { cost: 5, anonymous: 'allow' },
    'GET /c': { cost: 5, quotas: load('reads: { limit: 30, window: minute }'), anonymous: 'allow' },
    'PUT /c': { cost: 5, anonymous: 'allow' },
  });
  assert.deepEqual(losses, [
    "#/paths/~1a/post/x-tollgate-plan: must be a plan's name or a list of them; found a list",
    '#/paths/~1a/post: is left out: a policy cannot ask for what it needs',
    '#/paths/~1a/patch/x-tollgate-cost: must be a whole number from 0 to 1000000; found -1',
    '#/paths/~1c/put: "quotas" is left out: must be second, minute, hour, day, week, month or year, or a length from 1s to 366d such as 10s, 15m or 6h',
  ]);
});

test('servers of an operation, and a second operationId, are reported', async () => {
  const { api, losses } = await read(
    document(`/a: { servers: [{ url: /x }], get: { operationId: one, servers: [{ url: /y }], ${RESPONSES} } }
/b: { get: { operationId: one, ${RESPONSES} } }`),
  );
  assert.deepEqual(api.operations, { 'GET /a': { name: 'one' }, 'GET /b': {} });
  assert.deepEqual(losses, [
    "#/paths/~1a/servers: are servers of their own; the operations lie on the API's hosts and paths",
    "#/paths/~1a/get/servers: are servers of its own; the operation lies on the API's hosts and paths",
    '#/paths/~1b/get/operationId: is no name of its own in a policy, so methods and template are the name; found "one"',
  ]);
});

test('what the specification does not allow is said, and the rest is read', async () => {
  const { api, invalid } = await read(document(`/a: { get: { securty: [], ${RESPONSES} } }`));
  assert.deepEqual(Object.keys(api.operations), ['GET /a']);
  assert.deepEqual(invalid, ['#/paths/~1a/get: must not have a field "securty"']);
});

const REFUSED: readonly (readonly [text: string, message: RegExp])[] = [
  ['', /^standard input: must be an OpenAPI document; the file is empty$/],
  ['[]', /must be an OpenAPI document; found a list$/],
  ['a: 1', /must be an OpenAPI document, with a field "openapi" or "swagger" that says its version$/],
  ['openapi: 4.0.0', /must be OpenAPI 3\.0, 3\.1, 3\.2 or Swagger 2\.0; found "4\.0\.0"$/],
  ['swagger: 1.2', /must be OpenAPI 3\.0, 3\.1, 3\.2 or Swagger 2\.0; found 1\.2$/],
  ['openapi: 3.1.0', /has no operation that could be imported$/],
  ['openapi: 3.1.0\npaths: []', /has no operation that could be imported; #\/paths: must be a mapping; found a list$/],
  ['{ "openapi": "3.1.0", "paths": {', /^standard input:1: must be valid JSON or YAML: /],
  ['a: [1,\nb: 2', /^standard input:2: must be valid JSON or YAML: /],
];

for (const [text, message] of REFUSED)
  test(`refuses ${JSON.stringify(text)}`, async () => {
    await assert.rejects(read(text), (error: Error) => error.name === 'OpenApiError' && message.test(error.message));
  });
