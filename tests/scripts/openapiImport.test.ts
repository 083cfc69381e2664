import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { recordsIn } from '../../scripts/policyFile/record.ts';
import { validPolicy } from '../../scripts/policy/index.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';
import { tollgate, type Run } from './fakeIo.ts';

const folder = scratchFolder();

type Item = Record<string, unknown>;

const responses = { 200: { description: 'OK' } };
const USUAL: Record<string, Record<string, Item>> = {
  '/orders': { get: { operationId: 'listOrders' }, post: { operationId: 'order', security: [{ key: ['write'] }] } },
  '/orders/{id}': {
    get: { operationId: 'showOrder' },
    delete: { operationId: 'cancel', security: [{ key: ['write'] }] },
  },
};

/** A document in a folder of its own; the file is always called the same. */
function documentOf(paths = USUAL, more: Item = {}): string {
  const full = Object.fromEntries(
    Object.entries(paths).map(([path, item]) => [
      path,
      Object.fromEntries(Object.entries(item).map(([method, one]) => [method, { responses, ...one }])),
    ]),
  );
  const document = {
    openapi: '3.1.0',
    info: { title: 'Orders', version: '1' },
    servers: [{ url: 'https://api.example.com/v1' }],
    security: [{ key: [] }],
    components: { securitySchemes: { key: { type: 'apiKey', in: 'header', name: 'x-orders-key' } } },
    ...more,
    paths: full,
  };
  const file = join(scratchFolder(), 'orders.json');
  writeFileSync(file, JSON.stringify(document));
  return file;
}

const POLICY = `# Who may shop
policy: shop

keySources:
  - header: x-api-key # since 2020

apis:
  # the first
  pets: { paths: [/pets], plans: [free] }

plans:
  free: # for nothing
    quotas: { daily: { limit: 10, window: day } }
  gold: {}

consumers:
  acme: { plan: free, scopes: [write] } # best customer

# the end
`;

interface Imported extends Run {
  readonly text: string;
}

async function imported(document: string, policy: string, ...options: string[]): Promise<Imported> {
  const run = await tollgate(['import', 'openapi', document, '--into', policy, ...options]);
  return { ...run, text: readFileSync(policy, 'utf8') };
}

