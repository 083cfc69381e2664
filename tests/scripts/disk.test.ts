import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readLayout } from '../../scripts/oci/layout.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { writeModule } from '../../harness/registry/wasmFixture.ts';
import { scratchFolder } from '../../harness/scratch.ts';

const folder = scratchFolder();
const POLICY = inPackage('wasmplugins', 'ingress-gateway', 'policy.yaml');
const SMALL = writeModule(folder, 100);
const LARGE = writeModule(folder, 3_000_000);
const [ONE, OTHER] = ['a', 'b'].map((digit) => `oci://registry.example/tollgate@sha256:${digit.repeat(64)}`);

interface Ended {
  readonly code: number | null;
  readonly err: string;
}

/** Runs the tool as a process, after the shell commands in `before`; killed after the given milliseconds, if any. */
function tollgate(args: string[], before = 'true', killAfterMs: number | null = null): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      'sh',
      ['-c', `${before}; exec "$@"`, 'sh', process.execPath, inPackage('scripts', 'bin.mjs'), ...args],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let err = '';
    child.stderr.on('data', (bytes: Buffer) => (err += bytes.toString()));
    const killer = killAfterMs === null ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(killer);
      resolve({ code, err });
    });
  });
}

const emit = (out: string, image = ONE!): string[] => ['emit', POLICY, '--image', image, '-o', out];
const pack = (out: string, module = SMALL): string[] => ['pack', '--module', module, '--out', out];
const contents = (path: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(path)
      .sort()
      .map((name) => [name, readFileSync(join(path, name), 'utf8')]),
  );
const withoutStack = ({ err }: Ended): void => assert.doesNotMatch(err, /internal error|\n\s+at /);

/** Limits files to the given number of 512-byte blocks, like a disk that is full; the signal for it is ignored. */
const room = (blocks: number): string => `trap '' XFSZ; ulimit -f ${blocks}`;

test('emit on a disk that fills up changes no file and leaves none behind', async () => {
  const out = join(folder, 'full');
  assert.equal((await tollgate(emit(out))).code, 0);
  const before = contents(out);
  const ended = await tollgate(emit(out, OTHER), room(2));
  assert.equal(ended.code, 1);
  assert.match(ended.err, /full: cannot be used: (EFBIG|ENOSPC)\n$/);
  assert.deepEqual(contents(out), before);
  const fresh = join(folder, 'full-new');
  assert.equal((await tollgate(emit(fresh), room(2))).code, 1);
  assert.deepEqual(readdirSync(fresh), []);
});

test('pack on a disk that fills up leaves the layout that was there, and nothing else', async () => {
  const out = join(folder, 'packs', 'full');
  assert.equal((await tollgate(pack(out))).code, 0);
  const { manifest } = await readLayout(out);
  const ended = await tollgate(pack(out, LARGE), room(100));
  assert.deepEqual([ended.code, ended.err], [1, `${out}: cannot be written: EFBIG\n`]);
  assert.equal((await readLayout(out)).manifest.descriptor.digest, manifest.descriptor.digest);
  assert.deepEqual(readdirSync(join(folder, 'packs')), ['full']);
  assert.equal((await tollgate(pack(join(folder, 'packs', 'new'), LARGE), room(100))).code, 1);
  assert.deepEqual(readdirSync(join(folder, 'packs')), ['full']);
});

test('what is killed has written each file whole or not at all', async () => {
  const [emitted, packed] = [join(folder, 'killed'), join(folder, 'killed-packs', 'oci')];
  assert.equal((await tollgate(emit(emitted))).code, 0);
  const old = contents(emitted);
  const clean = join(folder, 'other');
  const started = Date.now();
  assert.equal((await tollgate(emit(clean, OTHER))).code, 0);
  const whole = contents(clean);
  const usualMs = Date.now() - started;
  for (let round = 0; round < 8; round++) {
    const after = usualMs * (0.6 + round * 0.07);
    await Promise.all([
      tollgate(emit(emitted, round % 2 === 0 ? OTHER : ONE), 'true', after),
      tollgate(pack(packed, round % 2 === 0 ? LARGE : SMALL), 'true', after),
    ]);
    for (const [name, text] of Object.entries(contents(emitted)).filter(([one]) => one.endsWith('.yaml')))
      assert.ok(text === old[name] || text === whole[name], name);
    if (existsSync(packed)) await readLayout(packed);
  }
  assert.equal((await tollgate(emit(emitted, OTHER))).code, 0);
  assert.equal((await tollgate(pack(packed))).code, 0);
  for (const [name, text] of Object.entries(whole)) assert.equal(readFileSync(join(emitted, name), 'utf8'), text);
  await readLayout(packed);
});

