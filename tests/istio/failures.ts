import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { meshPolicy, RICH } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';
import { pluginIn } from './resources.ts';

/** A digest that no image has. */
const NOWHERE = `sha256:${'0'.repeat(64)}`;
/** Long enough for a retry, were there one; a change takes effect in a quarter of it. */
const NO_RETRY_MS = 2000;

export function failureTests(mesh: MeshUnderTest): void {
  describe('an image that is not there', () => {
    it('closes the gateway with FAIL_CLOSE', async () => {
      const gateway = await start('shut');
      await gateway.rollOut(policy(gateway), { image: `oci://${mesh.registry}/nowhere@${NOWHERE}` });
      await gateway.becomesStatus(403);
      assert.equal((await gateway.call({ headers: RICH })).status, 403);
      await gateway.logs(/cannot fetch Wasm module oci:.*applying deny RBAC filter/);
    });

    it('lets everyone through with FAIL_OPEN', async () => {
      const gateway = await start('open');
      await gateway.rollOut(policy(gateway), { image: `oci://${mesh.registry}/nowhere@${NOWHERE}`, failStrategy: 'FAIL_OPEN' });
      await gateway.logs(/cannot fetch Wasm module oci:.*applying allow RBAC filter/);
      for (let i = 0; i < 5; i++) assert.equal((await gateway.call()).status, 200);
    });

    it('is not asked for again when it is there at last, until the resource changes', async () => {
      const gateway = await start('late');
      // packing the same module gives the same digest, in whatever repository
      const image = (await mesh.push('early', { variant: 'late' })).replace('/early@', '/late@');
      const plugin = pluginIn(await gateway.rollOut(policy(gateway), { image }));
      await gateway.becomesStatus(403);
      assert.equal((await mesh.push('late', { variant: 'late' })), image);
      await new Promise((resolve) => setTimeout(resolve, NO_RETRY_MS));
      assert.equal((await gateway.call({ headers: RICH })).status, 403);
      plugin.metadata['annotations'] = { touched: 'yes' };
      await mesh.apply([plugin]);
      await gateway.becomesStatus(401);
      assert.equal((await gateway.call({ headers: RICH })).status, 200);
    });
  });

  /** With a route of its owner's: without the module, nothing sets the header that Tollgate's own routes go by. */
  async function start(name: string): Promise<ProxyUnderTest> {
    const gateway = await mesh.gateway(name);
    await mesh.ownRoute(gateway);
    await gateway.becomesStatus(200);
    return gateway;
  }

  function policy(gateway: ProxyUnderTest): object {
    return meshPolicy({ targets: [gateway.target], routed: false });
  }
}
