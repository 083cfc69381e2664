import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { placeOf } from '../../scripts/file/replaceFile.ts';
import { readPolicy, type Key } from '../../scripts/policy/index.ts';
import { Random } from '../../harness/random.ts';
import { tollgate, type Run } from './fakeIo.ts';
import { CONTESTED, lostIn, nothingSaid, startRival } from '../../harness/rivals/contest.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';

function contested(): string {
  return scratchFile(scratchFolder(), CONTESTED, 'shop.policy.yaml');
}

function keysOf(file: string): Key[] {
  return Object.values(readPolicy(readFileSync(file, 'utf8'), file).policy!.consumers).flatMap(({ keys }) => keys);
}

function issue(file: string, id: string, input: Parameters<typeof tollgate>[1] = {}): Promise<Run> {
  return tollgate(['keys', 'issue', '--consumer', 'acme', '--id', id, file], input);
}

function filesBeside(file: string): string[] {
  return readdirSync(join(file, '..')).filter((name) => name !== basename(file));
}

test('concurrent commands lose no key and no revocation', async () => {
  const file = contested();
  for (let i = 0; i < 8; i++) await issue(file, `old-${i}`);
  const runs = await Promise.all(
    [...Array(8).keys()].flatMap((i) => [
      issue(file, `new-${i}`),
      tollgate(['keys', 'revoke', '--id', `old-${i}`, file]),
    ]),
  );
  assert.deepEqual(
    runs.filter(({ code }) => code !== 0),
    [],
  );
  assert.deepEqual(
    keysOf(file)
      .filter(({ revoked }) => revoked)
      .map(({ id }) => id)
      .sort(),
    [...Array(8).keys()].map((i) => `old-${i}`),
  );
  assert.equal(keysOf(file).length, 16);
  assert.deepEqual(filesBeside(file), []);
});

test('concurrent processes lose nothing, even when killed at any moment', { timeout: 120_000 }, async () => {
  const seed = Number(process.env['SEED'] ?? 12);
  const random = new Random(seed);
  const file = contested();
  const said = nothingSaid();
  await Promise.all(
    ['a', 'b', 'c'].map(async (name) => {
      for (let life = 0; life < 3; life++) {
        const rival = startRival(file, `${name}${life}`, random.below(1e9), 25, said);
        await rival.begun;
        if (life < 2) setTimeout(() => rival.kill(), 100 + random.below(1000));
        await rival.ended;
      }
    }),
  );
  assert.deepEqual(lostIn(file, said), [], `seed ${seed}`);
  assert.ok(
    said.issued.size > 20 && said.revoked.size > 10,
    `only ${said.issued.size} keys were issued and ${said.revoked.size} revoked`,
  );
});

test('a killed process blocks no other', { timeout: 60_000 }, async (t) => {
  const file = contested();
  const { lock, folder, draftPrefix } = await placeOf(file);
  // time stands still: whoever waited for the lock to grow old would wait for ever
  t.mock.method(performance, 'now', () => 0);
  writeFileSync(lock, `${hostname()} 999999999 killed`);
  writeFileSync(join(folder, `${draftPrefix}0123456789abcdef.tmp`), 'half a pol');
  assert.equal((await issue(file, 'one')).code, 0);
  assert.deepEqual(filesBeside(file), []);
});

test('a lock of a machine that is gone is broken after a while, an unreadable one too', async () => {
  await Promise.all(
    ['elsewhere 1 token', ''].map(async (holder) => {
      const file = contested();
      writeFileSync((await placeOf(file)).lock, holder);
      assert.equal((await issue(file, 'one')).code, 0);
      assert.deepEqual(filesBeside(file), []);
    }),
  );
});

test('a process that lost its lock while it slept starts again, and its key is the one that was shown', async () => {
  const file = contested();
  const shown: string[] = [];
  const { code } = await issue(file, 'slow', {
    deliver: async (text) => {
      shown.push(text);
      const { lock } = await placeOf(file);
      unlinkSync(lock);
      assert.equal((await issue(file, 'quick')).code, 0);
    },
  });
  assert.equal(code, 0);
  assert.equal(shown.length, 1);
  assert.deepEqual(
    keysOf(file).map(({ id }) => id),
    ['quick', 'slow'],
  );
});