/** The text without the record. */
function bare(text: string): string {
  return text.replace(/\n# What "tollgate import[^]*?\n(?!#=)/, '\n').replace(/\n+$/, '\n');
}

const API = `  orders:
    hosts: [api.example.com]
    paths: [/v1]
    plans: [free, gold]
    unlisted: deny
    operations:
      GET /orders: { name: listOrders }
      POST /orders: { name: order, scopes: [write] }
      GET /orders/{id}: { name: showOrder }
      DELETE /orders/{id}: { name: cancel, scopes: [write] }
`;
const SOURCES = `  - header: x-api-key # since 2020
  - header: x-orders-key
`;
const PETS = '  pets: { paths: [/pets], plans: [free] }\n';
const AFTER = POLICY.replace('  - header: x-api-key # since 2020\n', SOURCES).replace(PETS, PETS + API);

test('an API comes into a policy, and everything else stays, byte for byte', async () => {
  const file = scratchFile(folder, POLICY);
  const { code, out, err, text } = await imported(documentOf(), file);
  assert.deepEqual([code, out], [0, '']);
  assert.equal(bare(text), AFTER);
  assert.equal(
    err,
    `${file}: orders: offered by the plans free, gold; --plan names others for a new API
${file}: orders: keys are also taken from header x-orders-key
${file}: orders: new, with 4 operations\n`,
  );
  assert.equal((await tollgate(['fmt', '--check', file])).code, 0);
  assert.match((await tollgate(['check', file])).out, /valid/);
  const again = await imported(documentOf(), file);
  assert.equal(again.text, text);
  assert.equal(again.err, `${file}: orders: nothing changed\n`);
});

/** A policy after a first import, edited by hand, and after a second one. */
async function after(edit: (text: string) => string, document: string): Promise<Imported & { readonly file: string }> {
  const file = scratchFile(folder, POLICY);
  await imported(documentOf(), file);
  const before = readFileSync(file, 'utf8');
  const edited = edit(before);
  assert.ok(edited !== before || edit === asIs);
  writeFileSync(file, edited);
  const run = await imported(document, file);
  assert.equal(run.code, 0, run.err);
  const twice = await imported(document, file);
  assert.equal(twice.text, run.text, 'importing twice changes nothing');
  assert.match(twice.err, /: nothing changed\n$/);
  return { ...run, file };
}

const asIs = (text: string): string => text;

function replaced(...pairs: readonly (readonly [string, string])[]): (text: string) => string {
  return (text) => pairs.reduce((all, [from, to]) => all.replace(from, () => to), text);
}

const MORE = { ...USUAL, '/orders/{id}/items': { get: { operationId: 'items' } } };
const LESS = { '/orders': USUAL['/orders']!, '/orders/{id}': { get: USUAL['/orders/{id}']!['get']! } };
const OPEN = { ...USUAL, '/orders': { ...USUAL['/orders'], get: { operationId: 'listOrders', security: [] } } };

test('what is new in the document comes, what is gone goes, what changed changes', async () => {
  const added = await after(asIs, documentOf(MORE));
  const line = '      DELETE /orders/{id}: { name: cancel, scopes: [write] }\n';
  assert.equal(bare(added.text), AFTER.replace(line, `${line}      GET /orders/{id}/items: { name: items }\n`));
  assert.match(
    added.err,
    /orders: GET \/orders\/\{id\}\/items: added\n.*orders: operations: 1 added, 0 changed, 0 removed\n$/,
  );
  const removed = await after(asIs, documentOf(LESS));
  assert.equal(bare(removed.text), AFTER.replace(line, ''));
  const open = await after(asIs, documentOf(OPEN));
  assert.equal(bare(open.text), AFTER.replace('{ name: listOrders }', '{ name: listOrders, anonymous: allow }'));
  const servers = [{ url: 'https://api.example.com/v2' }, { url: 'https://eu.example.com/v2' }];
  const moved = await after(asIs, documentOf(USUAL, { servers }));
  assert.equal(
    bare(moved.text),
    AFTER.replace('hosts: [api.example.com]', 'hosts: [api.example.com, eu.example.com]').replace('[/v1]', '[/v2]'),
  );
});

test('edits by hand stay while the same operation follows the document', async () => {
  const edits = replaced(
    ['GET /orders: { name: listOrders }', 'GET /orders: # cheap\n        name: listOrders # by hand\n        cost: 5'],
    ['    unlisted: deny\n', '    # we know\n    unlisted: allow\n'],
    ['GET /orders/{id}:', 'GET /orders/{orderId}:'],
  );
  const { text } = await after(edits, documentOf({ ...OPEN, ...{ '/orders/{id}/items': MORE['/orders/{id}/items'] } }));
  assert.equal(
    bare(text),
    edits(AFTER)
      .replace('        cost: 5\n', '        cost: 5\n        anonymous: allow\n')
      .replace(
        'cancel, scopes: [write] }\n',
        'cancel, scopes: [write] }\n      GET /orders/{id}/items: { name: items }\n',
      ),
  );
});

test('where both sides changed, the edit stays and the document is quoted', async () => {
  const edits = replaced(['{ name: order, scopes: [write] }', '{ name: order, scopes: [write, vip] }']);
  const changed = {
    ...USUAL,
    '/orders': { ...USUAL['/orders'], post: { operationId: 'order', security: [{ key: ['buy'] }] } },
  };
  const { text, err, file } = await after(edits, documentOf(changed));
  assert.equal(bare(text), edits(AFTER));
  assert.ok(
    err.includes(`${file}: orders: POST /orders: has "scopes" of its own; the document says {"scopes":["buy"]}\n`),
    err,
  );
});

test('what was taken out or added by hand is not touched', async () => {
  const edits = replaced(
    ['      POST /orders: { name: order, scopes: [write] }\n', ''],
    ['      GET /orders: {', '      GET /orders/{id}/items: { cost: 9 } # ours\n      GET /orders: {'],
    ['  - header: x-orders-key\n', ''],
  );
  const { text, err, file } = await after(edits, documentOf(MORE));
  assert.equal(bare(text), edits(AFTER));
  assert.ok(
    err.includes(
      `${file}: orders: GET /orders/{id}/items: has "name" of its own; the document says {"name":"items"}\n`,
    ),
    err,
  );
});

test('an operation that was edited stays when the document drops it', async () => {
  const edits = replaced(['{ name: cancel, scopes: [write] }', '{ name: cancel, scopes: [write], cost: 2 }']);
  const { text, err, file } = await after(edits, documentOf(LESS));
  assert.equal(bare(text), edits(AFTER));
  assert.ok(
    err.includes(`${file}: orders: DELETE /orders/{id}: is no longer in the document, but was edited here; it stays\n`),
    err,
  );
});

test('operations that were joined by hand stay joined', async () => {
  const edits = replaced(
    ['      GET /orders/{id}: { name: showOrder }\n', ''],
    [
      'DELETE /orders/{id}: { name: cancel, scopes: [write] }',
      'GET,DELETE /orders/{id}: { name: one, scopes: [write] }',
    ],
  );
  const { text } = await after(edits, documentOf(MORE));
  const line = 'GET,DELETE /orders/{id}: { name: one, scopes: [write] }\n';
  assert.equal(bare(text), edits(AFTER).replace(line, `${line}      GET /orders/{id}/items: { name: items }\n`));
});

test('Windows line breaks, no last line break, and flow style stay', async () => {
  const windows = await after((text) => text.replaceAll('\n', '\r\n'), documentOf(MORE));
  assert.doesNotMatch(windows.text, /[^\r]\n/);
  const open = await after((text) => text.replace(/\n$/, ''), documentOf(OPEN));
  assert.match(open.text, /listOrders, anonymous: allow/);
  const file = scratchFile(folder, 'policy: shop\napis: {}\nplans: { free: {} }');
  const { text } = await imported(documentOf(), file);
  assert.deepEqual(Object.keys(validPolicy(text, 'p').policy.apis['orders']!.operations!), [
    ...['GET /orders', 'POST /orders', 'GET /orders/{id}', 'DELETE /orders/{id}'],
  ]);
});

test('a policy in JSON stays JSON, has no record, and what is there stays', async () => {
  const file = scratchFile(folder, '{"policy": "shop", "apis": {}, "plans": {"free": {}}}\n');
  const first = await imported(documentOf(), file);
  assert.match(first.err, /is JSON, which has no comments for a record of this import/);
  assert.equal(typeof JSON.parse(first.text), 'object');
  const second = await imported(documentOf(OPEN), file);
  assert.equal(second.text, first.text);
  assert.match(second.err, /GET \/orders: has "anonymous" of its own; the document says \{"anonymous":"allow"\}/);
});

test('a record that somebody changed counts as none', async () => {
  const file = scratchFile(folder, POLICY);
  await imported(documentOf(), file);
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^#= .../m, '#= AAA'));
  const { err, text } = await imported(documentOf(OPEN), file);
  assert.match(err, /has a record of the last import that cannot be read, so what is there already stays as it is/);
  assert.equal(bare(text), AFTER);
  assert.equal(recordsIn(text).length, 1);
  assert.notEqual(recordsIn(text)[0]!.record, null);
});

test('an API of that name that was written by hand gets what it lacks, and nothing else', async () => {
  const own = POLICY.replace(
    PETS,
    `${PETS}  orders:\n    paths: [/o]\n    plans: [gold]\n    operations:\n      GET /orders: { cost: 3 }\n`,
  );
  const file = scratchFile(folder, own);
  const { text, err } = await imported(documentOf(), file);
  assert.match(err, /orders: has "paths" of its own; the document says \{"paths":\["\/v1"\]\}/);
  assert.match(text, /^ {6}GET \/orders: \{ cost: 3 \}\n {6}POST \/orders: \{ name: order, scopes: \[write\] \}$/m);
  assert.match(text, /^ {4}paths: \[\/o\]\n {4}plans: \[gold\]$/m);
});

test('--api, --plan and plans that the document names', async () => {
  const file = scratchFile(folder, POLICY);
  const document = documentOf(
    { ...USUAL, '/vip': { get: { 'x-tollgate-plan': 'vip' } } },
    { 'x-tollgate-quotas': { daily: { limit: 5, window: 'day' } } },
  );
  const { text, err } = await imported(document, file, '--api', 'shop', '--plan', 'gold');
  assert.match(text, /^ {2}shop:\n {4}hosts: \[api.example.com\]\n {4}paths: \[\/v1\]\n {4}plans: \[gold, vip\]$/m);
  assert.match(text, /^ {2}vip: \{ quotas: \{ daily: \{ limit: 5, window: day \} \} \}$/m);
  assert.match(err, /new plans: vip\n/);
  assert.match((await imported(document, file)).err, /shop: nothing changed\n$/);
});

test('--dry-run writes nothing, --strict refuses losses, --json says all', async () => {
  const file = scratchFile(folder, POLICY);
  const trial = await imported(documentOf(), file, '--dry-run', '--json');
  assert.equal(trial.text, POLICY);
  const { losses, ...rest } = JSON.parse(trial.out) as Item;
  assert.deepEqual(losses, []);
  assert.deepEqual(rest, {
    ok: true,
    dryRun: true,
    api: 'orders',
    isNew: true,
    isChanged: true,
    added: ['GET /orders', 'POST /orders', 'GET /orders/{id}', 'DELETE /orders/{id}'],
    changed: [],
    removed: [],
    kept: [],
    notes: [
      'offered by the plans free, gold; --plan names others for a new API',
      'keys are also taken from header x-orders-key',
    ],
    moreLosses: 0,
    invalid: [],
  });
  const document = documentOf({ ...USUAL, '/x/{a}-{b}': { get: {} } });
  const strict = await imported(document, file, '--strict');
  assert.deepEqual([strict.code, strict.out, strict.text], [1, '', POLICY]);
  assert.equal(
    strict.err,
    `${document}: #/paths/~1x~1{a}-{b}: has 2 variables in a segment; the policy has one in their place: "{a}"
${document}: nothing was written, because of --strict\n`,
  );
});

test('what would not be a valid policy is refused with its problems, and nothing is written', async () => {
  const file = scratchFile(folder, POLICY.replace('paths: [/pets]', 'hosts: [api.example.com], paths: [/v1]'));
  const before = readFileSync(file, 'utf8');
  const { code, err, text } = await imported(documentOf(), file);
  assert.equal(code, 1);
  assert.match(err, /apis\.orders.*\n\(as the file would be after the change; nothing was written\)\n$/);
  assert.equal(text, before);
});

const MISUSED: readonly (readonly [args: string[], message: string])[] = [
  [[], 'say what to import: openapi, kong or keys'],
  [['raml'], 'knows openapi, kong and keys only'],
  [['openapi'], 'takes one FILE; found 0'],
  [['openapi', 'x'], 'needs --into POLICY'],
  [['openapi', 'x', '--into', '-'], '--into names a file, which is changed in its place; - is standard input'],
];

for (const [args, message] of MISUSED)
  test(`import ${args.join(' ')}: wrong usage`, async () => {
    assert.deepEqual(await tollgate(['import', ...args]), {
      code: 2,
      out: '',
      err: `tollgate import: ${message}; see tollgate import --help\n`,
    });
  });

test('several imports into one file at once all come in', async () => {
  const file = scratchFile(folder, POLICY);
  const names = ['one', 'two', 'three', 'four'];
  const runs = await Promise.all(
    names.map((name, index) =>
      tollgate([
        'import',
        'openapi',
        documentOf(USUAL, { servers: [{ url: `/v${index}` }] }),
        '--into',
        file,
        '--api',
        name,
      ]),
    ),
  );
  assert.deepEqual(
    runs.map(({ code, err }) => (code === 0 ? 0 : err)),
    [0, 0, 0, 0],
  );
  const text = readFileSync(file, 'utf8');
  const { policy } = validPolicy(text, 'p');
  assert.deepEqual(Object.keys(policy.apis).sort(), ['pets', ...names].sort());
  assert.equal(recordsIn(text).length, 4);
});

test('init --openapi: a policy that is valid, formatted, commented, and imported into without a change', async () => {
  const document = documentOf();
  const { code, out, err } = await tollgate(['init', '--openapi', document]);
  assert.deepEqual([code, err], [0, '']);
  const file = scratchFile(folder, out);
  assert.match((await tollgate(['check', file])).out, /: valid \(1 API, 1 plan, 1 consumer, 0 keys\)\n$/);
  assert.equal((await tollgate(['fmt', '--check', file])).code, 0);
  assert.match(out, /^policy: orders$/m);
  assert.ok(
    out.includes(
      API.replace('plans: [free, gold]', 'plans: [free]')
        .slice('  orders:\n    hosts: [api.example.com]\n    paths: [/v1]\n    plans: [free]\n'.length)
        .split('    operations:\n')[1]!,
    ),
  );
  const again = await imported(document, file);
  assert.equal(again.text, out);
  const next = await imported(documentOf(MORE), file);
  assert.match(next.err, /operations: 1 added, 0 changed, 0 removed\n$/);
});

test('init --openapi writes a file of that name, and takes its options only with a document', async () => {
  const file = join(folder, 'web.policy.yaml');
  assert.equal((await tollgate(['init', '--openapi', documentOf(), file])).code, 0);
  assert.match(readFileSync(file, 'utf8'), /^policy: web$/m);
  const { code, err } = await tollgate(['init', '--strict', join(folder, 'none.yaml')]);
  assert.deepEqual(
    [code, err],
    [2, 'tollgate init: --root, --allow-net and --strict go with --openapi; see tollgate init --help\n'],
  );
  const none = await tollgate(['init', '--openapi', join(folder, 'none.json')]);
  assert.deepEqual(none, { code: 1, out: '', err: `${join(folder, 'none.json')}: no such file\n` });
});

test('what is deprecated in the document is deprecated in the policy, and follows it until somebody edits it', async () => {
  const having = (deprecation: Item): string =>
    documentOf({ '/orders': { get: { operationId: 'listOrders', ...deprecation }, post: { operationId: 'order' } } });
  const policy = scratchFile(folder, POLICY, 'deprecated.policy.yaml');
  const operation = async (document: string): Promise<unknown> => {
    const { code, text, err } = await imported(document, policy);
    assert.equal(code, 0, err);
    return validPolicy(text, policy).policy.apis.orders!.operations!['GET /orders']!.deprecated;
  };
  const undated = await imported(having({ deprecated: true }), policy);
  assert.match(
    undated.err,
    /#\/paths\/~1orders\/get\/deprecated: has no date, so callers are told of 1970-01-01T00:00:00Z; a date in "x-tollgate-deprecated" is taken over/,
  );
  const always = { since: '1970-01-01T00:00:00Z' };
  assert.deepEqual(await operation(having({ deprecated: true })), always);
  const dates = { 'x-tollgate-deprecated': '2025-05-01', 'x-sunset': '2027-01-01T00:00:00.500Z' };
  assert.deepEqual(await operation(having({ deprecated: true, ...dates })), {
    since: '2025-05-01T00:00:00Z',
    sunset: '2027-01-01T00:00:00Z',
  });
  const details = { since: '2025-05-01', link: 'https://example.com/changes', successor: '/v2/orders' };
  assert.deepEqual(
    await operation(having({ deprecated: true, 'x-tollgate-deprecated': details, 'x-tollgate-sunset': '2027-02-01' })),
    { ...details, since: '2025-05-01T00:00:00Z', sunset: '2027-02-01T00:00:00Z' },
  );
  // dates alone deprecate nothing; what is no longer deprecated in the document is not in the policy either
  assert.equal(await operation(having(dates)), undefined);
  assert.deepEqual(await operation(having({ deprecated: true })), always);
  writeFileSync(policy, readFileSync(policy, 'utf8').replace('since: 1970-01-01', 'since: 2024-01-01'));
  assert.deepEqual(await operation(having({ deprecated: true, ...dates })), { since: '2024-01-01T00:00:00Z' });
  assert.deepEqual(await operation(having({})), { since: '2024-01-01T00:00:00Z' });
});

test('dates that are none are reported, and what no policy may say of a deprecation is left out', async () => {
  const deprecated = (more: Item): Item => ({ deprecated: true, 'x-tollgate-deprecated': '2025-05-01', ...more });
  const document = documentOf({
    '/a': { get: deprecated({ 'x-sunset': 'soon' }) },
    '/b': { get: deprecated({ 'x-tollgate-deprecated': { since: 7, sunset: '2027-02-30' } }) },
    '/d': { get: deprecated({ 'x-tollgate-deprecated': { since: '2025-05-01', link: 'none', until: 1 } }) },
  });
  const { err, text, code } = await imported(document, scratchFile(folder, POLICY, 'dates.policy.yaml'));
  assert.equal(code, 0, err);
  assert.match(err, /~1a\/get\/x-sunset: must be a date or a time; found "soon"/);
  assert.match(err, /~1b\/get\/x-tollgate-deprecated\/since: must be a date or a time; found 7/);
  assert.match(err, /~1b\/get\/x-tollgate-deprecated\/sunset: must be a date or a time; found "2027-02-30"/);
  assert.match(err, /~1d\/get: "deprecated" is left out: /);
  const { operations } = validPolicy(text, 'p').policy.apis.orders!;
  assert.deepEqual(
    Object.values(operations!).map(({ deprecated }) => deprecated?.since),
    ['2025-05-01T00:00:00Z', '1970-01-01T00:00:00Z', undefined],
  );
});
