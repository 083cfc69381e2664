import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { ACME, meshPolicy, RICH } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';

const HOST = 'petstore.outbound.example';

export function outboundTests(mesh: MeshUnderTest): void {
  describe('a policy on what a sidecar sends', () => {
    let client: ProxyUnderTest;
    before(async () => {
      client = await mesh.outbound('caller', 'callers', HOST);
      await client.becomesStatus(200, { host: HOST });
      const target = { workload: { namespace: client.namespace, selector: client.selector, mode: 'CLIENT' } };
      const policy = meshPolicy({ targets: [target], hosts: [HOST], limit: 2 });
      const upstream = (subset: string): object => ({
        service: { host: HOST, port: client.port, subset, labels: { version: subset } },
      });
      await client.rollOut({ ...policy, upstreams: { v1: upstream('v1'), v2: upstream('v2') } });
      await client.becomesStatus(401, { host: HOST });
      await client.becomesRouted({ host: HOST });
    });

    it('answers 401, 200 and 429', async () => {
      const statuses: number[] = [];
      for (let i = 0; i < 3; i++) statuses.push((await client.call({ host: HOST, headers: ACME })).status);
      assert.deepEqual([(await client.call({ host: HOST })).status, ...statuses], [401, 200, 200, 429]);
    });

    it('routes by header through the VirtualService, by the route that the module chose', async () => {
      assert.equal((await client.call({ host: HOST, headers: RICH })).seen?.upstream, 'v1');
      assert.equal(
        (await client.call({ host: HOST, headers: { ...RICH, 'x-api-version': '2' } })).seen?.upstream,
        'v2',
      );
    });
  });
}
