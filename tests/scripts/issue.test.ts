import assert from 'node:assert/strict';
import { chmodSync, lstatSync, readFileSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CORE_SCHEMA, load } from 'js-yaml';
import { digestKey } from '../../scripts/key/key.ts';
import { placeOf, replaceFile } from '../../scripts/file/replaceFile.ts';
import { tollgate } from './fakeIo.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';

const folder = scratchFolder();
const ONE = `sha256:${'1'.repeat(64)}`;
const API = 'policy: shop\napis: { pets: { paths: [/v1], plans: [free] } }\nplans: { free: }\n';

interface Layout {
  readonly name: string;
  readonly before: string;
  /** DIGEST stands for the new one. */
  readonly after: string;
  readonly options?: string[];
}

const layouts: Layout[] = [
  {
    name: 'a list of keys in blocks',
    before: `${API}consumers:\n  acme:\n    plan: free # cheap\n    keys: # two of them\n      # the first\n      - id: one   # old\n        digest: ${ONE}\n      # the end\n  # globex is next\n  globex: {}\n`,
    after: `${API}consumers:\n  acme:\n    plan: free # cheap\n    keys: # two of them\n      # the first\n      - id: one   # old\n        digest: ${ONE}\n      - id: new\n        digest: DIGEST\n      # the end\n  # globex is next\n  globex: {}\n`,
  },
  {
    name: 'a list of keys in braces, one to a line',
    before: `${API}consumers:\n  acme:\n    keys:\n    - { id: one, digest: "${ONE}" } # old\n    plan: free\n`,
    after: `${API}consumers:\n  acme:\n    keys:\n    - { id: one, digest: "${ONE}" } # old\n    - { id: new, digest: DIGEST }\n    plan: free\n`,
  },
  {
    name: 'keys in brackets',
    before: `${API}consumers: { acme: { plan: free, keys: [ { id: one, digest: "${ONE}" }, ] } }\n`,
    after: `${API}consumers: { acme: { plan: free, keys: [ { id: one, digest: "${ONE}" }, { id: new, digest: DIGEST }, ] } }\n`,
  },
  {
    name: 'a consumer without keys',
    before: `${API}consumers:\n    acme:\n        plan: free\n    # the end\n`,
    after: `${API}consumers:\n    acme:\n        plan: free\n        keys:\n          - id: new\n            digest: DIGEST\n    # the end\n`,
  },
  {
    name: 'a consumer in braces without keys',
    before: `${API}consumers:\n  acme: { plan: free } # small\n`,
    after: `${API}consumers:\n  acme: { plan: free, keys: [{ id: new, digest: DIGEST }] } # small\n`,
  },
  {
    name: 'an empty consumer in braces',
    before: `${API}consumers: { acme: {}, globex: }\n`,
    after: `${API}consumers: { acme: { keys: [{ id: new, digest: DIGEST }] }, globex: }\n`,
  },
  {
    name: 'a consumer with nothing after the colon, in braces',
    before: `${API}consumers: { globex: {}, acme: }\n`,
    after: `${API}consumers: { globex: {}, acme: { keys: [{ id: new, digest: DIGEST }] } }\n`,
  },
  {
    name: 'a consumer with nothing at all, in braces',
    before: `${API}consumers: { acme }\n`,
    after: `${API}consumers: { acme: { keys: [{ id: new, digest: DIGEST }] } }\n`,
  },
  {
    name: 'a consumer with nothing after the colon',
    before: `${API}consumers:\n  acme: # new\n  globex:\n`,
    after: `${API}consumers:\n  acme: # new\n    keys:\n      - id: new\n        digest: DIGEST\n  globex:\n`,
  },
  {
    name: 'keys: [] in a block',
    before: `${API}consumers:\n  acme:\n    keys: [] # none yet\n    plan: free\n`,
    after: `${API}consumers:\n  acme:\n    keys: # none yet\n      - id: new\n        digest: DIGEST\n    plan: free\n`,
  },
  {
    name: 'keys: [] over two lines, with a comment inside',
    before: `${API}consumers:\n  acme:\n    keys: [ # none yet\n      ]\n    plan: free\n`,
    after: `${API}consumers:\n  acme:\n    keys: [{ id: new, digest: DIGEST } # none yet\n      ]\n    plan: free\n`,
  },
  {
    name: 'keys: with nothing after it, and keys: null',
    before: `${API}consumers:\n  acme:\n    keys:\n  globex:\n    keys: null\n`,
    after: `${API}consumers:\n  acme:\n    keys:\n      - id: new\n        digest: DIGEST\n  globex:\n    keys: null\n`,
  },
  {
    name: 'keys: ~',
    before: `${API}consumers:\n  acme:\n    keys: ~\n`,
    after: `${API}consumers:\n  acme:\n    keys:\n      - id: new\n        digest: DIGEST\n`,
  },
  {
    name: 'no line break at the end of the file',
    before: `${API}consumers:\n  acme:\n    plan: free`,
    after: `${API}consumers:\n  acme:\n    plan: free\n    keys:\n      - id: new\n        digest: DIGEST`,
  },
  {
    name: 'CRLF, a byte order mark and a comment at the end',
    before: `\ufeff${API}consumers:\n  acme:\n    plan: free # end`.replaceAll('\n', '\r\n'),
    after:
      `\ufeff${API}consumers:\n  acme:\n    plan: free # end\n    keys:\n      - id: new\n        digest: DIGEST`.replaceAll(
        '\n',
        '\r\n',
      ),
  },
  {
    name: 'a digest in a folded block',
    before: `${API}consumers:\n  acme:\n    keys:\n      - id: one\n        digest: >-\n          ${ONE}\n  globex:\n`,
    after: `${API}consumers:\n  acme:\n    keys:\n      - id: one\n        digest: >-\n          ${ONE}\n      - id: new\n        digest: DIGEST\n  globex:\n`,
  },
  {
    name: 'JSON',
    before: `${JSON.stringify({ policy: 'shop', plans: {}, consumers: { acme: { keys: [{ id: 'one', digest: ONE }] }, globex: {} } }, null, 2)}\n`,
    after: `{\n  "policy": "shop",\n  "plans": {},\n  "consumers": {\n    "acme": {\n      "keys": [\n        {\n          "id": "one",\n          "digest": "${ONE}"\n        }, {"id": "new", "digest": "DIGEST"}\n      ]\n    },\n    "globex": {}\n  }\n}\n`,
  },
  {
    name: 'a new consumer among others',
    options: ['--plan', 'free'],
    before: `${API}consumers:\n  globex:\n    plan: free\n\n# the end\n`,
    after: `${API}consumers:\n  globex:\n    plan: free\n  acme:\n    plan: free\n    keys:\n      - id: new\n        digest: DIGEST\n\n# the end\n`,
  },
  {
    name: 'a new consumer in consumers: {}',
    options: ['--plan', 'free', '--from', '2026-01-01T00:00:00Z', '--until', '2999-01-01T00:00:00Z'],
    before: `${API}consumers: {}\n# the end\n`,
    after: `${API}consumers:\n  acme:\n    plan: free\n    keys:\n      - id: new\n        digest: DIGEST\n        from: 2026-01-01T00:00:00Z\n        until: 2999-01-01T00:00:00Z\n# the end\n`,
  },
  {
    name: 'a new consumer where there are no consumers',
    options: ['--plan', 'free'],
    before: API,
    after: `${API}consumers:\n  acme:\n    plan: free\n    keys:\n      - id: new\n        digest: DIGEST\n`,
  },
  {
    name: 'a new consumer in a policy in braces',
    options: ['--plan', 'free'],
    before: '{ policy: shop, plans: { free: } }\n',
    after:
      '{ policy: shop, plans: { free: }, consumers: { acme: { plan: free, keys: [{ id: new, digest: DIGEST }] } } }\n',
  },
];

