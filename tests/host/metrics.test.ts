import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KEY, keyOf, pluginConfig, type PluginConfig } from '../../harness/config.ts';
import { Host, type Generation } from '../../scripts/host/host.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { METRICS, parseStatName, statName, type Label, type Metric } from '../../scripts/contract/metrics.ts';
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

    for (const [reason, count] of Object.entries(expected)) {
      assert.equal(host.total('tollgate_requests_total', { reason }), count, reason);
    }
    assert.equal(
      host.total('tollgate_requests_total', { api: 'petstore', plan: 'free', reason: 'allowed' }),
      expected.allowed,
    );
    assert.equal(
      host.total('tollgate_requests_total', { api: 'petstore', plan: 'free', quota: 'q', reason: 'quota_exceeded' }),
      expected.quota_exceeded,
    );
    assert.deepEqual(host.faults, []);
  });

  it('count what only observing let pass by what would have refused it, and as what it passed', () => {
    const host = new Host(module, { workers: 2 });
    const config = { ...pluginConfig([{ name: 'q', limit: 2, window: 'month' }]), mode: 'observe' };
    assert.ok(host.load(JSON.stringify(config)), host.logs('error').join());
    for (let i = 0; i < 5; i++) host.request([...START, ['x-api-key', KEY]]);
    for (let i = 0; i < 3; i++) host.request(START, { worker: 1 });
    host.request([[':authority', 'a.test'], [':path', '/nowhere'], START[2]!]);
    host.request([[':authority', '127.1'], ...START.slice(1)]);
    host.pass(1000);
    const observed = (labels: Partial<Record<Label, string>>): number => host.total('tollgate_observed_total', labels);
    assert.equal(observed({}), 8);
    assert.equal(observed({ api: 'petstore', plan: 'free', reason: 'quota_exceeded', quota: 'q' }), 3);
    assert.equal(observed({ api: 'petstore', reason: 'missing_api_key' }), 3);
    assert.equal(observed({ reason: 'no_api' }), 1);
    assert.equal(observed({ reason: 'invalid_host' }), 1);
    assert.equal(total(host, {}), 10);
    assert.equal(total(host, { api: 'petstore', plan: 'free', reason: 'allowed' }), 5);
    assert.equal(total(host, { api: 'petstore', reason: 'anonymous' }), 3);
    assert.equal(total(host, { reason: 'unmatched' }), 2);

    // put in force: nothing more is observed, and what was stays
    assert.ok(host.load(JSON.stringify(pluginConfig([{ name: 'q', limit: 2, window: 'month' }]))));
    for (let i = 0; i < 5; i++) host.request([...START, ['x-api-key', KEY]]);
    host.pass(1000);
    host.retireAllButNewest();
    assert.equal(observed({}), 8);
    assert.equal(total(host, { reason: 'quota_exceeded' }), 3);
    assert.deepEqual(host.faults, []);
  });

  it('count a request of a root that is retired before its next tick', () => {
    const host = openHost();
    host.request([...START, ['x-api-key', KEY]]);
    assert.ok(host.load(JSON.stringify(pluginConfig(QUOTAS, { routes: [{ name: 'r', methods: ['GET'] }] }))));
    host.request([...START, ['x-api-key', KEY]]);
    host.retireAllButNewest();
    host.pass(60_000);
    assert.equal(host.total('tollgate_requests_total', { reason: 'allowed' }), 2);
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
    assert.equal(total(host, { reason: 'allowed' }), 3);
    assert.equal(total(host, { reason: 'missing_api_key' }), 1);
    assert.equal(total(host, { api: 'petstore', plan: 'free', reason: 'allowed' }), 2);
    assert.equal(total(host, { api: 'another', plan: 'free', reason: 'allowed' }), 1);
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
    assert.equal(
      total(host, { api: 'petstore', plan: 'free', reason: 'allowed' }),
      2,
      'flushed when the old root ends',
    );
    send('/another', edited);
    host.pass(1000);
    host.pass(1000);
    assert.equal(total(host, { api: 'petstore', plan: 'free', reason: 'allowed' }), 2);
    assert.equal(total(host, { api: 'another', plan: 'free', reason: 'allowed' }), 2);
    assert.equal(total(host, { reason: 'allowed' }), 4);
  });

  it('are complete when the last root of a policy ends before its next tick', () => {
    const host = openHost();
    host.request([...START, ['x-api-key', KEY]]);
    host.request([...START, ['x-api-key', 'no-such-key-at-all']]);
    assert.ok(host.load(JSON.stringify(pluginConfig(QUOTAS, { policy: 'other' }))));
    host.retireAllButNewest();
    assert.equal(total(host, { reason: 'allowed' }), 1);
    assert.equal(total(host, { reason: 'unknown_api_key' }), 1);
    assert.equal(total(host, { api: 'petstore', plan: 'free', reason: 'allowed' }), 1);
  });

  it('of a pair that is gone are never those of the pair that came after it', () => {
    const host = openHost();
    for (const name of ['orders', 'stock', 'orders']) {
      assert.ok(host.load(JSON.stringify(withApis([name]))), host.logs('error').join());
      host.retireAllButNewest();
      host.request([...START, ['x-api-key', KEY]]);
    }
    host.pass(1000);
    assert.equal(total(host, { api: 'orders', plan: 'free', reason: 'allowed' }), 2);
    assert.equal(total(host, { api: 'stock', plan: 'free', reason: 'allowed' }), 1);
    assert.equal(total(host, { api: 'petstore', plan: 'free', reason: 'allowed' }), 0);
  });

  it('are bounded: of 600 APIs 512 are counted apart, and requests of the others together', () => {
    const host = openHost();
    const names = Array.from({ length: 600 }, (_, i) => `api-${i}`);
    assert.ok(host.load(JSON.stringify(withApis(names))), host.logs('error').join());
    host.retireAllButNewest();
    for (const i of [0, 511, 512, 599]) {
      const headers: Pair[] = [
        [':authority', 'a.test'],
        [':path', i === 0 ? '/v1' : `/v1/${i}`],
        [':method', 'GET'],
      ];
      host.request(headers);
      assert.notEqual(host.request([...headers, ['x-api-key', KEY]]).upstream, null);
    }
    host.pass(1000);
    const counted = host.series('tollgate_requests_total', { reason: 'allowed' });
    assert.equal(counted.filter(({ labels }) => labels.api!.startsWith('api-') && labels.plan === 'free').length, 512);
    for (const api of ['api-0', 'api-511']) {
      assert.equal(total(host, { api, plan: 'free', reason: 'allowed' }), 1);
      assert.equal(total(host, { api, reason: 'missing_api_key' }), 1);
    }
    for (const reason of ['allowed', 'missing_api_key']) assert.equal(total(host, { api: '*', reason }), 2);
  });

  it('are defined a few at a time: one tick defines 64 series at most, and no count is lost', () => {
    const host = openHost();
    assert.ok(host.load(JSON.stringify(withApis(Array.from({ length: 300 }, (_, i) => `api-${i}`)))));
    host.retireAllButNewest();
    host.pass(1000);
    for (let i = 0; i < 300; i++)
      host.request([
        [':authority', 'a.test'],
        [':path', i === 0 ? '/v1' : `/v1/${i}`],
        [':method', 'GET'],
      ]);
    const shown = (): number => host.series('tollgate_requests_total', { reason: 'missing_api_key' }).length;
    let before = shown();
    for (let tick = 0; tick < 5; tick++) {
      host.tick();
      assert.ok(shown() - before <= 64, `${shown() - before} in one tick`);
      before = shown();
    }
    assert.equal(total(host, { reason: 'missing_api_key' }), 300);
  });

  it('name the quota that refused, or that could not be counted', () => {
    const host = new Host(module);
    const quotas = [
      { name: 'small', limit: 2, window: 'month' },
      { name: 'large', limit: 5, window: 'month' },
    ];
    const config = pluginConfig(quotas);
    assert.ok(host.load(JSON.stringify(config)), host.logs('error').join());
    for (let i = 0; i < 4; i++) host.request([...START, ['x-api-key', KEY]]);
    host.pass(1000);
    const labels = { api: 'petstore', plan: 'free', reason: 'quota_exceeded' };
    assert.deepEqual(host.series('tollgate_requests_total', labels), [
      { labels: { policy: 'petstore', ...labels, quota: 'small' }, value: 2 },
    ]);
    // an edit that changes the order of quotas counts for the right names
    const edited = pluginConfig([quotas[1]!, quotas[0]!]);
    assert.ok(host.load(JSON.stringify(edited)));
    host.request([...START, ['x-api-key', KEY]]);
    host.pass(1000);
    assert.equal(total(host, { ...labels, quota: 'small' }), 3);
    assert.equal(total(host, { ...labels, quota: 'large' }), 0);
  });

  it('tell apart an API "x" with a plan "y-plan-z" and an API "x-plan-y" with a plan "z", and names of any length', () => {
    const host = new Host(module);
    const long = 'n'.repeat(120);
    const config = pluginConfig([], { policy: `${long}-policy` });
    const plans = ['y-plan-z', 'z', `${long}-a`, `${long}-b`].map((name) => ({ name, quotas: [] }));
    const api = (name: string, path: string, plan: string) => ({ name, paths: [path], plans: [plan], routes: [] });
    const apis = [
      api('x', '/1', 'y-plan-z'),
      api('x-plan-y', '/2', 'z'),
      api(`${long}-api`, '/3', `${long}-a`),
      api(`${long}-apj`, '/4', `${long}-b`),
    ];
    const subscriptions = apis.map(({ name, plans: [plan] }) => ({ api: name, plan }));
    const [{ keys }] = config.consumers as [{ keys: unknown }];
    const consumers = [{ name: 'acme', subscriptions, keys }];
    assert.ok(host.load(JSON.stringify({ ...config, apis, plans, consumers })), host.logs('error').join());
    for (const path of ['/1', '/2', '/2', '/3', '/3', '/3', '/4', '/4', '/4', '/4']) {
      host.request([
        [':authority', 'a.test'],
        [':path', path],
        [':method', 'GET'],
        ['x-api-key', KEY],
      ]);
    }
    host.pass(1000);

    assert.deepEqual(
      apis.map(({ name }) => host.total('tollgate_requests_total', { api: name, reason: 'allowed' })),
      [1, 2, 3, 4],
    );
  });

  it('say which policy is in force, by module version and digest, until no VM has it any more', () => {
    const host = openHost();
    const [one, two] = ['1', '2'].map((digit) => JSON.stringify({ ...pluginConfig(QUOTAS), digest: digit.repeat(64) }));
    const shown = (): Record<string, number> =>
      Object.fromEntries(host.series('tollgate_info').map(({ labels, value }) => [labels.digest ?? '', value]));
    assert.ok(host.load(one!));
    assert.deepEqual(shown(), { '': 1, '111111111111': 1 });
    host.retireAllButNewest();
    host.pass(1000);
    assert.deepEqual(shown(), { '': 0, '111111111111': 1 });
    assert.ok(host.load(two!, { only: [0] }));
    host.retire(host.generations[0]!);
    host.pass(1000);
    assert.deepEqual(shown(), { '': 0, '111111111111': 0, '222222222222': 1 });
    const [first] = host.series('tollgate_info');
    assert.match(first?.labels.version ?? '', /^\d+\.\d+\.\d+/);
  });

  it('are those of the table, with its labels and no others', () => {
    const host = openHost();
    for (const key of [KEY, 'no-such-key-at-all'])
      for (let i = 0; i < 8; i++) host.request([...START, ['x-api-key', key]]);
    host.pass(1000);
    for (const [stat, { type }] of host.process.metrics.byName) {
      const parsed = parseStatName(stat);
      assert.ok(parsed, stat);
      const { labels, kind }: Metric = METRICS[parsed.name];
      for (const label of Object.keys(parsed.labels)) assert.ok(labels.includes(label as Label), stat);
      assert.equal(type, { counter: 0, gauge: 1 }[kind], stat);
      assert.equal(statName(parsed.name, parsed.labels), stat);
    }
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
    assert.equal(total(host, { reason: 'allowed' }) + total(host, { reason: 'quota_exceeded' }), 2000);
    assert.deepEqual(host.faults, []);
  });
});

function total(host: Host, labels: Partial<Record<Label, string>>): number {
  return host.total('tollgate_requests_total', { policy: 'petstore', ...labels });
}

/** APIs of these names, the first at the start's path and the others below it. */
function withApis(names: string[]): PluginConfig {
  const apis = names.map((name, i) => ({ name, paths: [i === 0 ? '/v1' : `/v1/${i}`], plans: ['free'], routes: [] }));
  return { ...pluginConfig(QUOTAS), apis };
}
