import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { once } from 'node:events';
import { readBounded, Unreadable } from '../../scripts/file/read.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';
import { tollgate } from './fakeIo.ts';

const folder = scratchFolder();
const MOST = 100_000;

async function reasonOf(path: string): Promise<string> {
  try {
    return `read ${(await readBounded(path, MOST)).length}`;
  } catch (error) {
    assert.ok(error instanceof Unreadable);
    return error.message;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

function pipe(name: string): string {
  const path = join(folder, name);
  execFileSync('mkfifo', [path]);
  return path;
}

test('reads files up to their bound, whatever the system says of their size', async () => {
  assert.equal(await reasonOf(scratchFile(folder, 'x'.repeat(MOST))), `read ${MOST}`);
  assert.equal(
    await reasonOf(scratchFile(folder, 'x'.repeat(MOST + 1))),
    `must have at most ${MOST} bytes; found ${MOST + 1}`,
  );
  assert.equal(await reasonOf(join(folder, 'none')), 'no such file');
  mkdirSync(join(folder, 'folder'));
  assert.equal(await reasonOf(join(folder, 'folder')), 'must be a file; found a folder');
  symlinkSync('loop', join(folder, 'loop'));
  assert.equal(await reasonOf(join(folder, 'loop')), 'cannot be read: its links form a loop');
});

test('reads of an endless device no more than the bound', { skip: process.platform === 'win32' }, async () => {
  symlinkSync('/dev/zero', join(folder, 'zero'));
  const before = process.memoryUsage().rss;
  assert.equal(await reasonOf(join(folder, 'zero')), `must have at most ${MOST} bytes; found more`);
  assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024);
  assert.equal(await reasonOf('/dev/null'), 'read 0');
});

test(
  'reads a pipe as it is written, and does not wait for a writer that never comes',
  { skip: process.platform === 'win32' },
  async () => {
    const slow = pipe('slow');
    const writer = spawn('sh', ['-c', `(printf one; sleep 0.3; printf two) > ${slow}`]);
    assert.equal(await reasonOf(slow), 'read 6');
    await ended(writer);
    const started = performance.now();
    assert.equal(await reasonOf(pipe('nobody')), 'read 0');
    assert.ok(performance.now() - started < 10_000);
    const endless = pipe('endless');
    const yes = spawn('sh', ['-c', `exec yes > ${endless}`]);
    assert.equal(await reasonOf(endless), `must have at most ${MOST} bytes; found more`);
    await ended(yes);
  },
);

test('every command that reads a policy or a resource bounds it', { skip: process.platform === 'win32' }, async () => {
  const policy = scratchFile(folder, 'policy: p\n');
  for (const args of [
    ['check', '/dev/zero'],
    ['compile', '/dev/zero'],
    ['rate-limit-service', '/dev/zero'],
    ['keys', 'list', '/dev/zero'],
    ['diff', policy, '/dev/zero'],
    ['diff', '--resource', '/dev/zero', policy],
  ]) {
    const { code, err } = await tollgate(args);
    assert.equal(code, 1, err);
    assert.match(err, /^\/dev\/zero: must have at most \d+ bytes; found more$/m);
  }
});