test('what killed runs have left is removed an hour later, and nothing that looks like it', async () => {
  const [out, packs] = [join(folder, 'left'), join(folder, 'left-packs')];
  for (const path of [out, packs]) mkdirSync(path);
  const leave = (path: string, isOld: boolean): void => {
    if (!existsSync(path)) writeFileSync(path, 'half');
    if (isOld) utimesSync(path, new Date(Date.now() - 7_200_000), new Date(Date.now() - 7_200_000));
  };
  for (const name of ['a.yaml.0123456789ab.tmp', 'b.yaml.tmp', 'notes.tmp']) leave(join(out, name), true);
  leave(join(out, 'c.yaml.0123456789ab.tmp'), false);
  for (const name of ['.oci-abc123', '.oci-mine12', '.oci-recent']) mkdirSync(join(packs, name));
  mkdirSync(join(packs, '.oci-abc123', 'fresh'));
  leave(join(packs, '.oci-mine12', 'diary'), false);
  for (const name of ['.oci-abc123', '.oci-mine12']) leave(join(packs, name), true);
  assert.equal((await tollgate(emit(out))).code, 0);
  assert.equal((await tollgate(pack(join(packs, 'oci')))).code, 0);
  assert.deepEqual(
    readdirSync(out)
      .filter((name) => name.endsWith('.tmp'))
      .sort(),
    ['b.yaml.tmp', 'c.yaml.0123456789ab.tmp', 'notes.tmp'],
  );
  assert.deepEqual(readdirSync(packs).sort(), ['.oci-mine12', '.oci-recent', 'oci']);
});

test("with a umask of 077 new files are the user's alone, and files that were readable stay so", async () => {
  const out = join(folder, 'umask');
  assert.equal((await tollgate(emit(out), 'umask 022')).code, 0);
  assert.equal((await tollgate(emit(out, OTHER), 'umask 077')).code, 0);
  for (const name of readdirSync(out)) assert.equal(statSync(join(out, name)).mode & 0o777, 0o644, name);
  const mine = join(folder, 'umask-new');
  assert.equal((await tollgate(emit(mine), 'umask 077')).code, 0);
  for (const name of readdirSync(mine)) assert.equal(statSync(join(mine, name)).mode & 0o777, 0o600, name);
  assert.equal((await tollgate(pack(join(folder, 'umask-oci')), 'umask 077')).code, 0);
  await readLayout(join(folder, 'umask-oci'));
});

test('a place that cannot be written to is named, at once', async () => {
  for (const args of [emit('/proc/tollgate/x'), pack('/proc/tollgate/x'), emit('/dev/null/x'), pack('/dev/null/x')]) {
    const started = Date.now();
    const ended = await tollgate(args, 'true', 30_000);
    assert.equal(ended.code, 1, args.join(' '));
    withoutStack(ended);
    assert.match(ended.err, /: (cannot be (used|written|read): E\w+|is a file)\n$/);
    assert.ok(Date.now() - started < 30_000);
  }
});

test('a link that stands where emit would write is left alone; pack writes through one to a layout', async () => {
  const [out, elsewhere] = [join(folder, 'linked'), join(folder, 'elsewhere.yaml')];
  assert.equal((await tollgate(emit(join(folder, 'names')))).code, 0);
  const [name] = readdirSync(join(folder, 'names'));
  mkdirSync(out);
  writeFileSync(elsewhere, 'mine');
  symlinkSync(elsewhere, join(out, name!));
  const ended = await tollgate(emit(out));
  assert.equal(ended.code, 1);
  assert.match(ended.err, /: exists and is not a file; move it\n$/);
  assert.equal(readFileSync(elsewhere, 'utf8'), 'mine');
  assert.deepEqual(readdirSync(out), [name]);
  assert.equal((await tollgate(pack(join(folder, 'releases')))).code, 0);
  symlinkSync('releases', join(folder, 'current'));
  assert.equal((await tollgate(pack(join(folder, 'current'), LARGE))).code, 0);
  assert.ok(lstatSync(join(folder, 'current')).isSymbolicLink());
  await readLayout(join(folder, 'releases'));
});
