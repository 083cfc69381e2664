import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { trappingModule } from '../../harness/envoy/trappingModule.ts';
import { FAIL_STRATEGIES } from '../../scripts/istio/plugin.ts';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { meshPolicy, RICH } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';
import { pluginIn, resourcesOf } from './resources.ts';

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
      await gateway.rollOut(policy(gateway), {
        image: `oci://${mesh.registry}/nowhere@${NOWHERE}`,
        failStrategy: 'FAIL_OPEN',
      });
      await gateway.logs(/cannot fetch Wasm module oci:.*applying allow RBAC filter/);
      for (let i = 0; i < 5; i++) assert.equal((await gateway.call()).status, 200);
    });

    it('lets pass with FAIL_OPEN to where the default route leads, and nobody forges a route or an identity', async () => {
      const gateway = await mesh.gateway('unjudged');
      await gateway.rollOut(meshPolicy({ targets: [gateway.target] }), {
        image: `oci://${mesh.registry}/nowhere@${NOWHERE}`,
        failStrategy: 'FAIL_OPEN',
      });
      await gateway.logs(/cannot fetch Wasm module oci:.*applying allow RBAC filter/);
      await passesUnjudged(gateway);
    });

    it('lets pass with FAIL_OPEN on a gateway of the Gateway API too, and nobody forges a route or an identity', async () => {
      const gateway = await mesh.gatewayApi('unguarded');
      const target = { gatewayApi: { namespace: gateway.namespace, kind: 'Gateway', name: 'unguarded' } };
      const upstream = (version: string): object => ({ service: { host: `${version}.petstore.example`, port: 8080 } });
      const resources = { ...meshPolicy({ targets: [target] }), upstreams: { v1: upstream('v1'), v2: upstream('v2') } };
      await gateway.rollOut(resources, {
        image: `oci://${mesh.registry}/nowhere@${NOWHERE}`,
        failStrategy: 'FAIL_OPEN',
      });
      await gateway.logs(/cannot fetch Wasm module oci:.*applying allow RBAC filter/);
      await passesUnjudged(gateway, 200);
    });

    it('is not asked for again when it is there at last, until the resource changes', async () => {
      const gateway = await start('late');
      // packing the same module gives the same digest, in whatever repository
      const image = (await mesh.push('early', { variant: 'late' })).replace('/early@', '/late@');
      const plugin = pluginIn(await gateway.rollOut(policy(gateway), { image }));
      await gateway.becomesStatus(403);
      assert.equal(await mesh.push('late', { variant: 'late' }), image);
      await new Promise((resolve) => setTimeout(resolve, NO_RETRY_MS));
      assert.equal((await gateway.call({ headers: RICH })).status, 403);
      plugin.metadata['annotations'] = { touched: 'yes' };
      await mesh.apply([plugin]);
      await gateway.becomesStatus(401);
      assert.equal((await gateway.call({ headers: RICH })).status, 200);
    });
  });

  describe('a plugin config that the module refuses', () => {
    for (const failStrategy of FAIL_STRATEGIES) {
      it(`is answered with 500 by a gateway that has had no other, with ${failStrategy}, and /ready does not tell`, async () => {
        const gateway = await start(`refused-${failStrategy.slice('FAIL_'.length).toLowerCase()}`);
        const resources = resourcesOf(policy(gateway), { image: mesh.image, failStrategy });
        (pluginIn(resources)['spec'] as { pluginConfig: { version: number } }).pluginConfig.version = 2;
        await mesh.apply(resources);
        await gateway.becomesStatus(500);
        for (const headers of [{}, RICH]) assert.equal((await gateway.call({ headers })).status, 500);
        assert.match(await gateway.proxy.admin.page('/ready'), /^LIVE/);
        await gateway.rollOut(policy(gateway), { failStrategy });
        await gateway.becomesStatus(401);
      });
    }
  });

  describe('a VM that dies', () => {
    let image: string;
    before(async () => {
      image = await mesh.push('trapping', { module: await trappingModule() });
    });

    it('is made anew as emit writes the plugin, and Envoy counts it', async () => {
      const gateway = await start('mortal');
      await gateway.rollOut(policy(gateway), { image });
      await gateway.becomesStatus(401);
      await kill(gateway);
      await gateway.becomesStatus(401);
      await gateway.becomesStatus(200, { headers: RICH });
      await gateway.becomesStat(/^envoy_wasm_[a-z_]*vm_reload_success\{[^}]*\} [1-9]/m, 'vm_reload');
    });

    it('refuses with FAIL_CLOSE until the policy changes', async () => {
      const gateway = await start('dead');
      await gateway.rollOut(policy(gateway), { image, failStrategy: 'FAIL_CLOSE' });
      await gateway.becomesStatus(401);
      await kill(gateway);
      await new Promise((resolve) => setTimeout(resolve, NO_RETRY_MS));
      assert.equal((await gateway.call({ headers: RICH })).status, 503);
      await gateway.rollOut(meshPolicy({ targets: [gateway.target], routed: false, revision: 'next' }), {
        image,
        failStrategy: 'FAIL_CLOSE',
      });
      await gateway.becomesStatus(401);
      assert.equal((await gateway.call({ headers: RICH })).status, 200);
    });

    it('lets pass with FAIL_OPEN in the same way, where it was judged before', async () => {
      const gateway = await mesh.gateway('opened');
      await gateway.rollOut(meshPolicy({ targets: [gateway.target] }), { image, failStrategy: 'FAIL_OPEN' });
      await gateway.becomesStatus(401);
      await gateway.becomesRouted();
      for (let i = 0; i < 20; i++) await gateway.call({ headers: { ...RICH, 'x-trap': '1' } });
      await passesUnjudged(gateway);
    });

    /** Every worker's VM: each takes some of the connections. */
    async function kill(gateway: ProxyUnderTest): Promise<void> {
      for (let i = 0; i < 20; i++)
        assert.equal((await gateway.call({ headers: { ...RICH, 'x-trap': '1' } })).status, 503);
    }
  });

  /** `elsewhere`: what a path of no API is answered with. */
  async function passesUnjudged(gateway: ProxyUnderTest, elsewhere = 404): Promise<void> {
    await gateway.becomesStatus(200);
    for (const name of ['x-tollgate-route', 'X_Tollgate_Route']) {
      const { status, seen } = await gateway.call({
        headers: { [name]: 'petstore/v2', 'x-tollgate-consumer': 'boss', x_tollgate_plan: 'gold' },
      });
      assert.deepEqual(
        [status, seen?.upstream, Object.keys(seen?.headers ?? {}).filter((header) => /tollgate/.test(header))],
        [200, 'v1', []],
      );
    }
    assert.equal((await gateway.call({ path: '/elsewhere' })).status, elsewhere);
  }

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
