import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { meshPolicy, RICH } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';

/** What docs/verify.md says of pods that start while a registry is down. */
export function registryDownTests(mesh: MeshUnderTest): void {
  describe('a registry that is down', () => {
    let running: ProxyUnderTest;
    let [image, cached] = ['', ''];

    const start = async (name: string, from: string): Promise<ProxyUnderTest> => {
      const gateway = await mesh.gateway(name);
      await gateway.rollOut(meshPolicy({ name, targets: [gateway.target], unmatched: 'allow', routed: false }), {
        image: from,
      });
      return gateway;
    };

    before(async () => {
      const source = await mesh.startRegistry('source');
      const cache = await mesh.startRegistry('cache', source, 'far');
      image = await mesh.push('far', { to: source.host });
      cached = image.replace(source.host, cache.host);
      assert.notEqual(cached, image);
      running = await start('before', image);
      await running.becomesStatus(401);
      await (await start('filling', cached)).becomesStatus(401);
      await source.stop();
    });

    it('stops no running proxy, and takes policies as before', async () => {
      assert.equal((await running.call()).status, 401);
      await running.rollOut(meshPolicy({ name: 'before', targets: [running.target], paths: ['/v2'], routed: false }), {
        image,
      });
      await running.becomesStatus(404, { headers: RICH });
      await running.becomesStatus(401, { path: '/v2' });
    });

    it('leaves a new proxy without the module: it refuses everything', async () => {
      const gateway = await start('after', image);
      await gateway.logs(/cannot fetch Wasm module oci:.*applying deny RBAC filter/);
      await gateway.becomesStatus(403);
      assert.equal((await gateway.call({ headers: RICH })).status, 403);
    });

    it('does not keep a pull-through cache from serving what it has', async () => {
      await (await start('from-cache', cached)).becomesStatus(401);
    });
  });
}
