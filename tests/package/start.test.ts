import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { packed } from './packed.ts';
import { Stranger } from './stranger.ts';

const ROUNDS = 15;
const stranger = Stranger.arrive(packed());
after(() => stranger.leave());
const policy = stranger.puts('petstore.policy.yaml', readFileSync(inPackage('examples', 'petstore.policy.yaml')));

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  'node -e 0': ['-e', '0'],
  '--help': [stranger.program, '--help'],
  check: [stranger.program, 'check', policy],
};

test('how long a start takes, beside Node itself (reported, not judged: the machine may be busy)', (t) => {
  const times = Object.fromEntries(Object.keys(COMMANDS).map((name) => [name, [] as number[]]));
  // in turns, so that a busy moment falls on all of them
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, args] of Object.entries(COMMANDS)) {
      const started = performance.now();
      const { status } = spawnSync(process.execPath, args, { cwd: stranger.desk, env: stranger.environment });
      times[name]!.push(performance.now() - started);
      assert.equal(status, 0, name);
    }
  const middle = (name: string): number => times[name]!.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]!;
  for (const name of Object.keys(COMMANDS)) {
    const [fastest = 0] = times[name]!.sort((a, b) => a - b);
    const ratio = middle(name) / middle('node -e 0');
    t.diagnostic(
      `${name}: ${middle(name).toFixed(0)} ms, fastest ${fastest.toFixed(0)} ms, ${ratio.toFixed(1)} times node -e 0`,
    );
  }
});
