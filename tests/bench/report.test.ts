import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readFortio } from '../../bench/fixedRate.ts';
import { readWrk } from '../../bench/saturation.ts';

const WRK = `Running 1s test @ http://127.0.0.1:1/
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   182.11us  301.02us   8.96ms   95.81%
  48210 requests in 1.10s, 6.71MB read
Requests/sec:  43827.27
Transfer/sec:      6.10MB
`;

describe('what wrk reports', () => {
  it('is requests, their rate, and how many were refused', () => {
    assert.deepEqual(readWrk(WRK), { requests: 48210, requestsPerSecond: 43827.27, refusals: 0 });
    assert.equal(readWrk(`${WRK}  Non-2xx or 3xx responses: 17\n`).refusals, 17);
  });

  it('counts for nothing when connections failed', () => {
    assert.throws(
      () => readWrk(`${WRK}  Socket errors: connect 0, read 3, write 0, timeout 0\n`),
      /socket errors: connect 0, read 3/,
    );
    assert.throws(() => readWrk('unable to connect'), /not understood/);
  });
});

function fortio(codes: Record<string, number>, data: { Start: number; End: number; Count: number }[]): string {
  return JSON.stringify({
    ActualQPS: 999.5,
    DurationHistogram: { Count: data.reduce((sum, { Count }) => sum + Count, 0), Data: data },
    RetCodes: codes,
  });
}

describe('what fortio reports', () => {
  it('becomes percentiles in microseconds', () => {
    const { p50Microseconds, requests } = readFortio(
      fortio({ 200: 100 }, [{ Start: 0.0001, End: 0.0002, Count: 100 }]),
      200,
    );
    assert.deepEqual([Math.round(p50Microseconds), requests], [150, 100]);
  });

  it('gets back the requests that a stall of its connection left out', () => {
    // 8 ms lie between two requests of a connection: a wait of 0.8 s hides 99 others
    const report = fortio({ 200: 900 }, [
      { Start: 0.0001, End: 0.0002, Count: 899 },
      { Start: 0.8, End: 0.8, Count: 1 },
    ]);
    const { p99Microseconds } = readFortio(report, 200);
    assert.ok(p99Microseconds > 500_000, `${p99Microseconds}`);
  });

  it('counts for nothing when an answer had another status', () => {
    assert.throws(() => readFortio(fortio({ 200: 99, 503: 1 }, []), 200), /1 × 503 instead of 200/);
  });
});
