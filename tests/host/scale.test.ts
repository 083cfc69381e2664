import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { costOf, loadCounted, type Cost } from '../../harness/count/cost.ts';
import { needed, SCALE_REQUEST, SCALES, type Scale } from '../../harness/count/scale.ts';
import { Host } from '../../scripts/host/host.ts';
import { matchesGolden } from '../scripts/golden.ts';

const module = loadCounted();

function cost(scale: Scale, count: number): Cost {
  const host = new Host(module);
  assert.ok(host.load(JSON.stringify(scale.config(count))), host.logs().join('\n'));
  host.request([...SCALE_REQUEST]);
  let text: string | undefined;
  const spent = costOf(host, () => (text = host.request([...SCALE_REQUEST]).filterState.get('wasm.tollgate')));
  assert.match(text ?? '', /^reason=allowed /);
  if (scale.what !== 'routes by a header' || count > 1)
    assert.match(text ?? '', new RegExp(`(api=api-|operation=o|route=petstore/r)${needed(count)} `), scale.what);
  assert.deepEqual(host.faults, []);
  return spent;
}

describe('the cost of a decision hardly depends on how many there are of', () => {
  const instructions: Record<string, Record<string, number>> = {};

  for (const scale of SCALES) {
    it(scale.what, () => {
      const counts = [1, 100, scale.most];
      const costs = counts.map((count) => cost(scale, count));
      instructions[scale.what] = Object.fromEntries(counts.map((count, i) => [count, costs[i]!.instructions]));
      const spread = Math.max(...costs.map((one) => one.instructions)) - costs[0]!.instructions;
      assert.ok(spread <= scale.limit, JSON.stringify(instructions[scale.what]));
      for (const one of costs) assert.deepEqual(one.hostCalls, costs[0]!.hostCalls);
    });
  }

  it('as scale.golden.json says', () => {
    matchesGolden(`${JSON.stringify(instructions, null, 2)}\n`, new URL('scale.golden.json', import.meta.url));
  });
});
