import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestKey, issueKey } from '../../scripts/key/key.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { readPolicy } from '../../scripts/policy/index.ts';
import { Random } from '../../harness/random.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';
import { tollgate } from './fakeIo.ts';

const folder = scratchFolder();
const POLICY = `policy: shop # the shop
apis: { pets: { paths: [/v1], plans: [free] } }
plans: { free: }
consumers:
  acme: # first
    plan: free
    keys:
      - { id: old, digest: "${digestKey('Old-S3cret')}" } # keep
# the end
`;

/** What every refusal must hold: exit code 1, the file as it was, nothing beside it, and none of the secrets said. */
async function refused(
  rows: string | Buffer,
  secrets: readonly string[] = [],
  options: string[] = [],
): Promise<string> {
  const own = scratchFolder();
  const file = scratchFile(own, POLICY, 'shop.policy.yaml');
  const { code, out, err } = await tollgate(['keys', 'import', ...options, file], { stdin: rows });
  assert.equal(code, 1, err);
  assert.equal(readFileSync(file, 'utf8'), POLICY);
  assert.deepEqual(readdirSync(own), ['shop.policy.yaml']);
  assert.doesNotMatch(err, /internal error|\n\s+at /);
  for (const secret of secrets) assert.ok(!`${out}${err}`.includes(secret), `${secret} is said in ${out}${err}`);
  return err;
}

const { key: OURS } = issueKey();
const FOREIGN = 'Zk8sQ2v7Lp0xTn4Rb6Wd1Yh3';

const mixedUp: Record<string, string> = {
  'a key of ours as consumer': `consumer,key,plan\n${OURS},acme,free\n`,
  'a key of ours as id': `consumer,key,id\nacme,other,${OURS}\n`,
  'the same key in two columns': `consumer,key,plan\n${FOREIGN},${FOREIGN},free\n`,
  'the key of another row as id': `consumer,key,id\nacme,${FOREIGN},a\nacme,other,${FOREIGN}\n`,
  'a key that the policy has, as consumer': 'consumer,key,plan\nOld-S3cret,other,free\n',
  'a key whose digest another row gives, as consumer': `consumer,digest,plan\nacme,${digestKey(FOREIGN)},\n${FOREIGN},${digestKey('x')},free\n`,
  'consumers and keys the wrong way round': `key,consumer,plan\nnew-customer,${FOREIGN},free\n`,
  'a key as plan': `consumer,key,plan\nnew,acme,${FOREIGN.toLowerCase()}\n`,
  'a key as time': `consumer,key,until\nacme,new,${FOREIGN}\n`,
  'a key of 64 hex digits as digest': `consumer,digest\nacme,${'0123456789abcdef'.repeat(4)}\n`,
  'a key in the place of the header': `${FOREIGN},${OURS}\nacme,x\n`,
  'a key after a quote that is not closed': `consumer,key\nacme,"${FOREIGN}\nacme,b\n`,
  'a key with quotes inside': `consumer,key\nacme,${FOREIGN}"x"\n`,
  'a key with something after its quotes': `consumer,key\nacme,"${FOREIGN}"x\n`,
  'a key that a comma cuts in two': `consumer,key\nacme,${FOREIGN},${FOREIGN}\n`,
  'a key in JSON that breaks off': `{"consumer":"acme","key":"${FOREIGN}\n`,
  'a key as a field of JSON': `{"consumer":"acme","${FOREIGN}":"x"}\n`,
  'keys as a list of JSON': `{"consumer":"acme","key":["${FOREIGN}"]}\n`,
};

for (const [what, rows] of Object.entries(mixedUp)) {
  test(`refuses ${what}, names the line, and never says it`, async () => {
    const secrets = [FOREIGN, FOREIGN.toLowerCase(), OURS, 'Old-S3cret', '0123456789abcdef'];
    const err = await refused(rows, secrets);
    assert.match(err, /^standard input:\d+: /);
    await refused(rows, secrets, ['--json']);
  });
}

test('the way out of a wrong guess about mixed up columns is to give digests', async () => {
  const uuid = '3f2504e0-4f89-11d3-9a0c-0305e82c3301';
  await refused(`consumer,key,plan\n${uuid},letmein,free\n`, ['letmein']);
  const file = scratchFile(folder, POLICY);
  const rows = `consumer,digest,plan\n${uuid},${digestKey('letmein')},free\n`;
  assert.equal((await tollgate(['keys', 'import', file], { stdin: rows })).code, 0);
  const both = `consumer,key,plan\n${uuid}-b,${FOREIGN},free\n`;
  assert.equal((await tollgate(['keys', 'import', file], { stdin: both })).code, 0);
});

