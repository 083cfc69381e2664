import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { ACME, meshPolicy, RICH } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';

export function twoPolicyTests(mesh: MeshUnderTest): void {
  describe('two policies on one gateway with the same image', () => {
    let gateway: ProxyUnderTest;
    before(async () => {
      gateway = await mesh.gateway('twofold');
      await mesh.ownRoute(gateway);
      await gateway.rollOut(
        meshPolicy({ name: 'first', targets: [gateway.target], paths: ['/first'], limit: 2, unmatched: 'allow' }),
        { priority: 20 },
      );
      await gateway.rollOut(
        meshPolicy({ name: 'second', targets: [gateway.target], paths: ['/second'], limit: 3, unmatched: 'allow' }),
        { priority: 10 },
      );
      for (const path of ['/first', '/second']) await gateway.becomesStatus(401, { path });
    });

    it('each guards its own API, and a request for neither passes', async () => {
      for (const name of ['first', 'second']) assert.equal((await gateway.call({ path: `/${name}` })).status, 401);
      assert.equal((await gateway.call({ path: '/third' })).status, 200);
    });

    it('each routes its own API', async () => {
      for (const name of ['first', 'second']) {
        const { status, seen } = await gateway.call({ path: `/${name}`, headers: { ...RICH, 'x-api-version': '2' } });
        assert.deepEqual([status, seen?.upstream, seen?.headers['x-tollgate-route']], [200, 'v2', `${name}/v2`]);
      }
    });

    it('each counts its own quota of the same consumer', async () => {
      const statuses = async (path: string, count: number): Promise<number[]> => {
        const seen: number[] = [];
        for (let i = 0; i < count; i++) seen.push((await gateway.call({ path, headers: ACME })).status);
        return seen;
      };
      assert.deepEqual(await statuses('/first', 3), [200, 200, 429]);
      assert.deepEqual(await statuses('/second', 4), [200, 200, 200, 429]);
    });

    it('each counts under its own name in the metrics', async () => {
      const first = { policy: 'first', api: 'first', plan: 'counted', reason: 'allowed' };
      await gateway.becomesSeries('tollgate_requests_total', first, 2);
      const second = { policy: 'second', api: 'second', plan: 'counted', reason: 'allowed' };
      await gateway.becomesSeries('tollgate_requests_total', second, 3);
    });
  });
}
