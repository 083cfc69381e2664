import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import type { MetricName } from '../../scripts/contract/metrics.ts';
import { count } from '../../harness/envoy/load.ts';
import { realPrograms } from '../../harness/rateLimitService/available.ts';
import type { PluginConfig } from '../../harness/config.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { MeshEnvoy } from '../../harness/rateLimitService/meshEnvoy.ts';
import { CLUSTER, keyOf, POLICY } from '../../harness/rateLimitService/meshPolicy.ts';
import { RealService } from '../../harness/rateLimitService/realService.ts';
import { compilePolicy, parsePolicy } from '../../scripts/policy/index.ts';
import { serviceConfigOf, serviceConfigText } from '../../scripts/rateLimitService/serviceConfig.ts';
import { onReal, withService } from './proving.ts';
import { steady, steadyUnit } from './steady.ts';
import { allowedIn, hammerAll, pace, tallyOf, whenQuiet } from './traffic.ts';

const found = await available();
const programs = await realPrograms();
const skip = found.skip !== false ? found.skip : typeof programs === 'string' ? programs : false;

/** Nine tenths of the connections at the first. */
const SKEWED = [27, 1, 1, 1];

describe('a limit over four Envoys with two workers each', { skip }, () => {
  for (const limit of [5000, 10]) {
    it(
      `lets ${limit} through and not one more, with nine tenths of the load at one`,
      { timeout: 300_000 },
      async (t) => {
        await withService(
          onReal(programs),
          found,
          { quotas: [{ name: 'q', limit, window: steadyUnit() }], envoys: 4, timeoutMs: 1000 },
          async (envoys, service) => {
            const tallies = await hammerAll(
              envoys.map((envoy, i) => ({ envoy, connections: SKEWED[i]! })),
              whenQuiet(2500),
            );
            const allowed = allowedIn(tallies);
            const charged = await service.charged('quota_q_consumer_acme');
            const calls = await sum(envoys, 'tollgate_rate_limit_service_calls_total');
            t.diagnostic(
              `${allowed} of ${limit} allowed, each ${tallies.map((tally) => count(tally, 200)).join('+')}; ${calls} calls, ${charged} charged; ` +
                `${tallies.reduce((all, tally) => all + [...tally.values()].reduce((a, b) => a + b, 0), 0)} requests`,
            );
            assert.deepEqual(
              [...new Set(tallies.flatMap((tally) => [...tally.keys()]))].filter(
                (status) => status !== 200 && status !== 429,
              ),
              [],
            );
            assert.ok(allowed <= limit, `${allowed} allowed of ${limit}`);
            assert.ok(allowed >= limit * 0.99, `only ${allowed} allowed of ${limit}`);
            if (limit === 10) assert.equal(allowed, 10);
          },
        );
      },
    );
  }
});

describe("an operation's own limit over four Envoys", { skip }, () => {
  it(
    'lets each consumer through as often as it says, and callers without a key together',
    { timeout: 300_000 },
    async () => {
      const { policy } = parsePolicy(operationPolicy(), 0);
      if (policy === null || typeof programs === 'string') throw new Error('no policy, or no service');
      const service = await RealService.start(programs, serviceConfigText(serviceConfigOf(policy)!, POLICY));
      let envoys: MeshEnvoy[] = [];
      try {
        envoys = await MeshEnvoy.startAll(
          4,
          found,
          JSON.parse(JSON.stringify(compilePolicy(policy))) as PluginConfig,
          service.port,
        );
        for (const consumer of ['acme', 'beta', undefined]) {
          const allowed = allowedIn(
            await hammerAll(
              envoys.map((envoy) => ({ envoy, connections: 4 })),
              whenQuiet(2500),
              consumer ?? null,
            ),
          );
          assert.equal(allowed, 10, consumer ?? 'without a key');
        }
        assert.deepEqual(
          envoys.flatMap(({ complaints }) => complaints),
          [],
        );
      } finally {
        await Promise.all(envoys.map((envoy) => envoy.stop()));
        await service.stop();
      }
    },
  );
});

/** As somebody would write it: the tool makes the plugin config of it, and the service's configuration. */
function operationPolicy(): object {
  const mesh = { window: steadyUnit(), scope: 'mesh' };
  return {
    policy: POLICY,
    rateLimitService: { cluster: CLUSTER, timeout: '1000ms' },
    apis: {
      petstore: {
        paths: ['/v1'],
        plans: ['gold'],
        operations: { 'GET /pets': { anonymous: 'allow', quotas: { reads: { limit: 10, ...mesh } } } },
      },
    },
    plans: { gold: { quotas: { all: { limit: 15, ...mesh } } } },
    consumers: Object.fromEntries(
      ['acme', 'beta'].map((name) => [
        name,
        { plan: 'gold', keys: [{ id: `${name}-1`, digest: digestOf(keyOf(name)) }] },
      ]),
    ),
  };
}

describe('a steady rate far below the limit', { skip }, () => {
  it('hardly ever waits, and makes few calls', { timeout: 300_000 }, async (t) => {
    await steady('minute', 15_000);
    await withService(
      onReal(programs),
      found,
      { quotas: [{ name: 'q', limit: 100_000, window: 'minute' }], envoys: 4, timeoutMs: 1000 },
      async (envoys) => {
        await pace(envoys, 1000, 2000);
        const [waits, asked] = [
          await sum(envoys, 'tollgate_waits_total'),
          await sum(envoys, 'tollgate_rate_limit_service_calls_total'),
        ];
        const started = Date.now();
        const answers = await pace(envoys, 1000, 6000);
        await new Promise((resolve) => setTimeout(resolve, 600));
        const waited = (await sum(envoys, 'tollgate_waits_total')) - waits;
        const calls = (await sum(envoys, 'tollgate_rate_limit_service_calls_total')) - asked;
        t.diagnostic(
          `${answers.length} requests at ${Math.round((answers.length * 1000) / (Date.now() - started - 600))} a second: ${waited} waited, ${calls} calls; before, in 2 s: ${waits} and ${asked}`,
        );
        assert.deepEqual(tallyOf(answers), { 200: answers.length });
        assert.ok(waited <= answers.length * 0.01, `${waited} of ${answers.length} waited`);
        assert.ok(calls <= answers.length * 0.02, `${calls} calls for ${answers.length}`);
      },
    );
  });
});

async function sum(
  envoys: readonly { metric(name: MetricName): Promise<number> }[],
  name: MetricName,
): Promise<number> {
  let total = 0;
  for (const envoy of envoys) total += await envoy.metric(name);
  return total;
}
