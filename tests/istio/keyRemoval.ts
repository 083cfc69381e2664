import assert from 'node:assert/strict';
import { RICH } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';

/** Rolls out that routes take keys off: the module leaves them in requests, and no upstream sees one all the same. */
export async function routesTakeKeysOff(gateway: ProxyUnderTest, policy: object): Promise<void> {
  await gateway.rollOut({ ...policy, keyRemoval: 'routes' });
  await gateway.becomes('the revision in force', ({ seen }) => seen?.headers['x-revision'] === 'keys', {
    headers: RICH,
  });
  for (const spelling of ['x-api-key', 'x_api-key', 'x-api_key', 'x_api_key'])
    for (const more of [{}, { 'x-api-version': '2' }]) {
      const { status, seen } = await gateway.call({ headers: { [spelling]: RICH['x-api-key'], ...more } });
      assert.equal(status, 200);
      assert.ok(seen && !JSON.stringify(seen).includes(RICH['x-api-key']), `${spelling} reached ${seen?.upstream}`);
    }
}
