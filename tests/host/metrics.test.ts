import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KEY, keyOf, pluginConfig, type PluginConfig } from '../../harness/config.ts';
import { Host, type Generation } from '../../scripts/host/host.ts';
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
    assert.equal(count(host, 'reason.allowed'), 3);
    assert.equal(count(host, 'reason.missing_api_key'), 1);
    assert.equal(count(host, 'api.petstore.plan.free.allowed'), 2);
    assert.equal(count(host, 'api.another.plan.free.allowed'), 1);
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

  it('are of the policy, not of its tables: old and new ones count into the same records, and nothing is lost or counted twice', () => {
    const host = openHost();
    const config = pluginConfig(QUOTAS);
    const first = { name: 'another', paths: ['/another'], plans: ['free'], routes: [] };
    const old = host.newest!;
    const edited = host.load(JSON.stringify({ ...config, apis: [first, ...config.apis] }))!;
    const send = (path: string, generation: Generation): unknown =>
      host.request(
        [
          [':authority', 'a.test'],
          [':path', path],
          [':method', 'GET'],
          ['x-api-key', KEY],
        ],
        { generation },
      );
    send('/v1/pets', old);
    send('/v1/pets', edited);
    send('/another', edited);
    host.retire(old);
    assert.equal(count(host, 'api.petstore.plan.free.allowed'), 2, 'flushed when the old root ends');
    assert.equal(count(host, 'api.another.plan.free.allowed'), 1);
    send('/another', edited);
    host.pass(1000);
    host.pass(1000);
    assert.equal(count(host, 'api.petstore.plan.free.allowed'), 2);
    assert.equal(count(host, 'api.another.plan.free.allowed'), 2);
    assert.equal(count(host, 'reason.allowed'), 4);
  });

  it('are complete when the last root of a policy ends before its next tick', () => {
    const host = openHost();
    host.request([...START, ['x-api-key', KEY]]);
    host.request([...START, ['x-api-key', 'no-such-key-at-all']]);
    assert.ok(host.load(JSON.stringify(pluginConfig(QUOTAS, { policy: 'other' }))));
    host.retireAllButNewest();
    assert.equal(count(host, 'reason.allowed'), 1);
    assert.equal(count(host, 'reason.unknown_api_key'), 1);
    assert.equal(count(host, 'api.petstore.plan.free.allowed'), 1);
  });

  it('of a pair that is gone are never those of the pair that came after it', () => {
    const host = openHost();
    for (const name of ['orders', 'stock', 'orders']) {
      assert.ok(host.load(JSON.stringify(withApis([name]))), host.logs('error').join());
      host.retireAllButNewest();
      host.request([...START, ['x-api-key', KEY]]);
    }
    host.pass(1000);
    assert.equal(count(host, 'api.orders.plan.free.allowed'), 2);
    assert.equal(count(host, 'api.stock.plan.free.allowed'), 1);
    assert.equal(count(host, 'api.petstore.plan.free.allowed'), 0);
  });

  it('are bounded: of 600 pairs of API and plan 512 have counters, and requests of all are counted by reason', () => {
    const host = openHost();
    const names = Array.from({ length: 600 }, (_, i) => `api-${i}`);
    assert.ok(host.load(JSON.stringify(withApis(names))), host.logs('error').join());
    host.retireAllButNewest();
    for (const i of [0, 511, 512, 599]) {
      const path = i === 0 ? '/v1' : `/v1/${i}`;
      const headers: Pair[] = [
        [':authority', 'a.test'],
        [':path', path],
        [':method', 'GET'],
        ['x-api-key', KEY],
      ];
      assert.notEqual(host.request(headers).upstream, null);
    }
    host.pass(1000);
    const shown = names.filter((name) =>
      host.process.metrics.byName.has(`tollgate.petstore.api.${name}.plan.free.allowed`),
    );
    assert.equal(shown.length, 512);
    assert.equal(count(host, 'api.api-0.plan.free.allowed') + count(host, 'api.api-511.plan.free.allowed'), 2);
    assert.equal(count(host, 'reason.allowed'), 4);
    assert.equal(host.logs('warn').filter((line) => /more than 512 pairs/.test(line)).length > 0, true);
  });

  it('leave the memory as it was after two thousand edits that rename and reorder APIs', () => {
    const host = new Host(module, { workers: 1 });
    const sets = [0, 1, 2].map((set) =>
      withApis(Array.from({ length: 20 }, (_, i) => `api-${(i * 7 + set * 10) % 40}`)),
    );
    const { memory } = host.workers[0]!;
    let before = 0;
    for (let edit = 0; edit < 2000; edit++) {
      assert.ok(host.load(JSON.stringify({ ...sets[edit % 3], realm: `edit ${edit}` })), host.logs('error').join());
      host.retireAllButNewest();
      host.request([...START, ['x-api-key', KEY]]);
      if (edit === 100) before = memory.byteLength;
    }
    host.pass(1000);
    assert.equal(memory.byteLength, before);
    assert.equal(count(host, 'reason.allowed') + count(host, 'reason.quota_exceeded'), 2000);
    assert.deepEqual(host.faults, []);
  });
});

function count(host: Host, name: string): number {
  return host.process.metrics.counter(`tollgate.petstore.${name}`);
}

/** APIs of these names, the first at the start's path and the others below it. */
function withApis(names: string[]): PluginConfig {
  const apis = names.map((name, i) => ({ name, paths: [i === 0 ? '/v1' : `/v1/${i}`], plans: ['free'], routes: [] }));
  return { ...pluginConfig(QUOTAS), apis };
}
