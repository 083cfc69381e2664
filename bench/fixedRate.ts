import { Refusal } from '../scripts/cli/command.ts';
import { runToEnd } from '../scripts/program/run.ts';
import { percentile, withOmitted, type Bucket } from './histogram.ts';
import { headersOf, type Target } from './request.ts';

/** Latencies in microseconds at a rate well below a worker's capacity. */
export interface FixedRate {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Microseconds: number;
  readonly p99Microseconds: number;
  readonly p999Microseconds: number;
}

export const RATE_PER_SECOND = 1000;
const CONNECTIONS = 8;
/** The interval between two requests of a connection. */
const INTERVAL_SECONDS = CONNECTIONS / RATE_PER_SECOND;
/** The width of fortio's first buckets; they grow with the value: 10 µs up to 100 µs, 20 up to 200, 50 up to 500. */
const RESOLUTION_SECONDS = '0.00001';

interface Report {
  readonly ActualQPS: number;
  readonly DurationHistogram: {
    readonly Count: number;
    readonly Data: readonly { readonly Start: number; readonly End: number; readonly Count: number }[];
  };
  readonly RetCodes: Readonly<Record<string, number>>;
}

/**
 * Requests at even intervals over all connections (`-uniform`). A connection that is still waiting when its next request is due skips
 * it (`-nocatchup`). fortio's own percentiles would therefore leave out the waits that a stall causes, so the skipped requests are
 * added again with the wait that they would have had.
 */
export async function fixedRate(
  fortio: string,
  target: Target,
  status: number,
  seconds: number,
  signal: AbortSignal,
): Promise<FixedRate> {
  const args = [
    'load',
    '-quiet',
    '-qps',
    String(RATE_PER_SECOND),
    '-uniform',
    '-nocatchup',
    '-c',
    String(CONNECTIONS),
    '-t',
    `${Math.round(seconds * 1000)}ms`,
    '-r',
    RESOLUTION_SECONDS,
    '-p',
    '50,99,99.9',
    '-json',
    '-',
    ...headersOf(target).flatMap((header) => ['-H', header]),
    target.url,
  ];
  const { code, stdout, stderr } = await runToEnd(fortio, args, { signal });
  signal.throwIfAborted();
  if (code !== 0) throw new Refusal(`fortio: ${stderr.trim().split('\n').at(-1) || `exit code ${code}`}`);
  return readFortio(stdout, status);
}

/** Reads fortio's JSON; throws when an answer has another status. */
export function readFortio(json: string, status: number): FixedRate {
  const report = JSON.parse(json) as Report;
  const others = Object.entries(report.RetCodes).filter(([code]) => code !== String(status));
  if (others.length > 0)
    throw new Refusal(`fortio: ${others.map(([code, count]) => `${count} × ${code}`).join(', ')} instead of ${status}`);
  const buckets: Bucket[] = withOmitted(
    report.DurationHistogram.Data.map(({ Start, End, Count }) => ({ start: Start, end: End, count: Count })),
    INTERVAL_SECONDS,
  );
  const microseconds = (percent: number): number => percentile(buckets, percent) * 1e6;
  return {
    requests: report.DurationHistogram.Count,
    requestsPerSecond: report.ActualQPS,
    p50Microseconds: microseconds(50),
    p99Microseconds: microseconds(99),
    p999Microseconds: microseconds(99.9),
  };
}
