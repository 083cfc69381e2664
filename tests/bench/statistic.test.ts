import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { percentile, withOmitted } from '../../bench/histogram.ts';
import { shuffled } from '../../bench/order.ts';
import { median, paired, spread } from '../../bench/statistic.ts';

describe('statistics of rounds', () => {
  it('takes the middle, or the mean of the two in the middle', () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([9, 1, 5, 7]), 6);
    assert.ok(Number.isNaN(median([])));
  });

  it('sorts numbers as numbers', () => {
    assert.deepEqual(spread([10, 9, 100]), { minimum: 9, median: 10, maximum: 100 });
  });

  it('pairs what was measured in the same round before it takes the middle', () => {
    // rounds in which the whole machine was slow: each difference is 2, that of the medians is 2 as well only by chance
    assert.equal(
      paired([12, 102, 1002], [10, 100, 1000], (a, b) => a - b),
      2,
    );
    assert.equal(
      paired([3, 50, 8], [1, 10, 4], (a, b) => a / b),
      3,
    );
  });

  it('refuses to pair unequal numbers of rounds', () => {
    assert.throws(() => paired([1], [1, 2], (a, b) => a - b), /1 and 2 rounds/);
  });
});

describe('histogram of latencies', () => {
  it('spreads the values of a bucket evenly', () => {
    const buckets = [
      { start: 0, end: 10, count: 90 },
      { start: 10, end: 20, count: 10 },
    ];
    assert.equal(percentile(buckets, 45), 5);
    assert.equal(percentile(buckets, 95), 15);
    assert.equal(percentile(buckets, 100), 20);
  });

  it('is of no order, and no values have no percentile', () => {
    assert.equal(
      percentile(
        [
          { start: 10, end: 20, count: 1 },
          { start: 0, end: 10, count: 1 },
        ],
        50,
      ),
      10,
    );
    assert.ok(Number.isNaN(percentile([], 50)));
  });

  it('puts back the requests that a stall left out, with the wait each would have had', () => {
    const stalled = withOmitted(
      [
        { start: 0, end: 2, count: 97 },
        { start: 34, end: 36, count: 1 },
      ],
      10,
    );
    assert.deepEqual(stalled.slice(2), [
      { start: 24, end: 26, count: 1 },
      { start: 14, end: 16, count: 1 },
      { start: 4, end: 6, count: 1 },
    ]);
    // without them, 98 of 99 requests would seem to have been fast
    assert.ok(percentile(stalled, 98) > 4);
  });

  it('adds nothing when no request took longer than the distance between two', () => {
    const buckets = [{ start: 0, end: 2, count: 97 }];
    assert.deepEqual(withOmitted(buckets, 10), buckets);
  });
});

describe('order of variants', () => {
  const items = Array.from({ length: 20 }, (_, i) => i);

  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(shuffled(items, 7), shuffled(items, 7));
    assert.notDeepEqual(shuffled(items, 7), shuffled(items, 8));
  });

  it('loses and doubles nobody', () => {
    for (let seed = 0; seed < 50; seed++)
      assert.deepEqual(
        shuffled(items, seed).sort((a, b) => a - b),
        items,
      );
  });

  it('puts everybody everywhere', () => {
    const firsts = new Set(Array.from({ length: 400 }, (_, seed) => shuffled(items, seed)[0]));
    assert.equal(firsts.size, items.length);
  });
});
