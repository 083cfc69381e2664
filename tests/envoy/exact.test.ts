import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { count, drain, send } from '../../harness/envoy/load.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';

const found = await available();
const LIMIT = 1000;

describe('a quota over all workers of an Envoy', { skip: found.skip }, () => {
  for (const concurrency of [2, 4]) {
    it(`allows exactly its limit when 64 connections hammer ${concurrency} workers`, async () => {
      const test = await EnvoyUnderTest.start(testPolicy({ limit: LIMIT }), found, { concurrency });
      try {
        const load = { port: test.port, connections: 64, headers: { 'x-api-key': 'acme-secret-key' } };
        const first = await send(load, 2 * LIMIT);
        assert.deepEqual(
          [...first.keys()].filter((status) => status !== 200 && status !== 429),
          [],
        );
        assert.ok(count(first, 200) <= LIMIT, `${count(first, 200)} allowed of ${LIMIT}`);
        assert.equal(await drain(load, count(first, 200), LIMIT), LIMIT);
        const after = await send(load, 200);
        assert.deepEqual([...after], [[429, 200]]);
        assert.equal(test.seen.length, LIMIT, 'requests that reached the upstream');
      } finally {
        await test.stop();
      }
    });
  }
});
