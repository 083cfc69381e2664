import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { routesTakeKeysOff } from './keyRemoval.ts';
import { ACME, meshPolicy, RICH } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';

export function gatewayApiTests(mesh: MeshUnderTest): void {
  describe('a policy on a gateway of the Gateway API', () => {
    let gateway: ProxyUnderTest;
    const policy = (revision?: string): object => {
      const upstream = (version: string): object => ({
        service: { host: `${version}.petstore.example`, port: 8080 },
        ...(version === 'v2' && { hostRewrite: true }),
      });
      return {
        ...meshPolicy({
          targets: [{ gatewayApi: { namespace: gateway.namespace, kind: 'Gateway', name: 'modern' } }],
          hosts: ['api.example.com'],
          limit: 2,
          ...(revision !== undefined && { revision }),
        }),
        // subsets are Istio's own; the Gateway API names a service for each version
        upstreams: { v1: upstream('v1'), v2: upstream('v2') },
      };
    };
    before(async () => {
      gateway = await mesh.gatewayApi('modern');
      await gateway.rollOut(policy());
      await gateway.becomesStatus(401);
      await gateway.becomesRouted();
    });

    it('answers 401, 200 and 429', async () => {
      const statuses: number[] = [];
      for (let i = 0; i < 3; i++) statuses.push((await gateway.call({ headers: ACME })).status);
      assert.deepEqual([(await gateway.call()).status, ...statuses], [401, 200, 200, 429]);
    });

    it('routes by header through the HTTPRoute, by the route that the module chose', async () => {
      assert.equal((await gateway.call({ headers: RICH })).seen?.upstream, 'v1');
      const { seen } = await gateway.call({ headers: { ...RICH, 'x-api-version': '2' } });
      assert.deepEqual([seen?.upstream, seen?.headers['host']], ['v2', 'v2.petstore.example']);
      assert.equal(
        (await gateway.call({ headers: { ...RICH, 'x-tollgate-route': 'petstore/v2' } })).seen?.upstream,
        'v1',
      );
    });

    it('leaves keys to the HTTPRoutes where the policy says so, and no upstream sees one', () =>
      routesTakeKeysOff(gateway, policy('keys')));
  });
}
