import assert from 'node:assert/strict';
import { test } from 'node:test';
import { line, median } from '../../bench/decide/fit.ts';
import { exactCost, openSubject } from '../../bench/decide/subject.ts';
import { loadCounted } from '../../harness/count/cost.ts';

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
