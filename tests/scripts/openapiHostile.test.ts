import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { validPolicy } from '../../scripts/policy/index.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';
import { tollgate, type Run } from './fakeIo.ts';

const POLICY = 'policy: shop\napis: {}\nplans: { free: {} }\n';

/** Imports files of a folder of its own; `main` is the document. */
async function imported(
  files: Record<string, string>,
  options: string[] = [],
  main = 'api/main.yaml',
): Promise<Run & { readonly folder: string; readonly policy: string }> {
  const folder = scratchFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const policy = scratchFile(folder, POLICY);
  const run = await tollgate(['import', 'openapi', join(folder, main), '--into', policy, ...options]);
  return { ...run, folder, policy: readFileSync(policy, 'utf8') };
}

const HEAD = "openapi: 3.1.0\ninfo: { title: T, version: '1' }\n";
const FINE = '/fine: { get: { responses: { 200: { description: OK } } } }';

function withPaths(paths: string, more = ''): string {
  return `${HEAD}${more}paths:\n  ${FINE}\n${paths.replace(/^/gm, '  ')}\n`;
}

function keysOf(policy: string): string[] {
  return Object.values(validPolicy(policy, 'p').policy.apis).flatMap(({ operations }) => Object.keys(operations ?? {}));
}

test('references lead to files beside the document, and from there on', async () => {
  const { code, err, policy } = await imported({
    'api/main.yaml': withPaths(
      "/a: { $ref: 'paths/a.yaml' }\n/b: { $ref: './paths/b.json#/items/b~1c%20d' }\n/c: { $ref: '#/paths/~1a' }",
    ),
    'api/paths/a.yaml': 'get: { operationId: a }\n',
    'api/paths/b.json': '{ "items": { "b/c d": { "$ref": "../more.yaml#/x" } } }',
    'api/more.yaml': 'x: { put: { operationId: b } }\n',
  });
  assert.equal(code, 0, err);
  assert.deepEqual(keysOf(policy), ['GET /fine', 'GET /a', 'PUT /b', 'GET /c']);
});

/** What a reference is, and what is said of it. */
const REFERENCES: readonly (readonly [reference: string, rule: string])[] = [
  ['../secret.yaml', 'lies outside the folder of the document; --root names a folder above it'],
  ['../../../../../../etc/passwd', 'lies outside the folder of the document; --root names a folder above it'],
  ['%2e%2e/secret.yaml', 'lies outside the folder of the document; --root names a folder above it'],
  ['paths/../../secret.yaml', 'lies outside the folder of the document; --root names a folder above it'],
  ['link.yaml', 'lies outside the folder of the document; --root names a folder above it'],
  ['linked/secret.yaml', 'lies outside the folder of the document; --root names a folder above it'],
  ['/etc/passwd', 'is not a file beside the document'],
  ['..\\\\secret.yaml', 'is not a file beside the document'],
  ['a%00b', 'is not a file beside the document'],
  ['file:///etc/passwd', 'is on the network, which is read with --allow-net only'],
  ['http://127.0.0.1/x', 'is on the network, which is read with --allow-net only'],
  ['https://example.com/x.yaml', 'is on the network, which is read with --allow-net only'],
  ['//example.com/x.yaml', 'is no address'],
  ['none.yaml', 'no such file'],
  ['plain.txt#/a', 'there is nothing'],
  ['#/none', 'there is nothing'],
  ['#/info/title/x', 'there is nothing'],
  ['#/__proto__/constructor', 'there is nothing'],
  ['#none', 'is no JSON pointer'],
  ['#%E0', 'is no JSON pointer'],
];

for (const [reference, rule] of REFERENCES)
  test(`a reference to ${reference} is lost, and nothing of the file is shown`, async () => {
    const folder = scratchFolder();
    const inside = join(folder, 'api');
    mkdirSync(inside);
    writeFileSync(join(folder, 'secret.yaml'), 'get: { operationId: hushhush }\n');
    writeFileSync(join(inside, 'plain.txt'), 'hushhush: x\n');
    symlinkSync('../secret.yaml', join(inside, 'link.yaml'));
    symlinkSync('..', join(inside, 'linked'));
    writeFileSync(join(inside, 'main.yaml'), withPaths(`/a: { $ref: "${reference}" }`));
    const { code, err, out } = await tollgate(['init', '--openapi', join(inside, 'main.yaml')]);
    assert.equal(code, 0, err);
    const shown = JSON.stringify(reference.replaceAll('\\\\', '\\')).replaceAll('\\\\', '\\');
    assert.equal(err, `${join(inside, 'main.yaml')}: #/paths/~1a: cannot be followed to ${shown}: ${rule}\n`);
    assert.doesNotMatch(out + err, /hushhush|root:/);
    assert.deepEqual(keysOf(out), ['GET /fine']);
  });

