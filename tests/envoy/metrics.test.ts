import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
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
    await metric('tollgate_petstore_reason_allowed', 5);
    await metric('tollgate_petstore_reason_unknown_api_key', 2);
    await metric('tollgate_petstore_reason_missing_api_key', 1);
    await metric('tollgate_petstore_reason_no_api', 1);
  });

  it('counts by API and plan', async () => {
    await metric('tollgate_petstore_api_petstore_plan_endless_allowed', 5);
    for (let i = 0; i < 12; i++) await get('/v1/pets', 'acme-secret-key');
    const stats = await settled((text) => value(text, 'tollgate_petstore_api_petstore_plan_counted_refused') === 9);
    assert.equal(value(stats, 'tollgate_petstore_api_petstore_plan_counted_allowed'), 3);
  });

  it('goes on counting after an edit', async () => {
    await test.edit(testPolicy({ limit: 3, routes: ['more'] }));
    await get('/v1/pets', 'rich-secret-key');
    await metric('tollgate_petstore_api_petstore_plan_endless_allowed', 6);
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

  async function metric(name: string, wanted: number): Promise<void> {
    const text = await settled((stats) => value(stats, name) === wanted);
    assert.equal(value(text, name), wanted, name);
  }

  /** Counters are flushed on the tick, up to a second late. */
  async function settled(isSettled: (text: string) => boolean): Promise<string> {
    const deadline = Date.now() + 3000;
    for (;;) {
      const text = await test.envoy.admin.page('/stats/prometheus');
      if (isSettled(text) || Date.now() > deadline) return text;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  function value(text: string, name: string): number | null {
    const found = new RegExp(`^${name}\\{\\} (\\d+)$`, 'm').exec(text);
    return found ? Number(found[1]) : null;
  }
});