const saves: { name: string; save: (file: string) => void; kept: RegExp }[] = [
  { name: 'in place', save: (file) => appendFileSync(file, '# saved\n'), kept: /# saved\n$/ },
  {
    name: 'by a rename',
    save: (file) => {
      writeFileSync(`${file}~`, `${readFileSync(file, 'utf8')}# saved\n`);
      renameSync(`${file}~`, file);
    },
    kept: /# saved\n$/,
  },
  {
    name: 'away and back',
    save: (file) => void (unlinkSync(file), writeFileSync(file, `${CONTESTED}# saved\n`)),
    kept: /# saved\n$/,
  },
];

for (const { name, save, kept } of saves) {
  test(`an editor that saves ${name} at the last moment loses nothing, nor does the command`, async () => {
    const file = contested();
    const { code } = await issue(file, 'one', { deliver: () => Promise.resolve(save(file)) });
    assert.equal(code, 0);
    assert.match(readFileSync(file, 'utf8'), kept);
    assert.deepEqual(
      keysOf(file).map(({ id }) => id),
      ['one'],
    );
  });
}

test('a link that is switched meanwhile is followed', async () => {
  const folder = scratchFolder();
  for (const release of ['one', 'two']) scratchFile(folder, CONTESTED, release);
  const file = join(folder, 'policy.yaml');
  symlinkSync('one', file);
  const { code } = await issue(file, 'key', {
    deliver: () => {
      symlinkSync('two', join(folder, 'next'));
      return Promise.resolve(renameSync(join(folder, 'next'), file));
    },
  });
  assert.equal(code, 0);
  assert.ok(lstatSync(file).isSymbolicLink());
  assert.equal(readFileSync(join(folder, 'one'), 'utf8'), CONTESTED);
  assert.deepEqual(
    keysOf(join(folder, 'two')).map(({ id }) => id),
    ['key'],
  );
});

test('says that a printed key is not valid when it could not be stored after all', async () => {
  for (const [spoil, rule] of [
    [(file: string): void => writeFileSync(file, 'policy: [\n'), /must be valid YAML/],
    [(file: string): void => unlinkSync(file), /no such file/],
    [
      (file: string): void =>
        writeFileSync(file, CONTESTED.replace('[]', `[{ id: one, digest: "sha256:${'1'.repeat(64)}" }]`)),
      /has a key "one" already/,
    ],
  ] as const) {
    const file = contested();
    const { code, err } = await issue(file, 'one', { deliver: () => Promise.resolve(spoil(file)) });
    assert.equal(code, 1);
    assert.match(err, rule);
    assert.match(err, /\nthe key that was printed is in no policy, so it opens nothing\n$/);
  }
});

test('stores no key that could not be printed', async () => {
  const file = contested();
  const { code, err } = await issue(file, 'one', {
    deliver: () => Promise.reject(Object.assign(new Error('gone'), { code: 'EPIPE' })),
  });
  assert.deepEqual([code, err], [1, `the key could not be printed (EPIPE), so nothing was written to ${file}\n`]);
  assert.equal(readFileSync(file, 'utf8'), CONTESTED);
  assert.deepEqual(filesBeside(file), []);
});

test('gives up on a file that is saved all the time, and says so', async () => {
  const file = contested();
  const saving = setInterval(() => appendFileSync(file, '#\n'), 0);
  const { code, err } = await issue(file, 'one').finally(() => clearInterval(saving));
  assert.equal(code, 1);
  assert.match(err, /: was changed by somebody else each of the 8 times it was read; nothing was written\n/);
  assert.deepEqual(keysOf(file), []);
});

const isRoot = process.getuid?.() === 0;

test(
  'says why a file in a folder that may not be written is not changed',
  { skip: isRoot && 'root may write everywhere' },
  async () => {
    const file = contested();
    chmodSync(join(file, '..'), 0o555);
    const { code, err } = await issue(file, 'one');
    chmodSync(join(file, '..'), 0o755);
    assert.deepEqual(
      [code, err],
      [
        1,
        `${file}: cannot be written: permission denied; it is replaced by a new file, so its folder must be writable too; nothing was written\n`,
      ],
    );
  },
);

test('keeps a file that may not be written, and refuses what is no file', async () => {
  const file = contested();
  const folder = join(file, '..', 'folder');
  mkdirSync(folder);
  assert.deepEqual(await issue(folder, 'one'), {
    code: 1,
    out: '',
    err: `${folder}: must have a policy file: one whose name ends in .yaml, .yml or .json and does not begin with "."\n`,
  });
  assert.deepEqual(await issue('/dev/null', 'one'), {
    code: 1,
    out: '',
    err: '/dev/null: is changed in its place, so it must be a file\n',
  });
  rmSync(folder, { recursive: true });
  assert.match((await issue(folder, 'one')).err, /folder: no such file\n$/);
});

test('a name of the greatest length has room for what lies beside it', async () => {
  const file = scratchFile(scratchFolder(), CONTESTED, 'p'.repeat(255));
  assert.equal((await issue(file, 'one')).code, 0);
  assert.equal(statSync(file).mode & 0o777, 0o644);
});
