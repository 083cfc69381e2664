/** A number of values from `start` to `end`. */
export interface Bucket {
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

/**
 * Adds the requests that were due while their connection waited for an earlier one: during a wait of 3.5 intervals, three were
 * skipped, which would have waited 2.5, 1.5 and 0.5 intervals. (HdrHistogram's correction for coordinated omission.)
 */
export function withOmitted(buckets: readonly Bucket[], interval: number): Bucket[] {
  const all = [...buckets];
  for (const { start, end, count } of buckets) {
    for (let passed = interval; (start + end) / 2 - passed > 0; passed += interval) {
      all.push({ start: Math.max(0, start - passed), end: end - passed, count });
    }
  }
  return all;
}

/** The value below which the given percentage lies; within a bucket, values count as evenly distributed. */
export function percentile(buckets: readonly Bucket[], percent: number): number {
  const sorted = [...buckets].sort((a, b) => a.start - b.start || a.end - b.end);
  const total = sorted.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return Number.NaN;
  const wanted = (total * percent) / 100;
  let below = 0;
  for (const { start, end, count } of sorted) {
    if (count > 0 && below + count >= wanted) return start + ((end - start) * Math.max(0, wanted - below)) / count;
    below += count;
  }
  return sorted.at(-1)!.end;
}
