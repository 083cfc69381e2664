import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { count, hammer } from '../../harness/envoy/load.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { Random } from '../../harness/random.ts';
import { realPrograms } from '../../harness/rateLimitService/available.ts';
import { CLUSTER, keyOf, POLICY } from '../../harness/rateLimitService/meshPolicy.ts';
import { RealService } from '../../harness/rateLimitService/realService.ts';
import { MeteredUpstream, someUsage, spend, type Price, type Wanted } from '../../harness/settledLoad.ts';
import { LocalEnvoy } from '../../scripts/envoy/localEnvoy.ts';
import { snapshotOf } from '../../scripts/envoy/snapshot.ts';
import { compilePolicy, validPolicy } from '../../scripts/policy/index.ts';
import { serviceConfigOf, serviceConfigText } from '../../scripts/rateLimitService/serviceConfig.ts';
import { pause, steadyUnit } from './steady.ts';

const found = await available();
const programs = await realPrograms();
const skip = found.skip !== false ? found.skip : typeof programs === 'string' ? programs : false;
const ENVOYS = 2;
const LIMIT = 9000;
const PRICE: Price = { reserve: 3, most: 40, successOnly: false };
/** Idle leases are back in their Envoy's stock by then. */
const RETURNED_MS = 2000;
const QUIET_MS = 2500;

const TEXT = `policy: ${POLICY}
rateLimitService: { cluster: ${CLUSTER}, timeout: 1000ms }
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  metered: { paths: [/metered], plans: [free], upstream: v1, cost: { reserve: ${PRICE.reserve}, header: x-usage, most: ${PRICE.most} } }
  plain: { paths: [/plain], plans: [free], upstream: v1 }
plans: { free: { quotas: { q: { limit: ${LIMIT}, window: ${steadyUnit()}, scope: mesh } } } }
consumers: { acme: { plan: free, keys: [{ id: k, digest: "${digestOf(keyOf('acme'))}" }] } }
`;

describe('settled requests over two Envoys and a real service', { skip }, () => {
  it('leave of the limit what they have not cost, with resets', { timeout: 300_000 }, async (t) => {
    if (typeof programs === 'string' || found.skip !== false) throw new Error('no service, or no Envoy');
    const random = new Random(5);
    const { policy } = validPolicy(TEXT, 'settled.policy.yaml');
    const service = await RealService.start(programs, serviceConfigText(serviceConfigOf(policy)!, POLICY));
    const upstream = await MeteredUpstream.start(random);
    const snapshot = snapshotOf(policy, compilePolicy(policy), new Map([['v1', upstream.url]]), {
      host: '127.0.0.1',
      port: service.port,
    });
    const envoys: LocalEnvoy[] = [];
    try {
      for (let i = 0; i < ENVOYS; i++)
        envoys.push(
          await LocalEnvoy.start(snapshot, {
            envoy: found.envoy,
            module: found.module,
            concurrency: 2,
            port: 0,
            adminPort: 0,
          }),
        );
      let requests = 300;
      const next = (): Wanted | null =>
        --requests < 0 ? null : { status: 200, usage: someUsage(random, PRICE.most), never: random.chance(0.1) };
      const key = keyOf('acme');
      const tallies = await Promise.all(
        envoys.map(({ port }) => spend({ port, path: '/metered', key, upstream, price: PRICE, connections: 12, next })),
      );
      const sum = (of: (tally: (typeof tallies)[number]) => number): number =>
        tallies.reduce((all, tally) => all + of(tally), 0);
      assert.equal(
        sum(({ unknown }) => unknown),
        0,
      );
      const units = sum((tally) => tally.units);
      assert.ok(units > 1000 && units < LIMIT, `${units} units`);
      await pause(RETURNED_MS);
      // a call of each tells the service what its Envoy owes
      let plain = 0;
      const load = (port: number): Parameters<typeof hammer>[0] => ({
        port,
        path: '/plain',
        headers: { 'x-api-key': key },
        connections: 2,
      });
      for (const { port } of envoys) {
        let asked = 0;
        plain += count(await hammer(load(port), () => asked++ < 4), 200);
      }
      assert.equal(plain, 4 * ENVOYS);
      let last = plain;
      let since = Date.now();
      const passed = envoys.map(() => 0);
      const rest = await Promise.all(
        envoys.map(({ port }, i) =>
          hammer({ ...load(port), connections: 4 }, (tally) => {
            passed[i] = count(tally, 200);
            const all = passed.reduce((a, b) => a + b, plain);
            if (all !== last) since = Date.now();
            last = all;
            return Date.now() - since < QUIET_MS;
          }),
        ),
      );
      const used = units + rest.reduce((all, tally) => all + count(tally, 200), plain);
      const charged = await service.charged('quota_q_consumer_acme');
      t.diagnostic(`${units} units settled, ${used} of ${LIMIT} used in the end, ${charged} charged`);
      assert.ok(used <= LIMIT, `${used} of ${LIMIT} used`);
      assert.ok(used >= LIMIT * 0.99, `only ${used} of ${LIMIT} used`);
      assert.ok(charged >= used);
      assert.deepEqual(
        envoys.flatMap(({ logged }) => logged.filter((line) => /^(error|critical) |wasm.*trap/i.test(line))),
        [],
      );
    } finally {
      await Promise.all(envoys.map((envoy) => envoy.stop()));
      await upstream.close();
      await service.stop();
    }
  });
});