async function issueTo(
  before: string,
  options: string[] = [],
): Promise<{ file: string; key: string; code: number; err: string; text: string }> {
  const file = scratchFile(folder, before);
  const { code, out, err } = await tollgate(['keys', 'issue', '--consumer', 'acme', '--id', 'new', ...options, file]);
  return { file, key: out.trimEnd(), code, err, text: readFileSync(file, 'utf8') };
}

for (const { name, before, after, options } of layouts) {
  test(`writes the digest into ${name}`, async () => {
    const { key, code, err, text } = await issueTo(before, options);
    assert.equal(code, 0, err);
    assert.equal(text, after.replace('DIGEST', digestKey(key)));
  });
}

test('shows the key once, on standard output only', async () => {
  const { key, err, text } = await issueTo(`${API}consumers:\n  acme:\n`);
  const secret = key.slice('tg_new_'.length);
  assert.equal(secret.length, 33);
  assert.ok(!err.includes(secret) && !text.includes(secret));
  assert.match(err, /^key new of consumer acme: this is the only time it is shown; its digest is in .*\n$/);
});

test('--json prints consumer, id, key, digest and times', async () => {
  const file = scratchFile(folder, `${API}consumers:\n  acme:\n`);
  const { out } = await tollgate([
    'keys',
    'issue',
    '--json',
    '--consumer',
    'acme',
    '--until',
    '2999-01-01T00:00:00Z',
    file,
  ]);
  const issued = JSON.parse(out) as Record<string, string>;
  assert.deepEqual(Object.keys(issued), ['consumer', 'key', 'id', 'digest', 'until']);
  assert.equal(issued['digest'], digestKey(issued['key']!));
  assert.deepEqual((load(readFileSync(file, 'utf8'), { schema: CORE_SCHEMA }) as { consumers: unknown }).consumers, {
    acme: { keys: [{ id: issued['id'], digest: issued['digest'], until: '2999-01-01T00:00:00Z' }] },
  });
});

