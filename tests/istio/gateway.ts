import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { routesTakeKeysOff } from './keyRemoval.ts';
import { ACME, meshPolicy, RICH, SEEN_HOST } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';

export function gatewayTests(mesh: MeshUnderTest): void {
  describe('a policy on an ingress gateway', () => {
    let gateway: ProxyUnderTest;
    before(async () => {
      gateway = await mesh.gateway('ingress');
      const policy = meshPolicy({ targets: [gateway.target], hosts: ['api.example.com'], limit: 3 });
      await gateway.rollOut({ ...policy, accessLog: { fields: 'all' } });
      await gateway.becomesStatus(401);
      await gateway.becomesRouted();
    });

    it('answers 401 without a key and with an unknown one, as problem+json of the module', async () => {
      const missing = await gateway.call();
      assert.deepEqual([missing.status, missing.headers['content-type']], [401, 'application/problem+json']);
      assert.equal((JSON.parse(missing.body) as { reason: string }).reason, 'missing_api_key');
      const unknown = await gateway.call({ headers: { 'x-api-key': 'nobody' } });
      assert.equal((JSON.parse(unknown.body) as { reason: string }).reason, 'unknown_api_key');
    });

    it('lets a consumer through until the quota is used up, then answers 429', async () => {
      for (let i = 0; i < 3; i++) {
        const allowed = await gateway.call({ headers: ACME });
        assert.equal(allowed.status, 200, allowed.body);
        assert.equal(allowed.seen?.headers['x-tollgate-consumer'], 'acme');
        assert.equal(allowed.seen?.headers['x-api-key'], undefined);
      }
      const refused = await gateway.call({ headers: ACME });
      assert.equal(refused.status, 429);
      assert.match(String(refused.headers['retry-after']), /^\d+$/);
    });

    it('routes by header through the VirtualService, by the route that the module chose', async () => {
      const first = await gateway.call({ headers: RICH });
      assert.deepEqual([first.seen?.upstream, first.seen?.headers['host']], ['v1', 'api.example.com']);
      const second = await gateway.call({ headers: { ...RICH, 'x-api-version': '2' } });
      assert.deepEqual([second.seen?.upstream, second.seen?.headers['host']], ['v2', SEEN_HOST]);
      assert.equal(second.seen?.headers['x-tollgate-route'], 'petstore/v2');
    });

    it('lets no caller choose a route or an identity by a header of its own', async () => {
      const forged = { 'x-tollgate-route': 'petstore/v2', 'x-tollgate-consumer': 'boss' };
      const { seen } = await gateway.call({ headers: { ...RICH, ...forged } });
      assert.deepEqual([seen?.upstream, seen?.headers['x-tollgate-consumer']], ['v1', 'rich']);
      assert.equal((await gateway.call({ headers: forged })).status, 401);
    });

    it('answers 404 no_api where no API of the policy is', async () => {
      const { status, body } = await gateway.call({ path: '/elsewhere', headers: RICH });
      assert.deepEqual([status, (JSON.parse(body) as { reason: string }).reason], [404, 'no_api']);
    });

    it('counts on /stats/prometheus and names the reason in the access log', async () => {
      const of = { policy: 'petstore', api: 'petstore', plan: 'counted' };
      await gateway.becomesSeries('tollgate_requests_total', { ...of, reason: 'allowed' }, 3);
      await gateway.becomesSeries('tollgate_requests_total', { ...of, reason: 'quota_exceeded' }, 1);
      const [info] = (await gateway.series()).filter(({ name, value }) => name === 'tollgate_info' && value === 1);
      assert.match(info?.labels.digest ?? '', /^[0-9a-f]{12}$/);
      await gateway.logsAccess(
        /^429 tollgate_quota_exceeded flags=- reason=quota_exceeded api=petstore .*consumer=acme key=acme-1 plan=counted/,
      );
    });

    it('shows each field of the decision in the access log of the mesh', async () => {
      const line = await gateway.logsAccess(/^429 /);
      assert.equal(
        line.split(' | ')[1],
        'reason=quota_exceeded api=petstore operation=- route=petstore/default consumer=acme keyId=acme-1 plan=counted quota=main remaining=0 host=api.example.com mode=-',
      );
    });

    it('leaves keys to the VirtualService where the policy says so, and no upstream sees one', () =>
      routesTakeKeysOff(
        gateway,
        meshPolicy({ targets: [gateway.target], hosts: ['api.example.com'], revision: 'keys' }),
      ));
  });
}
