import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { count, drain, hammer, send } from '../../harness/envoy/load.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';

const found = await available();
const LIMIT = 1000;
const ACME = { 'x-api-key': 'acme-secret-key' };

describe('an edit of the policy', { skip: found.skip }, () => {
  let test: EnvoyUnderTest;
  before(async () => {
    test = await EnvoyUnderTest.start(testPolicy({ limit: LIMIT }), found, { concurrency: 2, upstreamPerName: true });
  });
  after(() => test?.stop());

  it('keeps counters and fails no request when ten edits come under load', async () => {
    const load = { port: test.port, connections: 16, headers: ACME };
    const spent = count(await send(load, 600), 200);
    assert.equal(spent, 600);
    let edited = false;
    const running = hammer(load, () => !edited);
    // The limit is used up early; these requests go through to the upstreams during every edit.
    const passing = hammer({ ...load, connections: 8, headers: { 'x-api-key': 'rich-secret-key' } }, () => !edited);
    for (let edit = 1; edit <= 10; edit++) {
      await test.edit(testPolicy({ limit: LIMIT, routes: Array.from({ length: edit }, (_, i) => `r${i}`) }));
    }
    edited = true;
    const tally = await running;
    assert.deepEqual(
      [...tally.keys()].filter((status) => status !== 200 && status !== 429),
      [],
    );
    assert.deepEqual([...(await passing).keys()], [200]);
    assert.equal(await drain(load, spent + count(tally, 200), LIMIT), LIMIT);
    assert.deepEqual([...(await send(load, 100))], [[429, 100]]);
  });

  it('is in force when it is applied', async () => {
    const take = async (): Promise<string | undefined> =>
      (await get({ 'x-api-key': 'rich-secret-key', 'x-take': 'fresh' }))?.headers.find(
        ([name]) => name === 'x-upstream',
      )?.[1];
    assert.equal(await take(), 'v1');
    await test.edit(testPolicy({ limit: LIMIT, routes: ['fresh'] }));
    assert.equal(await take(), 'v2');
  });

  it('counts what was used against a raised limit', async () => {
    await test.edit(testPolicy({ limit: LIMIT + 50 }));
    assert.equal(await drain({ port: test.port, connections: 8, headers: ACME }, LIMIT, LIMIT + 50), LIMIT + 50);
    assert.deepEqual([...(await send({ port: test.port, connections: 8, headers: ACME }, 50))], [[429, 50]]);
  });

  it('is refused with the reason when the module does not understand it, and the old policy keeps serving', async () => {
    const snapshot = await test.snapshot(testPolicy({ routes: ['kept'] }));
    await test.envoy.apply(snapshot);
    const config = JSON.parse(snapshot.pluginConfig) as { apis: { plans: string[] }[] };
    config.apis[0]!.plans.push('platinum');
    await assert.rejects(
      test.envoy.apply({ ...snapshot, routes: [], pluginConfig: JSON.stringify(config) }),
      /plugin config: apis\[0\]\.plans.*: no plan named "platinum"/,
    );
    const reply = await get({ 'x-api-key': 'rich-secret-key', 'x-take': 'kept' });
    assert.equal(reply?.status, 200);
    assert.deepEqual(
      reply.headers.filter(([name]) => name === 'x-upstream'),
      [['x-upstream', 'v2']],
    );
    await test.edit(testPolicy({ routes: ['later'] }));
    assert.equal((await get({ 'x-api-key': 'rich-secret-key' }))?.status, 200);
  });

  it('leaves no route or cluster of the old policy behind', async () => {
    await test.edit(testPolicy({ routes: ['gone'] }));
    await test.edit(testPolicy());
    const table = await test.envoy.admin.page('/config_dump?resource=dynamic_route_configs');
    assert.ok(table.includes('petstore/v2') && !table.includes('petstore/gone'), table);
  });

  function get(headers: Record<string, string>): ReturnType<typeof sendRaw> {
    return sendRaw(
      test.port,
      requestBytes({ method: 'GET', path: '/v1/pets', host: 'any', headers: Object.entries(headers) }),
    );
  }
});