test('--api and --scope limit the key, and --json prints them', async () => {
  const file = scratchFile(folder, `${API}consumers:\n  acme: { scopes: [read, write] }\n`);
  const options = ['--consumer', 'acme', '--api', 'pets', '--scope', 'write', '--scope', 'read', '--scope', 'write'];
  const { code, out, err } = await tollgate(['keys', 'issue', '--json', ...options, file]);
  assert.equal(code, 0, err);
  const { id, digest, apis, scopes } = JSON.parse(out) as Record<string, unknown>;
  assert.deepEqual([apis, scopes], [['pets'], ['write', 'read']]);
  assert.equal(
    readFileSync(file, 'utf8'),
    `${API}consumers:\n  acme: { scopes: [read, write], keys: [{ id: ${String(id)}, digest: ${String(digest)}, apis: [pets], scopes: [write, read] }] }\n`,
  );
});

test('quotes ids that YAML would read as something else', async () => {
  for (const id of ['12', '1e5', '0x1f', 'true', 'null', 'yes', '12.30', '2026-01-01']) {
    const file = scratchFile(folder, `${API}consumers:\n  acme:\n`);
    const { code, err } = await tollgate(['keys', 'issue', '--consumer', 'acme', '--id', id, file]);
    assert.equal(code, 0, err);
    assert.match(readFileSync(file, 'utf8'), new RegExp(`- id: "${id}"\n`));
  }
});

const refusals: { name: string; before: string; options?: string[]; message: RegExp }[] = [
  { name: 'an empty file', before: '', message: /:1: must hold a policy; the file is empty$/m },
  {
    name: 'a file with problems',
    before: `${API}consumers:\n  acme:\n    plan: gold\n`,
    message: /:6: consumers\.acme\.plan: must be a plan of this policy \(free\); found "gold"$/m,
  },
  {
    name: 'a consumer that does not exist',
    before: `${API}consumers:\n  globex:\n`,
    message: /^no consumer named "acme"; there are globex; --plan PLAN makes a new one$/m,
  },
  {
    name: 'a new consumer on a plan that does not exist',
    before: API,
    options: ['--plan', 'gold'],
    message: /^no plan named "gold"; there are free$/m,
  },
  {
    name: 'another plan for a consumer that exists',
    before: `${API}consumers:\n  acme:\n`,
    options: ['--plan', 'free'],
    message: /^consumer "acme" has no plan; --plan is for a new consumer$/m,
  },
  {
    name: 'an id that is taken',
    before: `${API}consumers:\n  acme: { keys: [{ id: new, digest: "${ONE}" }] }\n`,
    message: /^consumer "acme" has a key "new" already$/m,
  },
  {
    name: 'an API that does not exist',
    before: `${API}consumers:\n  acme:\n`,
    options: ['--api', 'pets', '--api', 'toys'],
    message: /^no API named "toys"; there are pets$/m,
  },
  {
    name: 'a scope that the consumer does not have',
    before: `${API}consumers:\n  acme: { scopes: [read] }\n`,
    options: ['--scope', 'write'],
    message: /^consumer "acme" does not have the scope "write"; it has read$/m,
  },
  {
    name: 'a scope for a new consumer',
    before: API,
    options: ['--plan', 'free', '--scope', 'write'],
    message: /^consumer "acme" does not have the scope "write"; it has none$/m,
  },
];

