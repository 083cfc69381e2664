import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestKey } from '../../scripts/key/key.ts';
import { validPolicy } from '../../scripts/policy/index.ts';
import { partsComments } from '../../scripts/policyFile/partsRecord.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';
import { tollgate, type Run } from './fakeIo.ts';

const folder = scratchFolder();

interface Document {
  minute?: number;
  paths?: string[];
  consumers?: Record<string, string[]>;
  more?: object[];
}

/** A document in a folder of its own; the file is always called the same. */
function documentOf({
  minute = 5,
  paths = ['/orders'],
  consumers = { acme: ['key-1'], ben: ['key-2'] },
  more = [],
}: Document = {}): string {
  const file = join(scratchFolder(), 'kong.json');
  const document = {
    _format_version: '3.0',
    services: [
      {
        name: 'orders',
        host: 'orders.internal',
        plugins: [
          { name: 'key-auth', config: { hide_credentials: true } },
          { name: 'rate-limiting', config: { minute } },
        ],
        routes: [{ name: 'orders', paths, strip_path: false }],
      },
      ...more,
    ],
    consumers: Object.entries(consumers).map(([username, keys]) => ({
      username,
      keyauth_credentials: keys.map((key) => ({ key })),
    })),
  };
  writeFileSync(file, JSON.stringify(document));
  return file;
}

const OTHER = { name: 'pets', host: 'pets.internal', routes: [{ name: 'pets', paths: ['/pets'], strip_path: false }] };

const POLICY = `# Who may shop
policy: shop

keySources:
  - header: x-api-key # since 2020

upstreams:
  own: { url: 'http://127.0.0.1:9001' }

apis:
  # the first
  own: { paths: [/own], plans: [own], upstream: own }

plans:
  own: {} # ours

consumers:
  carl: { plan: own } # best customer

# the end
`;

interface Imported extends Run {
  readonly text: string;
}

async function imported(document: string, policy: string, ...options: string[]): Promise<Imported> {
  const run = await tollgate(['import', 'kong', document, '--into', policy, ...options]);
  return { ...run, text: readFileSync(policy, 'utf8') };
}

