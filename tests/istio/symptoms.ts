import assert from 'node:assert/strict';
import { afterEach, before, describe, it } from 'node:test';
import type { EmitOptions } from '../../scripts/istio/index.ts';
import { FakeService } from '../../harness/rateLimitService/fakeService.ts';
import { freePort } from '../../harness/mesh/port.ts';
import type { KubeObject } from '../../harness/mesh/kubeClient.ts';
import { reasonOf } from '../../harness/mesh/call.ts';
import { trappingModule } from '../../harness/envoy/trappingModule.ts';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { ACME, DESTINATION, digestOf, meshPolicy, RICH } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';
import { pluginIn, resourcesOf } from './resources.ts';

const SERVICE = { namespace: 'symptoms', host: 'ratelimit.symptoms.svc.cluster.local', port: 8081 };
const LATER = '2999-01-01T00:00:00Z';
const LONG_AGO = '2001-01-01T00:00:00Z';

/** The symptoms of docs/troubleshooting.md that have no command to run: each is made, seen as the page says, and mended by its remedy. */
export function symptomTests(mesh: MeshUnderTest): void {
  describe('a symptom of "Troubleshooting"', () => {
    let gateway: ProxyUnderTest;
    const rolledOut = new Map<string, KubeObject>();
    before(async () => {
      gateway = await mesh.gateway('symptoms');
      await mesh.ownRoute(gateway);
      await gateway.becomesStatus(200);
    });
    // nothing of one symptom is there when the next is made
    afterEach(async () => {
      await mesh.delete([...rolledOut.values()]);
      rolledOut.clear();
      await gateway.becomesStatus(200);
    });

    async function rollOut(policy: object, options: Partial<EmitOptions> = {}, where = gateway): Promise<void> {
      for (const resource of await where.rollOut(policy, options)) note(resource);
    }

    function note(resource: KubeObject): KubeObject {
      const { kind, metadata } = resource;
      rolledOut.set([kind, metadata.namespace, metadata.name].join('/'), resource);
      return resource;
    }

    async function takeBack(kind: string, policy = 'petstore'): Promise<void> {
      const name = [...rolledOut.keys()].find((key) => key.startsWith(kind) && key.includes(`/tollgate-${policy}-`))!;
      await mesh.delete([rolledOut.get(name)!]);
      rolledOut.delete(name);
    }

    it('401 with a key that should work: the reason says why, and dates, state and places of the key mend it', async () => {
      const keys = {
        early: { from: LATER },
        late: { until: LONG_AGO },
        gone: { revoked: true },
      };
      const keyOf = (name: string): string => `${name}-secret-key`;
      const withKeys = (fields: (name: keyof typeof keys) => object): object => {
        const policy = meshPolicy({ targets: [gateway.target] });
        const more = (Object.keys(keys) as (keyof typeof keys)[]).map((name) => ({
          id: name,
          digest: digestOf(keyOf(name)),
          ...fields(name),
        }));
        const rich = { ...policy.consumers.rich, keys: [...policy.consumers.rich.keys, ...more] };
        return {
          ...policy,
          keySources: [{ header: 'x-api-key' }, { authorization: 'Bearer' }],
          consumers: { ...policy.consumers, rich },
        };
      };
      await rollOut(withKeys((name) => keys[name]));
      await gateway.becomes('the reason of a revoked key', (reply) => reasonOf(reply) === 'revoked_api_key', {
        headers: { 'x-api-key': keyOf('gone') },
      });
      const reasons: Record<string, Record<string, string>> = {
        missing_api_key: {},
        unknown_api_key: { 'x-api-key': `"${RICH['x-api-key']}"` },
        ambiguous_api_key: { ...RICH, authorization: 'Bearer eyJhbGciOiJub25lIn0' },
        malformed_api_key: { 'x-api-key': 'x'.repeat(4097) },
        inactive_api_key: { 'x-api-key': keyOf('early') },
        expired_api_key: { 'x-api-key': keyOf('late') },
      };
      for (const [reason, headers] of Object.entries(reasons)) {
        const reply = await gateway.call({ headers });
        assert.deepEqual([reply.status, reasonOf(reply)], [401, reason]);
      }
      await rollOut(withKeys(() => ({})));
      for (const name of Object.keys(keys)) await gateway.becomesStatus(200, { headers: { 'x-api-key': keyOf(name) } });
    });

    it('401 from two plugins on one proxy: both want the key, and the first removes it', async () => {
      const both = { targets: [gateway.target], routed: false };
      await rollOut(meshPolicy(both));
      await rollOut(meshPolicy({ ...both, name: 'canary' }));
      const refused = await gateway.becomes('a refusal by the second', ({ status }) => status === 401, {
        headers: RICH,
      });
      assert.equal(reasonOf(refused), 'missing_api_key');
      await takeBack('WasmPlugin', 'canary');
      await gateway.becomesStatus(200, { headers: RICH });
    });

    it('503 quota_unavailable: the log and the metrics say that the service does not answer, or does not know the quota', async () => {
      const policy = meshPolicy({ targets: [gateway.target], limit: 100, routed: false });
      const quotas = { main: { limit: 100, window: 'day', scope: 'mesh', onUnavailable: 'deny' } };
      const { namespace, host, port } = SERVICE;
      const metric = (name: 'failures' | 'unlimited'): Promise<boolean> =>
        gateway.becomesStat(
          new RegExp(`^tollgate_rate_limit_service_${name}_total\\{[^}]*policy="service"[^}]*\\} [1-9]`, 'm'),
          'rate_limit_service',
        );
      await mesh.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }]);
      await rollOut({
        ...policy,
        policy: 'service',
        rateLimitService: { cluster: `outbound|${port}||${host}`, timeout: '100ms' },
        plans: { ...policy.plans, counted: { quotas } },
      });
      const refused = await gateway.becomes('a refusal', (reply) => reasonOf(reply) === 'quota_unavailable', {
        headers: ACME,
      });
      assert.equal(refused.status, 503);
      await gateway.logs(/policy service: the rate limit service cannot be called: Envoy has no cluster of that name/);
      await metric('failures');
      // a service that has another configuration than the policy's: it answers, and names no limit
      const fake = await FakeService.start('elsewhere', []);
      const right = await FakeService.start('service', [{ window: 'day', quota: 'main' }]);
      const serve = (endpoint: number): Promise<object> =>
        mesh.apply([
          {
            apiVersion: 'networking.istio.io/v1',
            kind: 'ServiceEntry',
            metadata: { name: 'ratelimit', namespace },
            spec: {
              hosts: [host],
              location: 'MESH_INTERNAL',
              resolution: 'STATIC',
              ports: [{ number: port, name: 'grpc', protocol: 'GRPC' }],
              endpoints: [{ address: '127.0.0.1', ports: { grpc: endpoint } }],
            },
          },
        ]);
      try {
        await serve(fake.port);
        await gateway.becomes(
          'another try',
          (reply) => {
            assert.equal(reasonOf(reply), 'quota_unavailable');
            return fake.calls.length > 0;
          },
          { headers: ACME },
        );
        await metric('unlimited');
        await serve(right.port);
        await gateway.becomesStatus(200, { headers: ACME });
      } finally {
        await fake.stop();
        await right.stop();
      }
    });

    it('503 with wasm_fail_stream: the VM died, and is back a second later', async () => {
      const image = await mesh.push('trapping-again', { module: await trappingModule() });
      await rollOut(meshPolicy({ name: 'mortal', targets: [gateway.target], routed: false }), { image });
      await gateway.becomesStatus(401);
      const trapped = await gateway.call({ headers: { ...RICH, 'x-trap': '1' } });
      assert.equal(trapped.status, 503);
      await gateway.logs(/Function: \S+ failed/);
      await gateway.logsAccess(/^503 wasm_fail_stream /);
      await gateway.becomesStatus(200, { headers: RICH });
    });

    it('503 with reason allowed in the access log: the upstream is away, as the flags say', async () => {
      const nowhere = await freePort();
      const host = 'away.symptoms.svc.cluster.local';
      await mesh.apply([
        {
          apiVersion: 'networking.istio.io/v1',
          kind: 'ServiceEntry',
          metadata: { name: 'away', namespace: gateway.namespace },
          spec: {
            hosts: [host],
            location: 'MESH_INTERNAL',
            resolution: 'STATIC',
            ports: [{ number: 8080, name: 'http', protocol: 'HTTP' }],
            endpoints: [{ address: '127.0.0.1', ports: { http: nowhere } }],
          },
        },
      ]);
      const policy = meshPolicy({ targets: [gateway.target] });
      const upstreams = { ...policy.upstreams, v1: { service: { host, port: 8080 } } };
      await rollOut({ ...policy, upstreams });
      for (let i = 0; i < 10; i++) await gateway.becomesStatus(503, { headers: RICH });
      await gateway.logsAccess(/^503 \S+ flags=\S*UF\S* reason=allowed /);
      await rollOut(policy);
      await gateway.becomesStatus(200, { headers: RICH });
    });

    it('header routing without effect: no condition holds, no table, or a route of somebody else before it', async () => {
      const v2 = { headers: { ...RICH, 'x-api-version': '2' } };
      const policy = meshPolicy({ targets: [gateway.target] });
      await rollOut(policy);
      await gateway.becomesRouted();
      // values are compared byte by byte
      const other = await gateway.becomes('a decision', ({ seen }) => seen?.headers['x-tollgate-route'] !== undefined, {
        headers: { ...RICH, 'x-api-version': '2.0' },
      });
      assert.equal(other.seen?.headers['x-tollgate-route'], 'petstore/default');

      await takeBack('VirtualService');
      const lost = await gateway.becomes('v1 by the own route', ({ seen }) => seen?.upstream === 'v1', v2);
      assert.equal(lost.seen?.headers['x-tollgate-route'], 'petstore/v2', 'the module chooses it');
      await gateway.logsAccess(/^200 .*route=petstore\/v2/);

      const hiding = {
        apiVersion: 'networking.istio.io/v1',
        kind: 'VirtualService',
        metadata: { name: 'specific', namespace: gateway.namespace },
        spec: {
          hosts: ['api.example.com'],
          gateways: ['ingress'],
          http: [{ route: [{ destination: { host: DESTINATION, port: { number: 8080 }, subset: 'v1' } }] }],
        },
      };
      await mesh.apply([hiding]);
      await rollOut(policy);
      const elsewhere = await gateway.becomes('the hiding route', ({ seen }) => seen?.upstream === 'v1', v2);
      assert.equal(elsewhere.seen?.headers['x-tollgate-route'], 'petstore/v2');
      await mesh.delete([hiding]);
      await gateway.becomesRouted();
    });

    it('RateLimit headers look wrong: a new name begins at zero, another quota refuses, and uncharged requests have none', async () => {
      const policy = meshPolicy({ targets: [gateway.target], limit: 3 });
      const named = (quotas: object, more: object = {}): object => ({
        ...policy,
        apis: { petstore: { ...policy.apis['petstore'], ...more } },
        plans: { ...policy.plans, counted: { quotas } },
      });
      const used = { limit: 3, window: 'day' };
      await rollOut(named({ used }));
      const full = await gateway.becomesStatus(429, { headers: ACME });
      assert.equal((JSON.parse(full.body) as { quota: string }).quota, 'used');
      await rollOut(named({ wide: { limit: 1000, window: 'day' }, used }));
      const refused = await gateway.becomes('both quotas', ({ headers }) => /wide/.test(String(headers['ratelimit'])), {
        headers: ACME,
      });
      assert.equal(refused.status, 429);
      assert.match(String(refused.headers['ratelimit']), /"wide";r=[1-9]\d\d/);
      assert.equal((JSON.parse(refused.body) as { quota: string }).quota, 'used');
      await rollOut(named({ renamed: used }, { anonymous: 'allow' }));
      const begun = await gateway.becomesStatus(200, { headers: ACME });
      assert.match(String(begun.headers['ratelimit']), /"renamed";r=[012];/);
      for (const request of [{}, { headers: RICH }]) {
        const free = await gateway.becomesStatus(200, request);
        assert.equal(free.headers['ratelimit'], undefined);
      }
    });

    it('more passes than the limit: each proxy counts a quota of scope envoy for itself', async () => {
      const replica = await mesh.gateway('replica');
      const policy = (one: ProxyUnderTest): object =>
        meshPolicy({ name: 'twice', targets: [one.target], limit: 2, routed: false });
      await mesh.ownRoute(replica);
      for (const one of [gateway, replica]) {
        await rollOut(policy(one), {}, one);
        await one.becomesStatus(429, { headers: ACME });
        await one.becomesSeries('tollgate_requests_total', { policy: 'twice', reason: 'allowed' }, 2);
      }
    });

    it('a change has no effect: the digest in the metrics stays, and the log names what was refused', async () => {
      const policy = meshPolicy({ targets: [gateway.target] });
      const changed = { ...policy, realm: 'Other' };
      await rollOut(policy);
      const of = (value: object): string =>
        (
          pluginIn(resourcesOf(value, { image: mesh.image }))['spec'] as { pluginConfig: { digest: string } }
        ).pluginConfig.digest.slice(0, 12);
      const inForce = (value: object): Promise<boolean> =>
        gateway.becomesSeries('tollgate_info', { policy: 'petstore', digest: of(value) }, 1);
      await inForce(policy);
      const edited = resourcesOf(changed, { image: mesh.image });
      (pluginIn(edited)['spec'] as { pluginConfig: Record<string, unknown> }).pluginConfig['nonsense'] = true;
      await mesh.apply(edited);
      await gateway.logs(/plugin config: nonsense: /);
      await gateway.becomesStatus(200, { headers: RICH });
      await inForce(policy);
      await rollOut(changed);
      await inForce(changed);
    });

    it('metrics without labels: a proxy that was not told of them has them in its names', async () => {
      const untold = await mesh.withDefaultConfig({}, () => mesh.gateway('untold'));
      await mesh.ownRoute(untold);
      await untold.rollOut(meshPolicy({ targets: [untold.target], routed: false }));
      await untold.becomesStatus(401);
      await untold.becomesStat(/^policy_+petstore_+\S*tollgate_requests_total\b/m, 'tollgate');
      assert.deepEqual(await untold.series(), []);
    });

    it('health checks fail: the agent knows nothing of the module, and the data port asks for a key', async () => {
      const policy = meshPolicy({ targets: [gateway.target] });
      const open = {
        ...policy,
        apis: {
          ...policy.apis,
          health: { paths: ['/healthz'], plans: ['endless'], anonymous: 'allow', upstream: 'v1' },
        },
      };
      await rollOut(policy);
      assert.match(await gateway.proxy.admin.page('/ready'), /^LIVE/);
      assert.equal(reasonOf(await gateway.becomesStatus(404, { path: '/healthz' })), 'no_api');
      assert.equal(reasonOf(await gateway.becomesStatus(401)), 'missing_api_key');
      await rollOut(open);
      await gateway.becomesStatus(200, { path: '/healthz' });
      assert.equal((await gateway.call()).status, 401);
    });
  });
}
