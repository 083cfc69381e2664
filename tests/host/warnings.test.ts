import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digest, pluginConfig, type PluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { Host } from '../../scripts/host/host.ts';
import { Timeline } from '../../scripts/host/process.ts';
import { decisionOf } from '../../scripts/host/openRequest.ts';

const module = loadModule(modulePath);
const START = Date.UTC(2026, 0, 15, 12);
const HOUR_MS = 3_600_000;
const PERCENTS = [50, 80, 95];
const CONSUMERS = ['acme', 'beta', 'gamma'];

function configWith(quotas: readonly object[], fields: Partial<PluginConfig> = {}): string {
  const plain = pluginConfig([]);
  return JSON.stringify({
    ...plain,
    plans: [{ name: 'free', quotas }],
    consumers: CONSUMERS.map((name) => ({ name, plan: 'free', keys: [{ id: name, digest: digest(`${name}-key`) }] })),
    ...fields,
  });
}

const QUOTA = { name: 'hourly', limit: 60, window: 'hour', warnAt: PERCENTS };

class Warned {
  readonly timeline = new Timeline(START);
  readonly host: Host;

  constructor(workers: number, config = configWith([QUOTA])) {
    this.host = new Host(module, { workers, timeline: this.timeline });
    this.load(config);
  }

  load(config: string): void {
    assert.ok(this.host.load(config), this.host.logs().join('\n'));
  }

  /** True when the request passes. */
  ask(consumer: string, worker = 0): boolean {
    const exchange = this.host.request(
      [
        [':authority', 'api.example.com'],
        [':path', '/v1/pets'],
        [':method', 'GET'],
        [':scheme', 'https'],
        ['x-api-key', `${consumer}-key`],
      ],
      { worker },
    );
    return decisionOf(exchange)?.reason === 'allowed';
  }

  /** What the metric has counted, by percentage, after the next tick. */
  counts(quota = 'hourly'): Record<string, number> {
    this.host.pass(1000);
    const series = this.host.series('tollgate_quota_warnings_total', { plan: 'free', quota });
    return Object.fromEntries(series.map(({ labels, value }) => [labels.percent ?? '', value]));
  }
}

describe('percentages of a limit', () => {
  it('are counted with the request that reaches them, once in each window', () => {
    const warned = new Warned(1);
    for (let i = 0; i < 29; i++) assert.ok(warned.ask('acme'));
    assert.deepEqual(warned.counts(), {});
    assert.ok(warned.ask('acme'));
    assert.deepEqual(warned.counts(), { 50: 1 });
    for (let i = 30; i < 60; i++) assert.ok(warned.ask('acme'));
    assert.deepEqual(warned.counts(), { 50: 1, 80: 1, 95: 1 });
    for (let i = 0; i < 30; i++) assert.ok(!warned.ask('acme'));
    assert.deepEqual(warned.counts(), { 50: 1, 80: 1, 95: 1 });
    warned.host.pass(HOUR_MS);
    for (let i = 0; i < 30; i++) assert.ok(warned.ask('acme'));
    assert.deepEqual(warned.counts(), { 50: 2, 80: 1, 95: 1 });
  });

  for (const workers of [1, 2, 4]) {
    for (const seed of [1, 2, 3]) {
      it(`are counted once for each consumer and window over ${workers} workers, whatever comes back (seed ${seed})`, () => {
        const random = new Random(seed);
        const warned = new Warned(workers);
        const windows = 3;
        for (let window = 0; window < windows; window++) {
          const passed = new Map(CONSUMERS.map((consumer) => [consumer, 0]));
          for (let round = 0; round < 4000 && [...passed.values()].some((count) => count < QUOTA.limit); round++) {
            const consumer = random.pick(CONSUMERS);
            if (warned.ask(consumer, random.below(workers))) passed.set(consumer, passed.get(consumer)! + 1);
            // Leases that are not spent go back meanwhile, so the same units are taken again.
            if (random.chance(0.1)) warned.host.pass(random.below(1500));
            if (random.chance(0.02)) warned.load(configWith([QUOTA], { realm: `edit-${round}` }));
          }
          assert.deepEqual([...passed.values()], [60, 60, 60]);
          const once = CONSUMERS.length * (window + 1);
          assert.deepEqual(warned.counts(), { 50: once, 80: once, 95: once });
          warned.host.pass(HOUR_MS - ((warned.timeline.clock.wallMs - START) % HOUR_MS));
        }
        assert.deepEqual(warned.host.faults, []);
      });
    }
  }

  it('are counted on by a VM that has forgotten what it has seen, and by one that comes anew', () => {
    const warned = new Warned(1);
    for (let i = 0; i < 50; i++) warned.ask('acme');
    // Idle balances are forgotten after a minute.
    warned.host.pass(120_000);
    assert.ok(warned.ask('acme'));
    assert.deepEqual(warned.counts(), { 50: 1, 80: 1 });
  });

  it('are counted as of a limit that is lowered, and not again when it is raised', () => {
    const warned = new Warned(1);
    for (let i = 0; i < 20; i++) warned.ask('acme');
    assert.deepEqual(warned.counts(), {});
    warned.load(configWith([{ ...QUOTA, limit: 40 }]));
    warned.ask('acme');
    assert.deepEqual(warned.counts(), { 50: 1 });
    warned.load(configWith([QUOTA]));
    for (let i = 21; i < 40; i++) warned.ask('acme');
    assert.deepEqual(warned.counts(), { 50: 1 });
  });

  it('are counted for what is charged by a request that costs more', () => {
    const apis = pluginConfig([]).apis.map((api) => ({ ...api, operations: [{ name: 'o', path: '/pets', cost: 58 }] }));
    const warned = new Warned(1, configWith([QUOTA], { apis }));
    assert.ok(warned.ask('acme'));
    assert.deepEqual(warned.counts(), { 50: 1, 80: 1, 95: 1 });
  });

  it('are counted without headers, and not for what is only observed', () => {
    const warned = new Warned(
      1,
      configWith([QUOTA, { ...QUOTA, name: 'other', mode: 'observe' }], { rateLimitHeaders: 'none' }),
    );
    for (let i = 0; i < 60; i++) warned.ask('acme');
    assert.deepEqual(warned.counts(), { 50: 1, 80: 1, 95: 1 });
    assert.deepEqual(warned.counts('other'), {});
  });

  it('of more quotas than are counted by themselves are counted together', () => {
    const plans = Array.from({ length: 1030 }, (_, i) => ({ name: `p${i}`, quotas: [QUOTA] }));
    const config = configWith([QUOTA], {
      plans: [...plans, { name: 'free', quotas: [QUOTA] }],
    });
    const warned = new Warned(1, config);
    for (let i = 0; i < 30; i++) warned.ask('acme');
    warned.host.pass(1000);
    assert.deepEqual(
      warned.host.series('tollgate_quota_warnings_total').map(({ labels, value }) => ({ ...labels, value })),
      [{ policy: 'petstore', plan: '*', quota: '*', percent: '*', value: 1 }],
    );
  });
});
