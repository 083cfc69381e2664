import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { keep, readResult } from '../../bench/result.ts';
import { RESULT } from './fixture.ts';

test('runs of one day do not take each other’s place, also when they end at once', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-bench-results-'));
  t.after(() => rm(folder, { recursive: true }));
  const seeds = [1, 2, 3, 4];
  const paths = await Promise.all(seeds.map((seed) => keep({ ...RESULT, seed }, folder)));
  assert.deepEqual(
    (await readdir(folder)).sort(),
    ['-2', '-3', '-4', ''].map((number) => `2026-01-15${number}.json`),
  );
  for (const [i, seed] of seeds.entries()) assert.equal((await readResult(paths[i]!)).seed, seed);
});