const bytes: Record<string, string | Buffer> = {
  'a line of 10 MB': `consumer,key\nacme,${'x'.repeat(10_000_000)}\n`,
  'a quoted value of 10 MB with line breaks': `consumer,key\nacme,"${'x\n'.repeat(5_000_000)}"\n`,
  'a JSON line of 10 MB': `{"consumer":"acme","key":"${'x'.repeat(10_000_000)}"}\n`,
  'a header of 10 MB': `consumer,key${','.repeat(10_000_000)}\n`,
  'deep JSON': `{"consumer":${'['.repeat(8000)}${']'.repeat(8000)}}\n`,
  'a NUL byte in a key': 'consumer,key\nacme,a\0b\n',
  'a NUL byte in a name': 'consumer,key,plan\nac\0me,ab,free\n',
  'a NUL byte in an id': '{"consumer":"acme","key":"ab","id":"a\\u0000"}\n',
  'nothing but NUL bytes': Buffer.alloc(1000),
  'UTF-16': Buffer.from('\ufeffconsumer,key\r\nacme,k\r\n', 'utf16le'),
  'UTF-16 without a mark': Buffer.from('consumer,key\nacme,k\n', 'utf16le'),
  'the letters of an old code page': Buffer.from('consumer,key,plan\nM\xfcller,k,free\n', 'latin1'),
  'what a terminal obeys': 'consumer,key,plan\n\u001b[2Jacme,k,free\n',
  'a consumer of a million characters': `consumer,key,plan\n${'a'.repeat(10_000)},k,free\n`,
  'a name that JavaScript knows': 'consumer,key,plan\n__proto__,k,free\n',
};

for (const [what, rows] of Object.entries(bytes)) {
  test(`refuses ${what}`, { timeout: 120_000 }, async () => {
    const err = await refused(rows);
    assert.match(err, /^standard input(?::\d+)?: /);
    assert.ok(err.length < 20_000 && !err.includes('\u001b'), 'what is said is short');
  });
}

test('names that JavaScript knows are consumers like any other', async () => {
  const file = scratchFile(folder, POLICY);
  const names = ['constructor', 'toString', 'hasOwnProperty', '1', '0x10', 'null', 'true', '2026-01-01'];
  const rows = `consumer,key,plan\n${names.map((name, index) => `${name},k-${index},free\n`).join('')}`;
  const { code, err } = await tollgate(['keys', 'import', file], { stdin: rows });
  assert.equal(code, 0, err);
  const { consumers } = readPolicy(readFileSync(file, 'utf8'), 'p').policy!;
  for (const name of names) assert.equal(consumers[name]!.keys.length, 1, name);
});

const odd = fc.oneof(
  fc.constantFrom('acme', 'free', '', 'sha256:', '"', "'", ',', ';', '\t', '\n', 'a"b', '{', '#'),
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
);
const mostly = (usual: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: odd });
const SECRET = 'S3cr3tOfACustomer';
const row = fc.record({
  consumer: mostly(fc.constantFrom('acme', 'new', 'Smith, Jones', 'b;c', 'x@example.com')),
  key: mostly(
    fc.string({ unit: fc.constantFrom(...'abcdef"\',;'), minLength: 1, maxLength: 20 }).map((text) => SECRET + text),
  ),
  id: mostly(fc.constantFrom('', '', '', 'a', 'b')),
  plan: mostly(fc.constantFrom('free', '')),
  until: mostly(fc.constantFrom('', '2030-01-01', '2999-12-31T23:59:59Z')),
});
type Column = 'consumer' | 'key' | 'id' | 'plan' | 'until';
/** Now and then without its quotes. */
const written = (value: string, isQuoted: boolean): string =>
  isQuoted || /^[\w@.-]*$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;

