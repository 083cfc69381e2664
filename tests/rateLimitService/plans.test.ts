import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import type { Tally } from '../../harness/envoy/load.ts';
import type { PluginConfig } from '../../harness/config.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { realPrograms } from '../../harness/rateLimitService/available.ts';
import { MeshEnvoy } from '../../harness/rateLimitService/meshEnvoy.ts';
import { CLUSTER, keyOf, POLICY } from '../../harness/rateLimitService/meshPolicy.ts';
import { RealService } from '../../harness/rateLimitService/realService.ts';
import { compilePolicy, parsePolicy, type Policy } from '../../scripts/policy/index.ts';
import { serviceConfigOf, serviceConfigText } from '../../scripts/rateLimitService/serviceConfig.ts';
import { pause, steadyUnit } from './steady.ts';
import { allowedIn, ask, hammerAll, tallyOf, whenQuiet } from './traffic.ts';

const found = await available();
const programs = await realPrograms();
const skip = found.skip !== false ? found.skip : typeof programs === 'string' ? programs : false;
const ENVOYS = 4;
const LIMITS = { free: 300, gold: 2000 };
type PlanName = keyof typeof LIMITS;
const WINDOW = steadyUnit() === 'month' ? '30d' : steadyUnit();

/** As somebody would write it: the tool makes the plugin config of it, and the service's configuration. */
function policyOf(plan: PlanName, consumers = ['acme'], limits: Readonly<Record<PlanName, number>> = LIMITS): Policy {
  const quotas = (limit: number): object => ({ q: { limit, window: WINDOW, scope: 'mesh' } });
  const { policy } = parsePolicy(
    {
      policy: POLICY,
      rateLimitService: { cluster: CLUSTER, timeout: '1000ms' },
      apis: { petstore: { paths: ['/v1'], plans: ['free', 'gold'] } },
      plans: { free: { quotas: quotas(limits.free) }, gold: { quotas: quotas(limits.gold) } },
      consumers: Object.fromEntries(
        consumers.map((name) => [name, { plan, keys: [{ id: `${name}-1`, digest: digestOf(keyOf(name)) }] }]),
      ),
    },
    0,
  );
  if (policy === null) throw new Error('no policy');
  return policy;
}

function configOf(policy: Policy): PluginConfig {
  return JSON.parse(JSON.stringify(compilePolicy(policy))) as PluginConfig;
}

async function withPlans(
  policy: Policy,
  run: (envoys: readonly MeshEnvoy[], service: RealService) => Promise<void>,
): Promise<void> {
  if (typeof programs === 'string') throw new Error(programs);
  const service = await RealService.start(programs, serviceConfigText(serviceConfigOf(policy)!, POLICY));
  let envoys: MeshEnvoy[] = [];
  try {
    envoys = await MeshEnvoy.startAll(ENVOYS, found, configOf(policy), service.port);
    await run(envoys, service);
    assert.deepEqual(
      envoys.flatMap(({ complaints }) => complaints),
      [],
    );
  } finally {
    await Promise.all(envoys.map((envoy) => envoy.stop()));
    await service.stop();
  }
}

/** Requests let through, by the plan that the module decided by. */
function passed(envoys: readonly MeshEnvoy[]): Record<PlanName, number> {
  const counts = { free: 0, gold: 0 };
  for (const { tollgate } of envoys.flatMap(({ entries }) => entries)) {
    const plan = /^reason=allowed .*\bplan=(\S+)/.exec(tollgate ?? '')?.[1];
    if (plan !== undefined) counts[plan as PlanName]++;
  }
  return counts;
}

describe('a consumer that goes from free to gold and back, over four Envoys', { skip }, () => {
  it('takes along what it has used, and no plan lets more than its limit through', { timeout: 400_000 }, async (t) => {
    await withPlans(policyOf('free'), async (envoys, service) => {
      const load = (until: (tallies: readonly Tally[]) => boolean): Promise<Tally[]> =>
        hammerAll(
          envoys.map((envoy) => ({ envoy, connections: 4 })),
          until,
        );
      const put = (plan: PlanName): Promise<void[]> =>
        Promise.all(envoys.map((envoy) => envoy.edit(configOf(policyOf(plan)))));
      assert.equal(allowedIn(await load(whenQuiet(2500))), LIMITS.free);
      const dropped = (await service.charged('quota_q_consumer_acme')) - LIMITS.free;
      // The change comes while callers go on.
      let isOver = false;
      const going = load(() => isOver);
      await put('gold');
      await pause(4000);
      await put('free');
      await pause(1000);
      isOver = true;
      await going;
      const { free, gold } = passed(envoys);
      t.diagnostic(`${free} by free, ${gold} by gold, ${dropped} dropped by free`);
      assert.equal(free, LIMITS.free);
      assert.ok(free + gold <= LIMITS.gold, `${free + gold} of ${LIMITS.gold}`);
      // A service's count above the lower limit is lost to the higher: what four Envoys asked for when it was used up.
      assert.ok(dropped >= 0 && dropped <= LIMITS.free / 8, `${dropped} dropped`);
      assert.ok(free + gold >= (LIMITS.gold - dropped) * 0.99, `${free + gold} of ${LIMITS.gold}`);
      assert.equal(allowedIn(await load(whenQuiet(1500))), 0, 'back at the lower limit');
      await put('gold');
      await load(whenQuiet(2500));
      const all = passed(envoys);
      assert.ok(all.free === LIMITS.free && all.free + all.gold <= LIMITS.gold, JSON.stringify(all));
    });
  });
});

describe('quiet consumers over four Envoys', { skip }, () => {
  it('cost a call for several requests while plenty is left', { timeout: 300_000 }, async (t) => {
    const consumers = ['quiet', 'still'];
    await withPlans(policyOf('gold', consumers, { free: 100_000, gold: 100_000 }), async (envoys) => {
      const calls = async (): Promise<number> => {
        let sum = 0;
        for (const envoy of envoys) sum += await envoy.metric('tollgate_rate_limit_service_calls_total');
        return sum;
      };
      const round = async (times: number): Promise<number> => {
        let sent = 0;
        for (let i = 0; i < times; i++) {
          for (const envoy of envoys)
            for (const consumer of consumers) {
              const answers = await ask(envoy, 1, consumer);
              assert.deepEqual(tallyOf(answers), { 200: 1 });
              sent++;
            }
          // Faster, and it would be a busy counter.
          await pause(250);
        }
        return sent;
      };
      await round(4);
      await pause(1500);
      const before = await calls();
      const sent = await round(40);
      await pause(1500);
      const made = (await calls()) - before;
      t.diagnostic(`${made} calls for ${sent} requests`);
      assert.ok(made > 0 && made * 4 <= sent, `${made} calls for ${sent} requests`);
    });
  });
});
