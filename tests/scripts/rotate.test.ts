import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { digestKey } from '../../scripts/key/key.ts';
import { readPolicy } from '../../scripts/policy/index.ts';
import { tollgate } from './fakeIo.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';

const folder = scratchFolder();
const [ONE, TWO, THREE] = ['1', '2', '3'].map((digit) => `sha256:${digit.repeat(64)}`);
const HEAD = 'policy: shop\nplans: { free: }\n';
const DAY_MS = 86_400_000;

interface Layout {
  readonly name: string;
  readonly before: string;
  /** ID, DIGEST and END stand for what is new. */
  readonly after: string;
  readonly options?: readonly string[];
}

const layouts: Layout[] = [
  {
    name: 'in a block, at the end of which both changes meet',
    before: `${HEAD}consumers:\n  acme: # first\n    keys:\n      - id: one # old\n        digest: ${ONE}\n# the end\n`,
    after: `${HEAD}consumers:\n  acme: # first\n    keys:\n      - id: one # old\n        digest: ${ONE}\n        until: END\n      - id: ID\n        digest: DIGEST\n# the end\n`,
  },
  {
    name: 'at the end of a file without a line break, with CRLF',
    before: `${HEAD}consumers:\n  acme:\n    keys:\n    - id: one\n      digest: ${ONE}`.replaceAll('\n', '\r\n'),
    after:
      `${HEAD}consumers:\n  acme:\n    keys:\n    - id: one\n      digest: ${ONE}\n      until: END\n    - id: ID\n      digest: DIGEST`.replaceAll(
        '\n',
        '\r\n',
      ),
  },
  {
    name: 'in braces',
    before: `${HEAD}consumers: { acme: { keys: [{ id: one, digest: "${ONE}" }] } }\n`,
    after: `${HEAD}consumers: { acme: { keys: [{ id: one, digest: "${ONE}", until: END }, { id: ID, digest: DIGEST }] } }\n`,
  },
  {
    name: 'in JSON',
    before: `{"policy":"shop","consumers":{"acme":{"keys":[{"id":"one","digest":"${ONE}"}]}}}\n`,
    after: `{"policy":"shop","consumers":{"acme":{"keys":[{"id":"one","digest":"${ONE}", "until": "END"}, {"id": "ID", "digest": "DIGEST"}]}}}\n`,
  },
  {
    name: 'whose end lies further away, among keys that do not work',
    before: `${HEAD}consumers:\n  acme:\n    keys:\n      - { id: gone, digest: "${ONE}", revoked: true }\n      - { id: over, digest: "${TWO}", until: 2020-01-01T00:00:00Z }\n      - { id: one, until: "2999-01-01T00:00:00Z", digest: "${THREE}" } # old\n`,
    after: `${HEAD}consumers:\n  acme:\n    keys:\n      - { id: gone, digest: "${ONE}", revoked: true }\n      - { id: over, digest: "${TWO}", until: 2020-01-01T00:00:00Z }\n      - { id: one, until: "END", digest: "${THREE}" } # old\n      - { id: ID, digest: DIGEST }\n`,
  },
  {
    name: 'that is named, with an end of the new one',
    options: ['--id', 'two', '--until', '2999-12-31T00:00:00Z'],
    before: `${HEAD}consumers:\n  acme:\n    keys:\n      - id: one\n        digest: ${ONE}\n      - id: two\n        digest: ${TWO}\n`,
    after: `${HEAD}consumers:\n  acme:\n    keys:\n      - id: one\n        digest: ${ONE}\n      - id: two\n        digest: ${TWO}\n        until: END\n      - id: ID\n        digest: DIGEST\n        until: 2999-12-31T00:00:00Z\n`,
  },
];

const LIMITED = `policy: shop
apis: { pets: { paths: [/pets], plans: [free] }, toys: { paths: [/toys], plans: [free] } }
plans: { free: }
consumers:
  acme:
    plan: free
    scopes: [read, write]
`;

layouts.push({
  name: 'that is limited, and the new one is as it',
  before: `${LIMITED}    keys:
      - id: one
        digest: ${ONE}
        scopes: [read]
        apis: [toys, pets]
        addresses: { deny: [10.0.0.1], allow: ["2001:db8::/32", 10.0.0.0/8] }
`,
  after: `${LIMITED}    keys:
      - id: one
        digest: ${ONE}
        scopes: [read]
        apis: [toys, pets]
        addresses: { deny: [10.0.0.1], allow: ["2001:db8::/32", 10.0.0.0/8] }
        until: END
      - id: ID
        digest: DIGEST
        apis:
          - toys
          - pets
        scopes:
          - read
        addresses:
          allow:
            - "2001:db8::/32"
            - "10.0.0.0/8"
          deny:
            - "10.0.0.1"
`,
});

for (const { name, before, after, options = [] } of layouts) {
  test(`rotates a key ${name}`, async () => {
    const file = scratchFile(folder, before);
    const begun = Math.floor(Date.now() / 1000) * 1000;
    const { code, out, err } = await tollgate(['keys', 'rotate', file, 'acme', ...options]);
    assert.equal(code, 0, err);
    const [, id, old, end] =
      /^key (\w+) of consumer acme: this is the only time it is shown; its digest is in .*\nkey (\w+) of consumer acme works until (\S+)\n$/.exec(
        err,
      )!;
    assert.equal(old, options.includes('two') ? 'two' : 'one');
    assert.ok(Date.parse(end!) >= begun + 7 * DAY_MS && Date.parse(end!) <= Date.now() + 7 * DAY_MS, end);
    assert.equal(
      readFileSync(file, 'utf8'),
      after.replace('END', end!).replace('ID', id!).replace('DIGEST', digestKey(out.trimEnd())),
    );
  });
}

