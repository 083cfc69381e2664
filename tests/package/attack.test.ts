import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { about, fingerprint, packed } from './packed.ts';
import { Stranger, type Said } from './stranger.ts';

const POLICY = 'petstore.policy.yaml';
const stranger = Stranger.arrive(packed(), "ein Projekt's “Ordner” & ünïcödé %20 #1");
const before = fingerprint(stranger.installed);
after(() => stranger.leave());
stranger.puts(POLICY, readFileSync(inPackage('examples', POLICY)));

function isDone({ code, err }: Said): void {
  assert.equal(code, 0, err);
}

/** A copy of the installed package that somebody may change. */
function changed(name: string, change: (folder: string) => void): string {
  const copy = join(stranger.folder, name);
  cpSync(stranger.installed, copy, { recursive: true });
  spawnSync('chmod', ['-R', 'u+w', copy]);
  change(copy);
  return join(copy, 'scripts', 'bin.mjs');
}

test('the folder may have any name', async () => {
  isDone(await stranger.tollgate(['check', POLICY]));
  isDone(await stranger.tollgate(['compile', POLICY, '--pretty']));
  isDone(await stranger.tollgate(['pack', '--out', 'layout']));
});

test('the program may be a link to a link', async () => {
  const link = join(stranger.desk, 'link');
  symlinkSync(stranger.program, link);
  assert.equal((await stranger.tollgate(['--version'], { program: link })).out, `tollgate ${about.version}\n`);
});

test('no home, one that is not there, and one that may not be written are no hindrance', async () => {
  for (const HOME of [undefined, '', '/nowhere', '/proc/nowhere', '/']) {
    isDone(await stranger.tollgate(['check', POLICY], { env: { HOME } }));
    isDone(await stranger.tollgate(['compile', POLICY], { env: { HOME, TMPDIR: '/nowhere' } }));
  }
});

test('where no Envoy can be stored, run says so', async () => {
  const PATH = join(stranger.desk, 'empty');
  mkdirSync(PATH);
  for (const env of [
    { HOME: undefined },
    { HOME: '/proc/nowhere' },
    { HOME: '' },
    { XDG_CACHE_HOME: '/proc/nowhere' },
  ]) {
    const { code, err } = await stranger.tollgate(['run', POLICY], { env: { PATH, ...env } });
    assert.equal(code, 1, err);
    assert.doesNotMatch(err, /internal error/);
    assert.match(
      err,
      /(?:cannot be written: \w+|no home folder to keep an Envoy in); set \$XDG_CACHE_HOME to a folder that can be/,
    );
  }
});

test('NODE_OPTIONS changes nothing', async () => {
  for (const NODE_OPTIONS of [
    '--enable-source-maps',
    '--conditions=development --conditions=source',
    '--frozen-intrinsics',
  ])
    isDone(await stranger.tollgate(['check', POLICY], { env: { NODE_OPTIONS } }));
});

test('a module that was changed is used by no command', async () => {
  const program = changed('tampered', (folder) => {
    const path = join(folder, 'dist', 'tollgate.wasm');
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
  });
  for (const args of [['pack', '--out', 'tampered'], ['build'], ['run', POLICY, '--envoy', '/bin/true']]) {
    const { code, err } = await stranger.tollgate(args, { program });
    assert.equal(code, 1, args[0]);
    if (args[0] !== 'run')
      assert.match(err, /tollgate\.wasm: must have the SHA-256 digest [0-9a-f]{64}; found [0-9a-f]{64}; /);
  }
});

test('an incomplete package says what is missing', async () => {
  const program = changed('broken', (folder) => rmSync(join(folder, 'dist', 'module.json')));
  const { code, err } = await stranger.tollgate(['pack', '--out', 'broken'], { program });
  assert.equal(code, 1);
  assert.match(err, /module\.json cannot be read: ENOENT; the package was changed after it was made: install it again/);
});

test('two versions side by side leave each other alone', async () => {
  const program = changed('other', (folder) => {
    const path = join(folder, 'package.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace(`"version": "${about.version}"`, '"version": "99.0.0"'));
  });
  const env = { XDG_CACHE_HOME: join(stranger.desk, 'cache') };
  const both = await Promise.all([
    stranger.tollgate(['--version'], { env, program }),
    stranger.tollgate(['--version'], { env }),
  ]);
  assert.deepEqual(
    both.map(({ out }) => out),
    ['tollgate 99.0.0\n', `tollgate ${about.version}\n`],
  );
  isDone(await stranger.tollgate(['check', POLICY], { env, program }));
  isDone(await stranger.tollgate(['check', POLICY], { env }));
});

test('nothing of it changed a file of the package', () => {
  assert.deepEqual(fingerprint(stranger.installed), before);
});
