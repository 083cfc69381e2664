import assert from 'node:assert/strict';
import { test } from 'node:test';
import { line, median } from '../../bench/decide/fit.ts';
import { measureScales } from '../../bench/decide/scales.ts';
import { exactCost, openSubject } from '../../bench/decide/subject.ts';
import { loadCounted } from '../../harness/count/cost.ts';
import { SCALES } from '../../harness/count/scale.ts';

test('bench:decide measures requests that pass, on a host that does what it must', () => {
  const module = loadCounted();
  const costs = [1, 2, 3].map((quotas) => {
    const subject = openSubject(module, 20, quotas);
    subject.time(20_000, 1);
    assert.equal(subject.host.refused, 0);
    return exactCost(subject, 20);
  });
  assert.deepEqual(
    costs.map(({ hostCalls }) => hostCalls),
    [9, 9, 9],
  );
  const perQuota = line(costs.map(({ instructions }, i) => [i + 1, instructions]));
  assert.ok(
    perQuota.slope > 0 && perQuota.fit > 0.999,
    `${costs.map(({ instructions }) => instructions).join(', ')} instructions`,
  );
});

test('bench:decide has a row for one and for the most of everything of which there may be very many', () => {
  const module = loadCounted();
  const rows = measureScales(module, module, { rounds: 1, requests: 20 });
  for (const { what, most, limit } of SCALES) {
    const own = rows.filter((row) => row.what === what);
    assert.deepEqual([own[0]!.count, own.at(-1)!.count], [1, most]);
    const more = own.at(-1)!.instructions - own[0]!.instructions;
    assert.ok(own[0]!.instructions > 5000 && more >= 0 && more <= limit, `${what}: ${more}`);
    assert.ok(own.at(-1)!.memoryBytes > own[0]!.memoryBytes && own[0]!.nanoseconds > 0, what);
  }
});

test('the line of least squares goes through points that lie on one', () => {
  const { slope, start, fit } = line([
    [1, 12],
    [2, 14],
    [4, 18],
  ]);
  assert.deepEqual(
    [slope, start, fit].map((value) => value.toFixed(9)),
    ['2.000000000', '10.000000000', '1.000000000'],
  );
  assert.equal(median([5, 1, 9, 3]), 4);
});