test('--root lets references go up to that folder', async () => {
  const files = { 'api/main.yaml': withPaths("/a: { $ref: '../shared/a.yaml' }"), 'shared/a.yaml': 'get: {}\n' };
  const folder = scratchFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const { code, out, err } = await tollgate(['init', '--openapi', join(folder, 'api/main.yaml'), '--root', folder]);
  assert.deepEqual([code, err], [0, '']);
  assert.deepEqual(keysOf(out), ['GET /fine', 'GET /a']);
});

test('references in circles end', async () => {
  const { code, err, policy } = await imported({
    'api/main.yaml': withPaths("/a: { $ref: '#/paths/~1b' }\n/b: { $ref: '#/paths/~1a' }\n/c: { $ref: 'c.yaml' }"),
    'api/c.yaml': "$ref: 'd.yaml'\n",
    'api/d.yaml': "$ref: 'c.yaml'\n",
  });
  assert.equal(code, 0, err);
  assert.deepEqual(keysOf(policy), ['GET /fine']);
  assert.equal(err.match(/is a chain of references that does not end/g)?.length, 3);
});

test('a pipe, a device and a folder are no documents', async () => {
  const folder = scratchFolder();
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  symlinkSync('/dev/zero', join(folder, 'zero'));
  mkdirSync(join(folder, 'folder'));
  for (const [name, rule] of [
    ['pipe', 'must be an OpenAPI document; the file is empty'],
    ['zero', 'must have at most 67108864 bytes; found more'],
    ['folder', 'must be a file; found a folder'],
  ] as const) {
    const { code, err } = await tollgate(['init', '--openapi', join(folder, name)]);
    assert.deepEqual([code, err], [1, `${join(folder, name)}: ${rule}\n`]);
  }
});

const laughs = Array.from(
  { length: 10 },
  (_, i) =>
    `x-${i}: &l${i} [${Array(10)
      .fill(i === 0 ? 'ha' : `*l${i - 1}`)
      .join(', ')}]`,
);

const BOMBS: readonly (readonly [what: string, text: string, rule: RegExp])[] = [
  ['billion laughs', `${HEAD}${laughs.join('\n')}\npaths: {}\n`, /must have at most 8388608 values/],
  [
    'deep lists',
    `{"openapi":"3.1.0","x":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
    /must not nest deeper than 200 levels/,
  ],
  ['deep YAML', `${HEAD}x: ${'['.repeat(5_000)}`, /nesting exceeded/],
  ['an anchor within itself', `${HEAD}x: &x [*x]\n`, /must not nest deeper than 200 levels/],
  [
    'half a JSON document',
    '{"openapi": "3.1.0", "paths": {"/secret-plans": ',
    /^[^"]*:1: must be valid JSON or YAML: [a-z ]+\n$/,
  ],
  ['bytes', '\ud800\0', /must be valid|NUL|stream|special/],
];

for (const [what, text, rule] of BOMBS)
  test(`${what}: refused in a moment`, async () => {
    const begun = performance.now();
    const { code, err, policy } = await imported({ 'api/main.yaml': text });
    assert.equal(code, 1);
    assert.match(err, rule);
    assert.doesNotMatch(err, /secret-plans|internal error/);
    assert.equal(policy, POLICY);
    assert.ok(performance.now() - begun < 10_000);
  });

test('thousands of servers, methods, scopes and values of variables are bounded', async () => {
  const many = Array.from({ length: 5_000 }, (_, i) => i);
  const document = {
    openapi: '3.1.0',
    info: { title: 'T', version: '1' },
    servers: [
      {
        url: 'https://{a}{b}{c}.example.com',
        variables: Object.fromEntries(
          ['a', 'b', 'c'].map((name) => [name, { enum: many.map((i) => `x${i}`), default: 'x' }]),
        ),
      },
      ...many.map((i) => ({ url: `https://h${i}.example.com` })),
    ],
    components: {
      securitySchemes: Object.fromEntries(many.map((i) => [`s${i}`, { type: 'apiKey', in: 'header', name: `x-${i}` }])),
    },
    paths: {
      '/fine': { get: {} },
      '/scopes': { get: { security: [{ s0: many.map((i) => `s${i}`) }] } },
      '/many': { get: { security: many.map((i) => ({ [`s${i}`]: [] })) } },
    },
  };
  const { code, err, policy } = await imported({ 'api/main.yaml': JSON.stringify(document) });
  assert.equal(code, 0, err);
  assert.deepEqual(keysOf(policy), ['GET /fine', 'GET /many']);
  const { apis, keySources } = validPolicy(policy, 'p').policy;
  assert.deepEqual([keySources.length, Object.values(apis)[0]!.hosts!.length], [8, 256]);
  assert.match(err, /#\/servers: has more than 256 addresses/);
  assert.match(err, /#\/components\/securitySchemes\/s8: is one place of a key too many: a policy looks in at most 8/);
  assert.match(err, /#\/paths\/~1scopes\/get\/security\/0: must ask for at most 16 scopes; found 5000/);
});

test('names with control characters, line breaks and keys reach neither the terminal nor the policy as they are', async () => {
  const name = '\u001b[31m\u202e\nx: y # "\u0000';
  const document = {
    openapi: '3.1.0',
    info: { title: name, version: '1' },
    servers: [{ url: `https://a.example.com/${name}` }],
    components: { securitySchemes: { [name]: { type: name, name, in: name } } },
    paths: {
      '/fine': { get: { operationId: name, security: [{ [name]: [name] }, { [name]: [] }] } },
      [`/${name}`]: { get: {}, [name]: {} },
      [`/{${name}}`]: { get: { tags: [name] } },
    },
  };
  const { code, err, policy } = await imported({ 'api/main.yaml': JSON.stringify(document) });
  assert.equal(code, 0, err);
  assert.doesNotMatch(err + policy, /[^\P{C}\n]/u);
  for (const line of err.trimEnd().split('\n')) assert.match(line, /^\//);
  const { out } = await tollgate(['init', '--openapi', '-'], { stdin: JSON.stringify(document) });
  assert.doesNotMatch(out, /[^\P{C}\n]/u);
  assert.match(out, /^# Who may call \[31m x: y # ", how often/m);
});

/** Documents that are wrong everywhere: a value of any kind in the place of each of the fields that are read. */
const anything = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      null,
      true,
      7,
      -1,
      1e308,
      '',
      'x',
      '/',
      '{',
      '#/paths',
      [],
      {},
      [[]],
      [{}],
      { $ref: '#' },
      { $ref: 7 },
      { __proto__: null },
    ),
  },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
);