test('whatever rows hold: all are imported or refused by a rule, and no value of a key is said', async () => {
  const codes = [0, 0];
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 1, maxLength: 5 }),
      fc.shuffledSubarray<Column>(['consumer', 'key', 'id', 'plan', 'until'], { minLength: 4 }),
      fc.constantFrom(',', ';', '\t', 'json'),
      fc.integer({ min: 0, max: 15 }),
      async (rows, columns, form, luck) => {
        const lines = rows.map((one) =>
          form === 'json'
            ? JSON.stringify(Object.fromEntries(columns.map((column) => [column, one[column]]))).slice(
                0,
                luck === 0 ? -1 : undefined,
              )
            : columns.map((column) => written(one[column], luck > 0)).join(form),
        );
        const stdin = [...(form === 'json' ? [] : [columns.join(form)]), ...lines].join('\n');
        const file = scratchFile(folder, POLICY, 'property.yaml');
        const { code, out, err } = await tollgate(['keys', 'import', file, '--plan', 'free'], { stdin });
        codes[code]!++;
        assert.ok(code === 0 || code === 1, err);
        assert.ok(!`${out}${err}`.includes(SECRET), err);
        assert.doesNotMatch(err, /internal error/);
        const text = readFileSync(file, 'utf8');
        const { policy, problems } = readPolicy(text, 'p');
        assert.deepEqual(problems, []);
        for (const line of POLICY.split('\n')) assert.ok(text.split('\n').includes(line), line);
        if (code === 1) return assert.equal(text, POLICY);
        const digests = Object.values(policy!.consumers).flatMap(({ keys }) => keys.map(({ digest }) => digest));
        for (const { key } of rows) assert.ok(digests.includes(digestKey(key.trim())), JSON.stringify(key));
        assert.ok(!text.includes(SECRET));
        const again = await tollgate(['keys', 'import', file, '--plan', 'free'], { stdin });
        assert.match(again.err, /no keys added; \d+ rows? (?:was|were) already in the policy/);
        assert.equal(readFileSync(file, 'utf8'), text);
      },
    ),
    { seed: 12, numRuns: 400 },
  );
  assert.ok(codes[0]! > 50 && codes[1]! > 50, `${codes.join(' imported, ')} refused`);
});

/** The tool as a process of its own; killed after so many milliseconds if that is said. */
function runImport(
  args: string[],
  before = 'true',
  killAfterMs: number | null = null,
): Promise<{ code: number | null; err: string }> {
  return new Promise((resolve, reject) => {
    const command = [process.execPath, inPackage('scripts', 'bin.mjs'), 'keys', 'import', ...args];
    const child = spawn('sh', ['-c', `${before}; exec "$@"`, 'sh', ...command], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const killer = killAfterMs === null ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(killer);
      resolve({ code, err });
    });
  });
}

function rowsFile(name: string, count: number): string {
  const rows = Array.from({ length: count }, (_, index) => `${name}-${index},${name}-secret-${index},free\n`);
  return scratchFile(folder, `consumer,key,plan\n${rows.join('')}`, `${name}.csv`);
}

function consumersOf(file: string): string[] {
  const { policy, problems } = readPolicy(readFileSync(file, 'utf8'), file);
  assert.deepEqual(problems, []);
  return Object.keys(policy!.consumers);
}

