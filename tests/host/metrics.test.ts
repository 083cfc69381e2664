import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KEY, keyOf, pluginConfig } from '../../harness/config.ts';
import { Host } from '../../scripts/host/host.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import type { Pair } from '../../scripts/host/stream.ts';

const module = loadModule(modulePath);
const QUOTAS = [{ name: 'q', limit: 5, window: 'month' }];
const START: Pair[] = [
  [':authority', 'a.test'],
  [':path', '/v1/pets'],
  [':method', 'GET'],
];

function openHost(consumers = 1): Host {
  const host = new Host(module, { workers: 2 });
  assert.ok(host.load(JSON.stringify(pluginConfig(QUOTAS, { consumers }))), host.logs('error').join());
  return host;
}

describe('metrics', () => {
  it('count every request by its reason over all workers, a second later at most', () => {
    const host = openHost();
    const expected: Record<string, number> = {};
    for (let i = 0; i < 60; i++) {
      const headers: Pair[] = i % 3 === 0 ? START : [...START, ['x-api-key', i % 3 === 1 ? KEY : 'no-such-key-at-all']];
      const { filterState } = host.request(headers, { worker: i % 2 });
      const reason = /reason=(\w+)/.exec(filterState.get('wasm.tollgate')!)![1]!;
      expected[reason] = (expected[reason] ?? 0) + 1;
    }
    assert.deepEqual(Object.keys(expected).sort(), ['allowed', 'missing_api_key', 'quota_exceeded', 'unknown_api_key']);
    host.pass(1000);
    const { metrics } = host.process;
    for (const [reason, count] of Object.entries(expected)) {
      assert.equal(metrics.counter(`tollgate.petstore.reason.${reason}`), count, reason);
    }
    assert.equal(metrics.counter('tollgate.petstore.api.petstore.plan.free.allowed'), expected.allowed);
    assert.equal(metrics.counter('tollgate.petstore.api.petstore.plan.free.refused'), expected.quota_exceeded);
    assert.deepEqual(host.faults, []);
  });

  it('count a request of a root that is retired before its next tick', () => {
    const host = openHost();
    host.request([...START, ['x-api-key', KEY]]);
    assert.ok(host.load(JSON.stringify(pluginConfig(QUOTAS, { routes: [{ name: 'r', methods: ['GET'] }] }))));
    host.request([...START, ['x-api-key', KEY]]);
    host.retireAllButNewest();
    host.pass(60_000);
    assert.equal(host.process.metrics.counter('tollgate.petstore.reason.allowed'), 2);
  });

  it('keep what was counted before an edit, also when its offers stand elsewhere afterwards', () => {
    const host = openHost();
    host.request([...START, ['x-api-key', KEY]]);
    host.request(START);
    const config = pluginConfig(QUOTAS);
    const first = { name: 'another', paths: ['/another'], plans: ['free'], routes: [] };
    assert.ok(host.load(JSON.stringify({ ...config, apis: [first, ...config.apis] })), host.logs('error').join());
    host.request([...START, ['x-api-key', KEY]]);
    host.request([
      [':authority', 'a.test'],
      [':path', '/another'],
      [':method', 'GET'],
      ['x-api-key', KEY],
    ]);
    assert.ok(host.load(JSON.stringify(config)), host.logs('error').join());
    host.pass(1000);
    const count = (name: string): number => host.process.metrics.counter(`tollgate.petstore.${name}`);
    assert.equal(count('reason.allowed'), 3);
    assert.equal(count('reason.missing_api_key'), 1);
    assert.equal(count('api.petstore.plan.free.allowed'), 2);
    assert.equal(count('api.another.plan.free.allowed'), 1);
  });

  it('are as many for a thousand consumers as for one', () => {
    const names = [1, 1000].map((consumers) => {
      const host = openHost(consumers);
      for (let i = 0; i < consumers; i += 50) host.request([...START, ['x-api-key', keyOf(i)]]);
      host.pass(1000);
      return [...host.process.metrics.byName.keys()].sort();
    });
    assert.deepEqual(names[0], names[1]);
  });

  it('are defined once in a VM, however often the policy is edited', () => {
    const host = openHost();
    const [vm] = host.workers;
    const before = vm!.metricNames.length;
    for (let i = 0; i < 50; i++) {
      assert.ok(host.load(JSON.stringify(pluginConfig(QUOTAS, { routes: [{ name: `r${i}`, methods: ['GET'] }] }))));
      host.pass(500);
      host.retireAllButNewest();
    }
    assert.equal(vm!.metricNames.length, before);
  });
});