test('wrong types anywhere: an answer, never a crash, and a valid policy or none', async () => {
  const fields = [
    ...[
      'openapi',
      'info',
      'servers',
      'security',
      'components',
      'paths',
      'x-tollgate-plan',
      'x-tollgate-cost',
      'x-tollgate-quotas',
    ],
    ...[
      'info.title',
      'servers.0',
      'servers.0.url',
      'servers.0.variables',
      'servers.0.variables.v',
      'servers.0.variables.v.enum',
      'servers.0.variables.v.default',
    ],
    ...[
      'components.securitySchemes',
      'components.securitySchemes.k',
      'components.securitySchemes.k.type',
      'components.securitySchemes.k.in',
      'components.securitySchemes.k.name',
      'security.0',
      'security.0.k',
      'security.0.k.0',
    ],
    ...[
      'paths./a',
      'paths./a.get',
      'paths./a.parameters',
      'paths./a.servers',
      'paths./a.additionalOperations',
      'paths./a.get.security',
      'paths./a.get.operationId',
      'paths./a.get.deprecated',
      'paths./a.get.x-sunset',
    ],
    ...[
      'paths./a.get.x-tollgate-plan',
      'paths./a.get.x-tollgate-cost',
      'paths./a.get.x-tollgate-quotas',
      'paths./a.get.security.0',
    ],
  ];
  const sound = (): Record<string, unknown> => ({
    openapi: '3.2.0',
    info: { title: 'T', version: '1' },
    servers: [{ url: 'https://a.example.com/{v}', variables: { v: { enum: ['v1'], default: 'v1' } } }],
    security: [{ k: ['s'] }],
    components: { securitySchemes: { k: { type: 'apiKey', in: 'header', name: 'x-k' } } },
    paths: { '/a': { get: { security: [{ k: ['s'] }], operationId: 'a', deprecated: true } }, '/b': { get: {} } },
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(...fields), anything), { minLength: 1, maxLength: 3 }),
      async (changes) => {
        const document = sound();
        for (const [path, value] of changes) put(document, path.split('.'), value);
        const { code, out, err } = await tollgate(['init', '--openapi', '-'], { stdin: JSON.stringify(document) });
        assert.doesNotMatch(err, /internal error|\n\s+at /);
        assert.ok(code === 0 || code === 1);
        if (code === 0) validPolicy(out, 'p');
        else assert.equal(out, '');
      },
    ),
    { seed: 13, numRuns: 200 },
  );
});

function put(root: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at: unknown = root;
  for (const name of path.slice(0, -1)) {
    if (typeof at !== 'object' || at === null) return;
    at = (at as Record<string, unknown>)[name];
  }
  if (typeof at === 'object' && at !== null) (at as Record<string, unknown>)[path.at(-1)!] = value;
}