for (const { name, before, options, message } of refusals) {
  test(`refuses ${name}, and leaves the file alone`, async () => {
    const { code, key, err, text } = await issueTo(before, options);
    assert.equal(code, 1);
    assert.equal(key, '');
    assert.match(err, message);
    assert.equal(text, before);
  });
}

test('refuses wrong options with exit code 2, and repeats none of them', async () => {
  const file = scratchFile(folder, API);
  const wrong = [
    [],
    ['--consumer', 'acme'],
    ['--consumer', 'a  b', file],
    ['--consumer', 'acme', '--id', '-x-', file],
    ['--consumer', 'acme', '--plan', 'Free', file],
    ['--consumer', 'acme', '--until', '2026-01-01T00:00:00Z', file],
    ['--consumer', 'acme', '--from', 'tomorrow', file],
    ['--consumer', 'acme', '--api', 'Pets', file],
    ['--consumer', 'acme', '--scope', 'read write', file],
    ['--consumer', 'acme', '--from', '2027-01-01T00:00:00Z', '--until', '2026-01-01T00:00:00Z', file],
    ['--consumer', 'acme', file, 'tg_secret'],
    ['--consumer', 'acme', '--key', 'tg_secret', file],
  ];
  for (const options of wrong) {
    const { code, out, err } = await tollgate(['keys', 'issue', ...options]);
    assert.equal(code, 2, options.join(' '));
    assert.equal(out, '');
    assert.ok(!err.includes('tg_secret'));
  }
  assert.equal(readFileSync(file, 'utf8'), API);
});

test('keeps the mode and a link, and leaves no other file behind', async () => {
  const own = scratchFolder();
  const file = scratchFile(own, `${API}consumers:\n  acme:\n`, 'real.yaml');
  chmodSync(file, 0o640);
  symlinkSync('real.yaml', join(own, 'link.yaml'));
  const { code, err } = await tollgate(['keys', 'issue', '--consumer', 'acme', join(own, 'link.yaml')]);
  assert.equal(code, 0, err);
  assert.equal(statSync(file).mode & 0o777, 0o640);
  assert.ok(lstatSync(join(own, 'link.yaml')).isSymbolicLink());
  assert.match(readFileSync(file, 'utf8'), /keys:/);
  assert.deepEqual(readdirSync(own).sort(), ['link.yaml', 'real.yaml']);
});

test('writes nothing once it is told to stop', async () => {
  const own = scratchFolder();
  const file = scratchFile(own, `${API}consumers:\n  acme:\n`, 'policy.yaml');
  const { code, out, err } = await tollgate(['keys', 'issue', '--consumer', 'acme', file], {
    signal: AbortSignal.abort(),
  });
  assert.deepEqual([code, out, err], [1, '', `${file}: stopped; nothing was written\n`]);
  assert.equal(readFileSync(file, 'utf8'), `${API}consumers:\n  acme:\n`);
  assert.deepEqual(readdirSync(own), ['policy.yaml']);
});

test('does not overwrite what somebody else wrote meanwhile', async () => {
  const file = scratchFile(folder, 'theirs');
  assert.equal(
    await replaceFile(await placeOf(file), { before: 'read before', after: 'ours' }, new AbortController().signal),
    false,
  );
  assert.equal(readFileSync(file, 'utf8'), 'theirs');
});