/** The text without the record. */
function bare(text: string): string {
  return text.replace(/\n# What "tollgate import[^]*?\n(?!#=)/, '\n').replace(/\n+$/, '\n');
}

function id(key: string): string {
  return digestKey(key).slice(7, 17);
}

test('a document comes into a policy, and everything else stays, byte for byte', async () => {
  const file = scratchFile(folder, POLICY);
  const { code, out, err, text } = await imported(documentOf(), file);
  assert.deepEqual([code, out], [0, ''], err);
  const keyOf = (key: string): string => `    keys:\n      - id: ${id(key)}\n        digest: ${digestKey(key)}\n`;
  assert.equal(
    bare(text),
    POLICY.replace('since 2020\n', 'since 2020\n  - header: apikey\n  - query: apikey\n')
      .replace(":9001' }\n", ':9001\' }\n  orders: { url: "http://orders.internal:80" }\n')
      .replace(
        'upstream: own }\n',
        'upstream: own }\n  orders:\n    paths: [/orders]\n    plans: [default]\n    upstream: orders\n',
      )
      .replace(
        '{} # ours\n',
        '{} # ours\n  default:\n    quotas:\n      per-minute: { limit: 5, window: minute, per: api }\n',
      )
      .replace(
        '# best customer\n',
        `# best customer\n  acme:\n    plan: default\n${keyOf('key-1')}  ben:\n    plan: default\n${keyOf('key-2')}`,
      ),
  );
  assert.match(err, /: apis: orders: added\n/);
  assert.match(err, /: keys are also taken from header apikey, query apikey\n/);
  assert.match(err, /: 5 added, 0 changed, 0 removed\n$/);
  assert.match((await tollgate(['check', file])).out, /valid/);
  const again = await imported(documentOf(), file);
  assert.equal(again.text, text);
  assert.match(again.err, /: nothing changed\n$/);
});

interface After extends Imported {
  readonly file: string;
  readonly before: string;
}

/** A policy after a first import, edited by hand, and after a second one. */
async function after(edit: (text: string) => string, document: Document, first: Document = {}): Promise<After> {
  const file = scratchFile(folder, POLICY);
  await imported(documentOf(first), file);
  const edited = edit(readFileSync(file, 'utf8'));
  writeFileSync(file, edited);
  const run = await imported(documentOf(document), file);
  assert.equal(run.code, 0, run.err);
  const twice = await imported(documentOf(document), file);
  assert.equal(twice.text, run.text, 'importing twice changes nothing');
  return { ...run, file, before: edited };
}

/** Lines that are in one text only. */
function changes(before: string, after: string): string[] {
  const [old, now] = [bare(before), bare(after)].map((text) => text.split('\n'));
  return [
    ...old!.filter((line) => !now!.includes(line)).map((line) => `- ${line.trim()}`),
    ...now!.filter((line) => !old!.includes(line)).map((line) => `+ ${line.trim()}`),
  ];
}

const asIs = (text: string): string => text;

test('a limit that changed in the document follows, and the comment beside it stays', async () => {
  const { text, before } = await after((old) => old.replace('per: api }', 'per: api } # enough'), { minute: 7 });
  assert.deepEqual(changes(before, text), [
    '- per-minute: { limit: 5, window: minute, per: api } # enough',
    '+ per-minute: { limit: 7, window: minute, per: api } # enough',
  ]);
});

test('a limit that was edited stays, and is reported', async () => {
  const { text, before, err } = await after((old) => old.replace('limit: 5', 'limit: 50'), { minute: 7 });
  assert.deepEqual(changes(before, text), []);
  assert.match(err, /: plans: default: has "quotas" of its own; the document says something else\n/);
});

test('consumers and keys come and go, and keys that were issued here stay', async () => {
  const { text, before, file } = await after(
    (old) =>
      old.replace(
        `      - id: ${id('key-1')}`,
        `      - id: by-hand\n        digest: ${digestKey('mine')}\n      - id: ${id('key-1')}`,
      ),
    { consumers: { acme: ['key-3'], dora: ['key-4'] } },
  );
  assert.deepEqual(changes(before, text), [
    `- - id: ${id('key-1')}`,
    `- digest: ${digestKey('key-1')}`,
    '- ben:',
    `- - id: ${id('key-2')}`,
    `- digest: ${digestKey('key-2')}`,
    `+ - id: ${id('key-3')}`,
    `+ digest: ${digestKey('key-3')}`,
    '+ dora:',
    `+ - id: ${id('key-4')}`,
    `+ digest: ${digestKey('key-4')}`,
  ]);
  assert.deepEqual(
    validPolicy(text, file).policy.consumers['acme']!.keys.map((key) => key.id),
    ['by-hand', id('key-3')],
  );
});

test('a key that was taken out by hand stays out', async () => {
  const gone = `    keys:\n      - id: ${id('key-2')}\n        digest: ${digestKey('key-2')}\n`;
  const { text, before } = await after((old) => old.replace(gone, ''), { minute: 5 });
  assert.equal(text, before);
});

test('services come and go with their routes and upstreams', async () => {
  const come = await after(asIs, { more: [OTHER] });
  assert.deepEqual(Object.keys(validPolicy(come.text, 'p').policy.apis), ['own', 'orders', 'pets']);
  const { text } = await after(asIs, {}, { more: [OTHER] });
  assert.deepEqual(Object.keys(validPolicy(text, 'p').policy.apis), ['own', 'orders']);
  assert.deepEqual(Object.keys(validPolicy(text, 'p').policy.upstreams), ['own', 'orders']);
});

test('what is gone from the document stays where something of the policy itself names it', async () => {
  const { text, err } = await after(
    (old) => old.replace('plans: [own], upstream: own', 'plans: [own], upstream: pets'),
    {},
    { more: [OTHER] },
  );
  assert.ok('pets' in validPolicy(text, 'p').policy.upstreams);
  assert.match(
    err,
    /: upstreams: pets: is no longer in the document, but something else in the policy names it; it stays\n/,
  );
});

test('two documents of two names in one policy do not take each other for changed', async () => {
  const file = scratchFile(folder, POLICY);
  await imported(documentOf(), file);
  const other = join(scratchFolder(), 'other.json');
  writeFileSync(other, JSON.stringify({ _format_version: '3.0', services: [OTHER] }));
  const { text, err } = await imported(other, file);
  assert.match(err, /: 2 added, 0 changed, 0 removed\n$|: 3 added, 0 changed, 0 removed\n$/);
  assert.equal(partsComments(text).length, 2);
  const again = await imported(documentOf(), file);
  assert.match(again.err, /: nothing changed\n$/);
});

test('a policy in JSON stays JSON', async () => {
  const file = scratchFile(folder, JSON.stringify({ policy: 'shop', apis: {}, plans: {}, consumers: {} }), 'shop.json');
  const { code, err, text } = await imported(documentOf(), file);
  assert.equal(code, 0, err);
  assert.deepEqual(Object.keys((JSON.parse(text) as { apis: object }).apis), ['orders']);
  assert.match(err, /is JSON, which has no comments for a record of this import/);
});

test('a policy without upstreams gets none', async () => {
  const file = scratchFile(folder, 'policy: shop\napis: { own: { paths: [/own], plans: [] } }\n');
  const { code, err, text } = await imported(documentOf(), file);
  assert.equal(code, 0, err);
  assert.match(err, /the policy has no upstreams, so those of the document are left out/);
  assert.deepEqual(validPolicy(text, file).policy.upstreams, {});
});

test('--dry-run and --json tell what would change, and nothing is written', async () => {
  const file = scratchFile(folder, POLICY);
  const { code, out, text } = await imported(documentOf(), file, '--dry-run', '--json');
  assert.deepEqual([code, text], [0, POLICY]);
  const { ok, dryRun, apis, consumers, losses } = JSON.parse(out) as Record<string, { added?: string[] }>;
  assert.deepEqual([ok, dryRun, apis!.added, consumers!.added, losses], [true, true, ['orders'], ['acme', 'ben'], []]);
  assert.doesNotMatch(out, /key-1|key-2/);
});

test('an API of the policy on the same path is a problem that names the place, and nothing is written', async () => {
  const file = scratchFile(folder, POLICY);
  const { code, err, text } = await imported(documentOf({ paths: ['/own'] }), file);
  assert.deepEqual([code, text], [1, POLICY]);
  assert.match(err, /apis\.orders[^\n]*\n[^]*\(as the file would be after the change; nothing was written\)/);
});
