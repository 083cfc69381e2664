import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import type { PluginConfig } from '../../harness/config.ts';
import { count, hammer } from '../../harness/envoy/load.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { realPrograms } from '../../harness/rateLimitService/available.ts';
import { MeshEnvoy } from '../../harness/rateLimitService/meshEnvoy.ts';
import { CLUSTER, keyOf, POLICY } from '../../harness/rateLimitService/meshPolicy.ts';
import { RealService } from '../../harness/rateLimitService/realService.ts';
import { compilePolicy, parsePolicy } from '../../scripts/policy/index.ts';
import { serviceConfigOf, serviceConfigText } from '../../scripts/rateLimitService/serviceConfig.ts';
import { steadyUnit } from './steady.ts';
import { headersOf, whenQuiet } from './traffic.ts';

const found = await available();
const programs = await realPrograms();
const skip = found.skip !== false ? found.skip : typeof programs === 'string' ? programs : false;
const ENVOYS = 3;
const WINDOW = steadyUnit() === 'month' ? '30d' : steadyUnit();
const LIMITS = { key: 30, operation: 40, group: 50, calls: 60 };

/** Each consumer with its keys; the plans of `two` on the two APIs share a counter. */
const KEYS = { keyed: ['one', 'two'], worker: ['worker'], shop: ['shop'], store: ['store'], two: ['both'] };
type Consumer = keyof typeof KEYS;

function policyOf(): object {
  const mesh = (limit: number, fields: object = {}): object => ({ limit, window: WINDOW, scope: 'mesh', ...fields });
  const keys = (consumer: Consumer): object[] =>
    KEYS[consumer].map((key) => ({ id: key, digest: digestOf(keyOf(key)) }));
  const plans = {
    keys: { quotas: { q: mesh(LIMITS.key, { per: 'key' }) } },
    operations: { quotas: { q: mesh(LIMITS.operation, { per: 'operation' }) } },
    teams: { quotas: { q: mesh(LIMITS.group, { per: 'group' }) } },
    low: { quotas: { low: mesh(LIMITS.calls / 2, { counter: 'calls' }) } },
    high: { quotas: { high: mesh(LIMITS.calls, { counter: 'calls' }) } },
  };
  return {
    policy: POLICY,
    rateLimitService: { cluster: CLUSTER, timeout: '1000ms' },
    apis: {
      petstore: {
        paths: ['/v1'],
        plans: Object.keys(plans),
        unlisted: 'allow',
        operations: { 'GET /pets': { name: 'list' } },
      },
      orders: { paths: ['/orders'], plans: ['high'] },
    },
    plans,
    consumers: {
      keyed: { plan: 'keys', keys: keys('keyed') },
      worker: { plan: 'operations', keys: keys('worker') },
      shop: { plan: 'teams', group: 'corp', keys: keys('shop') },
      store: { plan: 'teams', group: 'corp', keys: keys('store') },
      two: { plan: 'low', subscriptions: { orders: { plan: 'high' } }, keys: keys('two') },
    },
  };
}

describe('mesh-wide quotas per key, operation and group, and with a counter, over three Envoys', { skip }, () => {
  it('let each limit through and not one more, whatever the service is told', { timeout: 400_000 }, async () => {
    const { policy } = parsePolicy(policyOf(), 0);
    if (policy === null || typeof programs === 'string') throw new Error('no policy, or no service');
    const service = await RealService.start(programs, serviceConfigText(serviceConfigOf(policy)!, POLICY));
    const config = JSON.parse(JSON.stringify(compilePolicy(policy))) as PluginConfig;
    let envoys: MeshEnvoy[] = [];
    try {
      envoys = await MeshEnvoy.startAll(ENVOYS, found, config, service.port);
      /** What passes of a key's requests to a path, at all Envoys at once. */
      const pass = async (key: string, path = '/v1/pets'): Promise<number> => {
        const isOver = envoys.map(() => whenQuiet(2500));
        const tallies = await Promise.all(
          envoys.map(({ port }, i) =>
            hammer({ port, path, headers: headersOf(key), connections: 3 }, (tally) => !isOver[i]!([tally])),
          ),
        );
        return tallies.reduce((sum, tally) => sum + count(tally, 200), 0);
      };
      assert.equal(await pass('one'), LIMITS.key);
      assert.equal(await pass('two'), LIMITS.key);
      assert.ok((await service.charged('quota_key:two/q_consumer_keyed')) >= LIMITS.key);
      assert.equal(await pass('worker'), LIMITS.operation);
      assert.equal(await pass('worker', '/v1/more'), LIMITS.operation);
      assert.ok((await service.charged('quota_operation:petstore/list/q_consumer_worker')) >= LIMITS.operation);
      assert.ok((await service.charged('quota_petstore/q_consumer_worker')) >= LIMITS.operation);
      assert.equal(await pass('shop'), LIMITS.group);
      assert.equal(await pass('store'), 0, "the group's limit is used up");
      assert.ok((await service.charged('quota_group:q_consumer_corp')) >= LIMITS.group);
      const low = await pass('both');
      assert.equal(low, LIMITS.calls / 2);
      const dropped = (await service.charged('quota_calls_consumer_two')) - low;
      const high = await pass('both', '/orders');
      // What was counted above the lower limit, and spent by nobody, is lost to the higher.
      assert.ok(
        low + high <= LIMITS.calls && low + high >= LIMITS.calls - dropped,
        `${low} + ${high}, ${dropped} dropped`,
      );
      assert.ok(dropped <= ENVOYS * 2 * (LIMITS.calls / 16), `${dropped} dropped`);
      assert.deepEqual(
        envoys.flatMap(({ complaints }) => complaints),
        [],
      );
    } finally {
      await Promise.all(envoys.map((envoy) => envoy.stop()));
      await service.stop();
    }
  });
});