const BLOCK = layouts[0]!.before;

test('--overlap says for how long the old key works', async () => {
  for (const [overlap, ms] of [
    ['0', 0],
    ['30m', DAY_MS / 48],
    ['12h', DAY_MS / 2],
    ['366d', 366 * DAY_MS],
  ] as const) {
    const file = scratchFile(folder, BLOCK);
    const { code, out } = await tollgate([
      'keys',
      'rotate',
      file,
      '--consumer',
      'acme',
      '--overlap',
      overlap,
      '--json',
    ]);
    assert.equal(code, 0);
    const { old, ...issued } = JSON.parse(out) as Record<string, string> & { old: unknown };
    assert.deepEqual(Object.keys(issued), ['consumer', 'key', 'id', 'digest']);
    const { id, until } = old as { id: string; until: string };
    assert.equal(id, 'one');
    assert.ok(Math.abs(Date.parse(until) - Date.now() - ms) < 30_000, until);
  }
});

test('a key that ends earlier keeps its end', async () => {
  const soon = new Date(Date.now() + DAY_MS).toISOString().replace(/\.\d+/, '');
  const file = scratchFile(folder, BLOCK.replace('# the end', `        until: ${soon} # soon`));
  const { code, err } = await tollgate(['keys', 'rotate', file, 'acme']);
  assert.equal(code, 0, err);
  assert.match(err, new RegExp(`key one of consumer acme works until ${soon}\n$`));
  assert.match(readFileSync(file, 'utf8'), new RegExp(`until: ${soon} # soon\n      - id: `));
});

test('rotating again replaces the new key, not the one that is on its way out', async () => {
  const file = scratchFile(folder, BLOCK);
  await tollgate(['keys', 'rotate', file, 'acme']);
  const [, second] = readPolicy(readFileSync(file, 'utf8'), 'p').policy!.consumers['acme']!.keys;
  const { code, err } = await tollgate(['keys', 'rotate', file, 'acme']);
  assert.equal(code, 0);
  assert.match(err, new RegExp(`key ${second!.id} of consumer acme works until`));
  assert.equal(readPolicy(readFileSync(file, 'utf8'), 'p').policy!.consumers['acme']!.keys.length, 3);
});

const refusals: { name: string; keys: string; options?: string[]; says: RegExp }[] = [
  {
    name: 'a consumer without keys',
    keys: '[]',
    says: /^consumer "acme" has no active key; tollgate keys issue makes one\n$/,
  },
  {
    name: 'one of several keys that work',
    keys: `[{ id: one, digest: "${ONE}" }, { id: two, digest: "${TWO}" }]`,
    says: /^consumer "acme" has 2 active keys \(one, two\); choose one with --id\n$/,
  },
  {
    name: 'a key that is not there',
    keys: `[{ id: one, digest: "${ONE}" }]`,
    options: ['--id', 'two'],
    says: /^no key "two" of consumer "acme"; tollgate keys list shows all\n$/,
  },
  {
    name: 'a key that does not work',
    keys: `[{ id: one, digest: "${ONE}", revoked: true }]`,
    options: ['--id', 'one'],
    says: /^key "one" of consumer "acme" is not active; tollgate keys issue makes a new one\n$/,
  },
];

for (const { name, keys, options = [], says } of refusals) {
  test(`refuses to rotate ${name}, and writes nothing`, async () => {
    const before = `${HEAD}consumers: { acme: { keys: ${keys} } }\n`;
    const file = scratchFile(folder, before);
    const { code, out, err } = await tollgate(['keys', 'rotate', file, 'acme', ...options]);
    assert.deepEqual([code, out], [1, '']);
    assert.match(err, says);
    assert.equal(readFileSync(file, 'utf8'), before);
  });
}

test('a key that was shown is the one that is stored, though somebody saves the file meanwhile', async () => {
  const file = scratchFile(folder, BLOCK);
  const shown: string[] = [];
  const { code } = await tollgate(['keys', 'rotate', file, 'acme'], {
    deliver: (text) => {
      shown.push(text.trimEnd());
      return Promise.resolve(writeFileSync(file, `${BLOCK}# saved\n`));
    },
  });
  assert.equal(code, 0);
  assert.equal(shown.length, 1);
  const text = readFileSync(file, 'utf8');
  assert.match(text, /# saved\n$/);
  const { keys } = readPolicy(text, 'p').policy!.consumers['acme']!;
  assert.deepEqual([keys.length, keys[1]!.digest], [2, digestKey(shown[0]!)]);
  assert.ok(keys[0]!.until !== undefined);
});

test('wrong options are wrong usage', async () => {
  const file = scratchFile(folder, BLOCK);
  for (const args of [
    [],
    [file],
    [file, 'acme', 'acme'],
    [file, 'acme', '--consumer', 'acme'],
    ['-', 'acme'],
    [file, 'a  b'],
    ...['7', '7w', '-1d', '367d', '1.5h', 'P7D', ''].map((overlap) => [file, 'acme', `--overlap=${overlap}`]),
    [file, 'acme', '--until', '2020-01-01T00:00:00Z'],
  ]) {
    const { code, err } = await tollgate(['keys', 'rotate', ...args]);
    assert.equal(code, 2, `${args.join(' ')}: ${err}`);
  }
  assert.equal(readFileSync(file, 'utf8'), BLOCK);
});
