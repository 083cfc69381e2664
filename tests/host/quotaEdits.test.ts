import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pluginConfig } from '../../harness/config.ts';
import { Host } from '../../scripts/host/host.ts';
import { ask, drain, module, openHost, request, SEEDS, SETTLE_MS, START_MS } from './quotaHost.ts';
import { Random } from '../../harness/random.ts';

describe('quotas under races and edits', () => {
  it('stay exact when every other write to shared data loses its race', () => {
    const host = openHost(2, [
      { name: 'q', limit: 100, window: 'hour' },
      { name: 'b', limit: 1000, window: 'second', burst: 500 },
    ]);
    let races = 0;
    let writes = 0;
    host.process.sharedData.beforeSet = (key, shared) => {
      if (++writes % 2 === 0) return;
      const entry = shared.get(key);
      if (entry === undefined) return;
      races++;
      shared.set(key, entry.value, 0);
    };
    let passed = 0;
    for (let i = 0; i < 400; i++) if (ask(host, i % 2)) passed++;
    host.process.sharedData.beforeSet = undefined;
    passed += drain(host);
    assert.ok(races > 20, `${races} races`);
    assert.equal(passed, 100);
    assert.deepEqual(host.faults, []);
  });

  it('see what another process thread charged between a read and a write', () => {
    const host = openHost(2, [{ name: 'q', limit: 30, window: 'hour' }]);
    let passed = 0;
    let inner = 0;
    host.process.sharedData.beforeSet = () => {
      // Another worker wins the race with a request of its own.
      if (ask(host, 1)) inner++;
    };
    for (let i = 0; i < 40; i++) if (ask(host, 0)) passed++;
    host.process.sharedData.beforeSet = undefined;
    passed += drain(host);
    assert.equal(passed + inner, 30);
    assert.ok(inner > 0);
  });

  it('refuse with quota_unavailable, not by a trap, when the race is never won', () => {
    const host = openHost(1, [{ name: 'q', limit: 30, window: 'hour' }]);
    host.process.sharedData.beforeSet = (key, shared) => {
      const entry = shared.get(key);
      if (entry !== undefined) shared.set(key, entry.value, 0);
    };
    const { response, filterState } = host.request(request(0));
    assert.equal(response.first(':status'), '503');
    assert.match(filterState.get('wasm.tollgate') ?? '', /^reason=quota_unavailable/);
    host.process.sharedData.beforeSet = undefined;
    assert.equal(drain(host), 30);
    assert.deepEqual(host.faults, []);
  });

  for (const seed of SEEDS) {
    it(`keep counting through edits with old and new root side by side (seed ${seed})`, () => {
      const random = new Random(seed * 13);
      const limit = 600;
      const config = (edit: number): string => {
        const routes = edit === 0 ? [] : [{ name: `edit-${edit}`, methods: ['GET'] }];
        return JSON.stringify(
          pluginConfig([{ name: 'q', limit, window: 'hour' }], { routes, consumers: 1 + (edit % 3) }),
        );
      };
      const host = new Host(module, { workers: 2, startMs: START_MS });
      assert.ok(host.load(config(0)));
      let passed = 0;
      let edits = 0;
      for (let i = 0; i < 2500; i++) {
        if (random.chance(0.004) && edits < 10) {
          const generation = host.load(config(++edits), { only: [random.below(2)] });
          assert.ok(generation, host.logs('error').join());
          // Workers take a configuration at moments of their own.
          if (random.chance(0.7)) host.rollOut(generation);
        }
        if (random.chance(0.1)) host.pass(random.pick([1, 30, 260]));
        const worker = random.below(2);
        const serving = host.generations.filter((candidate) => candidate.roots.has(host.workers[worker]!));
        if (ask(host, worker, 0, random.pick(serving))) passed++;
        if (random.chance(0.01) && host.generations.length > 2) retireOldest(host);
        assert.ok(passed <= limit, `${passed} passed of ${limit}`);
      }
      host.rollOut(host.newest!);
      host.retireAllButNewest();
      passed += drain(host);
      assert.ok(edits > 3, `${edits} edits`);
      assert.equal(passed, limit);
      assert.deepEqual(host.faults, []);
    });
  }

  it('keep what was used when a root is retired with a lease in hand', () => {
    const host = openHost(1, [{ name: 'q', limit: 500, window: 'hour' }]);
    let passed = 0;
    for (let i = 0; i < 200; i++) {
      host.pass(0.1);
      if (ask(host, 0)) passed++;
    }
    const routes = [{ name: 'later', methods: ['GET'] }];
    assert.ok(host.load(JSON.stringify(pluginConfig([{ name: 'q', limit: 500, window: 'hour' }], { routes }))));
    host.retireAllButNewest();
    passed += drain(host);
    assert.equal(passed, 500);
  });

  it('lose at most the lease of a VM that is lost, and allow none twice', () => {
    const host = openHost(2, [{ name: 'q', limit: 1000, window: 'hour' }]);
    let passed = 0;
    for (let i = 0; i < 300; i++) {
      host.pass(0.2);
      if (ask(host, i % 2)) passed++;
    }
    // Worker 1 is gone for good; only worker 0 asks from here on.
    for (let round = 0; round < 20; round++) {
      while (ask(host, 0)) passed++;
      host.workers.splice(1);
      host.pass(SETTLE_MS);
    }
    assert.ok(passed <= 1000, `${passed} passed`);
    assert.ok(passed > 1000 * (1 - 1 / 8), `${passed} passed`);
  });

  it('keep two policies apart in one VM and one shared data', () => {
    const host = new Host(module, { workers: 2, startMs: START_MS });
    const quotas = [{ name: 'q', limit: 10, window: 'hour' }];
    const first = host.load(JSON.stringify(pluginConfig(quotas, { policy: 'first' })));
    const second = host.load(JSON.stringify(pluginConfig(quotas, { policy: 'second' })));
    assert.ok(first && second);
    for (const generation of [first, second]) {
      let passed = 0;
      for (let i = 0; i < 40; i++) if (ask(host, i % 2, 0, generation)) passed++;
      assert.equal(passed, 10);
    }
  });

  it('let an old configuration serve on when a new one is refused', () => {
    const host = openHost(2, [{ name: 'q', limit: 10, window: 'hour' }]);
    assert.ok(ask(host, 0));
    assert.equal(host.load('{"version":2}'), null);
    let passed = 1;
    for (let i = 0; i < 40; i++) if (ask(host, i % 2)) passed++;
    passed += drain(host);
    assert.equal(passed, 10);
    assert.deepEqual(host.faults, []);
  });

  it('keep the set of shared data keys fixed, whatever is asked', () => {
    const host = openHost(
      2,
      [
        { name: 'q', limit: 1000, window: 'second' },
        { name: 'api', limit: 1000, window: 'month', per: 'api' },
      ],
      300,
    );
    const before = host.process.sharedData.keys().sort();
    for (let i = 0; i < 2000; i++) {
      ask(host, i % 2, i % 300);
      if (i % 100 === 0) host.pass(1500);
    }
    assert.deepEqual(host.process.sharedData.keys().sort(), before);
  });
});

/** The oldest configuration drains once every worker has a newer one. */
function retireOldest(host: Host): void {
  host.rollOut(host.generations[1]!);
  host.retire(host.generations[0]!);
}
