import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';

const folder = scratchFolder();
const POLICY = 'policy: shop\nplans: { free: }\nconsumers:\n  acme: { plan: free }\n';
const GONE = 'gone';

/** Runs the program with a standard output that nobody reads (`| true`), or a file such as /dev/full. */
function run(output: string, args: string[]): Promise<{ code: number | null; err: string }> {
  const stdout = output === GONE ? 'pipe' : openSync(output, 'w');
  const child = spawn(process.execPath, [inPackage('scripts', 'bin.mjs'), ...args], {
    stdio: ['ignore', stdout, 'pipe'],
  });
  child.stdout?.destroy();
  let err = '';
  child.stderr!.on('data', (bytes: Buffer) => (err += bytes.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, err })));
}

for (const [output, errorCode] of [
  [GONE, 'EPIPE'],
  ['/dev/full', 'ENOSPC'],
] as const) {
  test(
    `keys issue stores no key that went nowhere (${errorCode})`,
    { skip: process.platform !== 'linux' && 'has no /dev/full' },
    async () => {
      const file = scratchFile(folder, POLICY);
      const { code, err } = await run(output, ['keys', 'issue', '--consumer', 'acme', file]);
      assert.equal(code, 1);
      assert.match(
        err,
        new RegExp(`^the key could not be printed \\(${errorCode}\\), so nothing was written to .*$`, 'm'),
      );
      assert.equal(readFileSync(file, 'utf8'), POLICY);
    },
  );
}

test('a closed standard output changes no exit code', async () => {
  const good = scratchFile(folder, POLICY);
  const bad = scratchFile(folder, 'policy: 1\n');
  assert.deepEqual(await run(GONE, ['schema']), { code: 0, err: '' });
  assert.equal((await run(GONE, ['check', '--json', good, bad])).code, 1);
  assert.equal(
    (
      await run(GONE, [
        'diff',
        '--exit-code',
        good,
        scratchFile(folder, POLICY.replace('free', 'gold').replace('free', 'gold')),
      ])
    ).code,
    1,
  );
});

test(
  'a full disk is said, with exit code 1',
  { skip: process.platform !== 'linux' && 'has no /dev/full' },
  async () => {
    assert.deepEqual(await run('/dev/full', ['schema']), {
      code: 1,
      err: 'tollgate: cannot write to standard output: ENOSPC\n',
    });
  },
);