test('several imports and other commands at once lose nothing', { timeout: 120_000 }, async () => {
  const own = scratchFolder();
  const file = scratchFile(own, POLICY, 'shop.policy.yaml');
  const ended = await Promise.all([
    ...['a', 'b', 'c'].map((name) => runImport([file, '--from', rowsFile(name, 3000)])),
    ...Array.from({ length: 5 }, (_, index) =>
      tollgate(['keys', 'issue', '--consumer', 'acme', '--id', `n${index}`, file]),
    ),
  ]);
  assert.deepEqual(
    ended.map(({ code }) => code),
    ended.map(() => 0),
    ended.map(({ err }) => err).join(''),
  );
  assert.equal(consumersOf(file).length, 9001);
  assert.equal(readPolicy(readFileSync(file, 'utf8'), file).policy!.consumers['acme']!.keys.length, 6);
  assert.match(readFileSync(file, 'utf8'), /# first\n[^]*# keep\n[^]*# the end\n/);
  assert.deepEqual(readdirSync(own), [basename(file)]);
});

test('an editor that saves while rows are imported loses nothing, nor does the import', async () => {
  const file = scratchFile(scratchFolder(), POLICY, 'shop.policy.yaml');
  const rows = `consumer,key,plan\n${Array.from({ length: 2000 }, (_, index) => `c${index},k-${index},free\n`).join('')}`;
  const importing = tollgate(['keys', 'import', file], { stdin: rows });
  for (let saved = 0; saved < 3; saved++) {
    await new Promise((resolve) => setTimeout(resolve, 40));
    appendFileSync(file, `# saved ${saved}\n`);
  }
  assert.equal((await importing).code, 0);
  assert.equal(consumersOf(file).length, 2001);
  assert.match(readFileSync(file, 'utf8'), /# saved 0\n# saved 1\n# saved 2\n$/);
});

/** Ids are random; one that reads as a number stands in quotes. */
const ID = /id: (?:\w+|"\w+"|'\w+')/g;

test('what is killed at any moment has imported all rows or none', { timeout: 180_000 }, async () => {
  const random = new Random(Number(process.env['SEED'] ?? 12));
  const own = scratchFolder();
  const file = scratchFile(own, POLICY, 'shop.policy.yaml');
  const rows = rowsFile('k', 5000);
  const started = performance.now();
  assert.equal((await runImport([file, '--from', rows])).code, 0);
  const usualMs = performance.now() - started;
  const whole = readFileSync(file, 'utf8').replaceAll(ID, 'id');
  for (let round = 0; round < 8; round++) {
    writeFileSync(file, POLICY);
    await runImport([file, '--from', rows], 'true', usualMs * (0.3 + 0.007 * random.below(101)));
    const text = readFileSync(file, 'utf8');
    assert.ok(text === POLICY || text.replaceAll(ID, 'id') === whole);
  }
  assert.equal((await runImport([file, '--from', rows])).code, 0);
  assert.equal(consumersOf(file).length, 5001);
  assert.deepEqual(readdirSync(own), [basename(file)]);
});

test('on a disk that fills up nothing is imported, and nothing is left behind', async () => {
  const own = scratchFolder();
  const file = scratchFile(own, POLICY, 'shop.policy.yaml');
  const { code, err } = await runImport([file, '--from', rowsFile('full', 3000)], "trap '' XFSZ; ulimit -f 100");
  assert.deepEqual(
    [code, err],
    [1, `${file}: cannot be written: the file would be larger than is allowed; nothing was written\n`],
  );
  assert.equal(readFileSync(file, 'utf8'), POLICY);
  assert.deepEqual(readdirSync(own), [basename(file)]);
});

test('a policy that would be too large is refused as it would be', async () => {
  const rows = `consumer,digest,plan\n${Array.from({ length: 240_000 }, (_, index) => `consumer-number-${index},sha256:${String(index).padStart(64, '0')},free\n`).join('')}`;
  const err = await refused(rows);
  assert.match(
    err,
    /must have at most 33554432 bytes; found 3\d{7}\n\(as the file would be after the change; nothing was written\)\n$/,
  );
});

/** Generous, because a test machine does other things too: alone each takes less than ten seconds. */
const MOST_MILLISECONDS = 180_000;

test('100,000 rows take seconds, and so does one more key of so many', { timeout: 720_000 }, async (t) => {
  const file = scratchFile(folder, POLICY);
  const rows = `consumer,key,id,plan,until\n${Array.from({ length: 100_000 }, (_, index) => `consumer-${index % 60_000},secret-${index},key-${index},free,${index % 3 === 0 ? '2999-01-01' : ''}\n`).join('')}`;
  let started = performance.now();
  const timed = (what: string): void => {
    const ms = performance.now() - started;
    t.diagnostic(`${what}: ${(ms / 1000).toFixed(1)} s`);
    assert.ok(ms < MOST_MILLISECONDS, what);
    started = performance.now();
  };
  const first = await tollgate(['keys', 'import', file], { stdin: rows });
  timed('import');
  assert.match(first.err, /100,000 keys added to 60,000 consumers \(60,000 new\)\n$/);
  const again = await tollgate(['keys', 'import', file], { stdin: rows });
  timed('the same again');
  assert.match(again.err, /no keys added; 100,000 rows were already in the policy/);
  const rotated = await tollgate(['keys', 'rotate', file, 'consumer-7', '--id', 'key-7'], { isTerminal: true });
  assert.equal(rotated.code, 0);
  // on a terminal, each step overwrites the line before, and nothing of it is left
  assert.match(
    rotated.err,
    /^\r\u001b\[K\S+: reads the policy \(1\d\.\d MB\) …\r[^\n]*writes the policy \(1\d\.\d MB\) …\r\u001b\[Kkey /,
  );
  timed('rotate');
  assert.equal((await tollgate(['check', file])).code, 0);
  timed('check');
  assert.match(readFileSync(file, 'utf8'), /# keep\n {2}consumer-0:[^]*# the end\n$/);
});
