import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { seriesIn, totalOf, type Series } from '../../harness/prometheus.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';

const found = await available();

describe('metrics and the access log', { skip: found.skip }, () => {
  let test: EnvoyUnderTest;
  before(async () => {
    test = await EnvoyUnderTest.start(testPolicy({ limit: 3 }), found, { concurrency: 2 });
    for (let i = 0; i < 5; i++) await get('/v1/pets', 'rich-secret-key');
    for (let i = 0; i < 2; i++) await get('/v1/pets?api_key=in-the-query');
    await get('/v1/pets');
    await get('/elsewhere');
    await test.entry(8);
  });
  after(() => test?.stop());

  it('counts reasons over all workers on /stats/prometheus', async () => {
    await counted({ api: 'petstore', plan: 'endless', reason: 'allowed' }, 5);
    await counted({ api: 'petstore', reason: 'unknown_api_key' }, 2);
    await counted({ api: 'petstore', reason: 'missing_api_key' }, 1);
    await counted({ reason: 'no_api' }, 1);
  });

  it('counts by API and plan', async () => {
    for (let i = 0; i < 12; i++) await get('/v1/pets', 'acme-secret-key');
    await counted({ plan: 'counted', reason: 'quota_exceeded' }, 9);
    await counted({ plan: 'counted', reason: 'allowed' }, 3);
  });

  it('goes on counting after an edit', async () => {
    await test.edit(testPolicy({ limit: 3, routes: ['more'] }));
    await get('/v1/pets', 'rich-secret-key');
    await counted({ plan: 'endless', reason: 'allowed' }, 6);
  });

  it('logs who called, by which key, API, route and plan, and never the query', () => {
    const [allowed] = test.entries;
    assert.equal(
      allowed?.tollgate,
      'reason=allowed api=petstore route=petstore/default consumer=rich key=rich-1 plan=endless',
    );
    assert.equal(allowed.details, 'via_upstream');
    assert.equal(test.entries[5]?.path, '/v1/pets');
    assert.equal(test.entries[5]?.status, 401);
  });

  it('names the reason in the response code details of a refusal', () => {
    assert.equal(test.entries[5]?.details, 'tollgate_unknown_api_key');
    assert.equal(test.entries[7]?.details, 'tollgate_missing_api_key');
    assert.equal(test.entries[8]?.details, 'tollgate_no_api');
    assert.equal(test.entries[8]?.tollgate, 'reason=no_api');
  });

  function get(path: string, key?: string): ReturnType<typeof sendRaw> {
    return sendRaw(
      test.port,
      requestBytes({ method: 'GET', path, host: 'any', headers: key === undefined ? [] : [['x-api-key', key]] }),
    );
  }

  /** Counters are flushed on the tick, up to a second late. */
  async function counted(labels: Series['labels'], wanted: number): Promise<void> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const series = seriesIn(await test.envoy.admin.page('/stats/prometheus'));
      const total = totalOf(series, 'tollgate_requests_total', { policy: 'petstore', ...labels });
      if (total === wanted) return;
      if (Date.now() > deadline) assert.equal(total, wanted, JSON.stringify(labels));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
});
