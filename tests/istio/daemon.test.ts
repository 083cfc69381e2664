import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { eachLine } from '../../scripts/program/run.ts';
import { Daemon } from '../../harness/mesh/daemon.ts';
import { waitFor } from '../../harness/mesh/wait.ts';

/** Starts a program that starts another, as the agent does with Envoy, and prints both process ids. */
const FAMILY = 'sleep 300 & echo "$$ $!"; wait';

test('a daemon takes all that it started along when it is stopped', async () => {
  const daemon = new Daemon({ name: 'family', command: 'sh', args: ['-c', FAMILY], folder: tmpdir() });
  const pids = (await waitFor('its process ids', () => daemon.log[0] ?? null)).split(' ').map(Number);
  assert.deepEqual(pids.map(isAlive), [true, true]);
  await daemon.stop();
  await waitFor('the end of both', () => !pids.some(isAlive));
});

test('a daemon does not outlive a parent that is killed', async () => {
  const daemonFile = inPackage('harness', 'mesh', 'daemon.ts');
  const program = `import { Daemon } from ${JSON.stringify(daemonFile)};
    const daemon = new Daemon({ name: 'family', command: 'sh', args: ['-c', ${JSON.stringify(FAMILY)}], folder: ${JSON.stringify(tmpdir())} });
    setInterval(() => daemon.log.splice(0).forEach((line) => process.stdout.write(line + '\\n')), 20);`;
  const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    cwd: inPackage(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  eachLine(parent.stdout, (line) => lines.push(line));
  const pids = (await waitFor('the process ids', () => lines[0] ?? null)).split(' ').map(Number);
  parent.kill('SIGKILL');
  await waitFor('the end of both', () => !pids.some(isAlive));
});

test('a daemon that ends at once is reported with its last words', async () => {
  const daemon = new Daemon({
    name: 'short',
    command: 'sh',
    args: ['-c', 'echo no such flag >&2; exit 3'],
    folder: tmpdir(),
  });
  await assert.rejects(
    daemon.isUp(async () => false),
    /short did not start: exit code 3\n {2}short: no such flag/,
  );
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
