import type { Cursor } from './cursor.ts';
import {
  BUCKET_SECONDS,
  MAX_BUCKET_RATE_PER_SECOND,
  MAX_BURST,
  MAX_REFILL_SECONDS,
  type Window,
} from '../schema/quota.ts';
import type { Report } from './report.ts';

const NANOSECONDS = 1_000_000_000n;

/** A bucket must fill neither too fast for its clock nor slower than anybody would wait. */
export function checkQuotas(root: Cursor, report: Report): void {
  for (const plan of root.get('plans').entries) {
    for (const quota of plan.get('quotas').entries) {
      if (quota.get('burst').given) checkBucket(quota, report);
    }
  }
}

function checkBucket(quota: Cursor, report: Report): void {
  const { text: window } = quota.get('window');
  const { number: limit } = quota.get('limit');
  const burst = quota.get('burst');
  if (window === 'week' || window === 'month' || window === '7d' || window === '30d') {
    report.add(burst, 'must go with a window of second, minute, hour or day', window);
    return;
  }
  const seconds = BUCKET_SECONDS[window as Window];
  if (seconds === undefined || limit === undefined || limit < 1) return;
  if (limit / seconds > MAX_BUCKET_RATE_PER_SECOND) {
    report.add(
      quota.get('limit'),
      `must be at most ${MAX_BUCKET_RATE_PER_SECOND * seconds} a ${window} beside a burst: a bucket fills at most ${MAX_BUCKET_RATE_PER_SECOND} times a second`,
    );
  } else if (
    Number.isInteger(limit) &&
    isBurst(burst.number) &&
    refillNanoseconds(burst.number, limit, seconds) > MAX_REFILL_SECONDS * NANOSECONDS
  ) {
    report.add(burst, 'must be refilled within 366 days');
  }
}

function isBurst(burst: number | undefined): burst is number {
  return burst !== undefined && Number.isInteger(burst) && burst <= MAX_BURST;
}

/** As the module counts it: the time between two tokens is rounded up to whole nanoseconds. */
function refillNanoseconds(burst: number, limit: number, seconds: number): bigint {
  return BigInt(burst) * ((BigInt(seconds) * NANOSECONDS + BigInt(limit) - 1n) / BigInt(limit));
}
