import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { hammer } from '../../harness/envoy/load.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';

const found = await available();
const KEY = 'acme-secret-key';
const SPELLINGS = ['x-api-key', 'x_api-key', 'x-api_key', 'x_api_key', 'X-Api-Key'];

function policy(more: string, api = ''): string {
  return `policy: petstore
${more}
upstreams: { v1: { url: "http://127.0.0.1:9001" }, v2: { url: "http://127.0.0.1:9002" } }
apis:
  pets:
    paths: [/v1]
    plans: [endless]
    upstream: v1
    routes: [{ name: v2, when: { headers: { x-api-version: "2" } }, upstream: v2 }]
    ${api}
  open: { paths: [/open], plans: [endless], anonymous: allow, upstream: v1 }
plans: { endless: {} }
consumers: { acme: { plan: endless, keys: [{ id: acme-1, digest: "${digestOf(KEY)}" }] } }
`;
}

describe('keys that routes take off', { skip: found.skip }, () => {
  let test: EnvoyUnderTest;
  before(async () => {
    test = await EnvoyUnderTest.start(policy('keyRemoval: routes'), found, { concurrency: 2, upstreamPerName: true });
  });
  after(() => test?.stop());

  it('reach no upstream on any route, however the header is spelled and repeated', async () => {
    for (const name of SPELLINGS)
      for (const [path, more] of [
        ['/v1/pets', []],
        ['/v1/pets', [['x-api-version', '2']]],
        ['/open/all', []],
      ] as [string, [string, string][]][]) {
        assert.equal(await get(path, [[name, KEY], ...more]), 200, `${name} ${path}`);
        assert.equal(await get(path, [[name, KEY], ['x-api-key', KEY], [name, KEY], ...more]), 200, `${name} ${path}`);
      }
    assertUnseen();
    assert.equal(await get('/v1/pets', [['x-api-key', 'wrong-secret-key']]), 401);
  });

  it('reach none where what would be refused passes', async () => {
    await test.edit(policy('keyRemoval: routes\nmode: observe'));
    assert.equal(await get('/v1/pets', [['x-api-key', 'wrong-secret-key']]), 200);
    assert.equal(await get('/elsewhere', [['x_api_key', 'wrong-secret-key']]), 200);
    assertUnseen();
  });

  it('reach none while the policy changes its mind under traffic', async () => {
    let edited = false;
    const running = hammer({ port: test.port, connections: 8, headers: { 'x-api-key': KEY } }, () => !edited);
    for (let edit = 0; edit < 8; edit++)
      await test.edit(policy(edit % 2 === 0 ? 'keyRemoval: module' : 'keyRemoval: routes'));
    edited = true;
    assert.deepEqual([...(await running).keys()], [200]);
    assertUnseen();
  });

  it('reach upstreams again where the policy says so', async () => {
    await test.edit(policy('forwardKey: true'));
    assert.equal(await get('/v1/pets', [['x-api-key', KEY]]), 200);
    assert.ok(JSON.stringify(test.seen.at(-1)).includes(KEY));
  });

  function assertUnseen(): void {
    assert.ok(test.seen.length > 0);
    const leaked = test.seen.filter((seen) => JSON.stringify(seen).includes('secret-key'));
    assert.deepEqual(leaked, []);
  }

  async function get(path: string, headers: [string, string][]): Promise<number | undefined> {
    const reply = await sendRaw(test.port, requestBytes({ method: 'GET', path, host: 'any', headers }));
    return reply?.status;
  }
});
