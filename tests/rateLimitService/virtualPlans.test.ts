import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import { meshConfig, type MeshQuota } from '../../harness/rateLimitService/meshPolicy.ts';
import { decisionOf } from '../../scripts/host/openRequest.ts';
import { logNormal } from './virtualRateLimitService.ts';
import { VirtualMesh, type VirtualMeshOptions } from './virtualMesh.ts';

const LIMITS = { free: 60, gold: 200 };
type PlanName = keyof typeof LIMITS;
const PLANS = Object.keys(LIMITS) as PlanName[];
const WINDOW = 'hour';
const WORKERS = 2;

/** Two plans with a quota of the same name; acme has the given one on every API. */
function config(plan: PlanName): PluginConfig {
  const plain = meshConfig([], { timeoutMs: 100 });
  return {
    ...plain,
    apis: plain.apis.map((api) => ({ ...api, plans: PLANS })),
    plans: PLANS.map((name) => ({ name, quotas: [quotaOf(LIMITS[name])] })),
    consumers: plain.consumers.map((consumer) => ({ ...consumer, plan })),
  };
}

function quotaOf(limit: number): MeshQuota & { scope: 'mesh' } {
  return { name: 'q', limit, window: WINDOW, scope: 'mesh' };
}

/** A mesh that counts what passes, by the plan that the module decided by. */
class PlanMesh {
  readonly mesh: VirtualMesh;
  readonly passed: Record<PlanName, number> = { free: 0, gold: 0 };

  constructor(
    readonly random: Random,
    options: Partial<VirtualMeshOptions> = {},
  ) {
    const quotas = [quotaOf(LIMITS.gold)];
    this.mesh = new VirtualMesh({ envoys: 4, quotas, latencyMs: logNormal(random, 3, 0.7, 40), ...options });
    this.put('free');
  }

  put(plan: PlanName): void {
    this.mesh.load(config(plan));
  }

  get total(): number {
    return this.passed.free + this.passed.gold;
  }

  /** Units that the service has counted and nobody may spend. */
  get dropped(): number {
    return this.mesh.rateLimitService.model.counted('quota=q ') - this.total;
  }

  ask(envoy = this.random.below(this.mesh.hosts.length), worker = this.random.below(WORKERS)): void {
    this.mesh.ask(envoy, worker, 'acme', (reason, { exchange }) => {
      if (reason !== 'allowed') return;
      this.passed[decisionOf(exchange!)!.plan as PlanName]++;
      this.check();
    });
  }

  /** A plan's requests never exceed its limit, nor all together the highest. */
  check(): void {
    assert.ok(this.passed.free <= LIMITS.free && this.total <= LIMITS.gold, JSON.stringify(this.passed));
  }

  run(requests: number): void {
    for (let i = 0; i < requests; i++) {
      this.ask();
      if (this.random.chance(0.5)) this.mesh.pass(this.random.next() * 6);
    }
  }

  /** Requests at every worker of every Envoy until none has passed for over half a minute. */
  drain(): void {
    for (let quiet = 0; quiet < 42;) {
      const before = this.total;
      for (let envoy = 0; envoy < this.mesh.hosts.length; envoy++)
        for (let worker = 0; worker < WORKERS; worker++) this.ask(envoy, worker);
      this.mesh.pass(1000);
      quiet = this.total === before ? quiet + 1 : 0;
    }
  }

  nextWindow(): void {
    const hourMs = 3_600_000;
    this.mesh.timeline.clock.jump((Math.floor(this.mesh.timeline.clock.wallMs / hourMs) + 1) * hourMs - 1000);
    this.mesh.pass(3000);
    this.passed.free = this.passed.gold = 0;
  }
}

describe('a consumer whose plan changes, over four Envoys in virtual time', () => {
  for (const seed of [1, 2, 3]) {
    it(`takes along what it has used, to the higher plan and back (seed ${seed})`, (t) => {
      const plans = new PlanMesh(new Random(seed));
      plans.run(200);
      plans.drain();
      assert.deepEqual(plans.passed, { free: LIMITS.free, gold: 0 });
      const { dropped } = plans;
      plans.put('gold');
      plans.run(400);
      plans.drain();
      t.diagnostic(`${plans.total} of ${LIMITS.gold} passed, ${dropped} dropped by the lower limit`);
      assert.equal(
        plans.total,
        LIMITS.gold - dropped,
        'what the lower limit dropped, and nothing else, is lost to the higher',
      );
      assert.ok(dropped <= 4 * 2, `${dropped} units for four Envoys`);
      plans.put('free');
      plans.run(100);
      plans.drain();
      plans.put('gold');
      plans.drain();
      assert.equal(plans.total, LIMITS.gold - dropped, 'nothing more passes');
      plans.nextWindow();
      plans.put('free');
      plans.run(200);
      plans.drain();
      assert.deepEqual(plans.passed, { free: LIMITS.free, gold: 0 });
      plans.mesh.assertSound();
    });

    it(`has the higher limit to the last unit when the lower was not used up (seed ${seed})`, () => {
      const plans = new PlanMesh(new Random(seed * 7));
      while (plans.total < LIMITS.free / 2) plans.run(1);
      plans.put('gold');
      plans.run(400);
      plans.drain();
      assert.equal(plans.total, LIMITS.gold);
      plans.mesh.assertSound();
    });

    it(`spends under the lower limit nothing that the higher was granted, and has it later (seed ${seed})`, () => {
      const plans = new PlanMesh(new Random(seed * 11));
      plans.put('gold');
      while (plans.total < LIMITS.free + 40) plans.run(1);
      plans.mesh.pass(3000);
      const before = plans.total;
      plans.put('free');
      plans.run(200);
      plans.mesh.pass(60_000);
      plans.run(200);
      plans.drain();
      assert.equal(plans.total, before, 'nothing passes');
      plans.put('gold');
      plans.run(400);
      plans.drain();
      assert.equal(plans.total, LIMITS.gold, 'what was held is spent');
      plans.mesh.assertSound();
    });

    it(`keeps both limits while edits come in the middle of calls (seed ${seed})`, (t) => {
      const random = new Random(seed * 13);
      const plans = new PlanMesh(random, { latencyMs: () => random.below(40) });
      for (let i = 0; i < 700; i++) {
        plans.ask();
        if (random.chance(0.08)) plans.put(random.pick(PLANS));
        if (random.chance(0.03)) random.pick(plans.mesh.hosts).retireAllButNewest();
        plans.mesh.pass(random.below(25));
      }
      plans.put('gold');
      plans.drain();
      // Calls whose root was retired are never answered, and their units are lost.
      t.diagnostic(`${JSON.stringify(plans.passed)}, ${plans.dropped} lost`);
      assert.ok(plans.total >= LIMITS.gold * 0.7, `${plans.total} passed`);
      plans.mesh.assertSound();
    });
  }

  it('has two limits on one counter where two APIs offer two plans', () => {
    const random = new Random(5);
    const plans = new PlanMesh(random);
    const plain = config('free');
    plans.mesh.load({
      ...plain,
      apis: [...plain.apis, ...plain.apis.map((api) => ({ ...api, name: 'orders', paths: ['/orders'] }))],
      consumers: plain.consumers.map(({ name, keys }) => ({
        name,
        keys,
        subscriptions: [
          { api: 'petstore', plan: 'free' },
          { api: 'orders', plan: 'gold' },
        ],
      })),
    });
    const { mesh } = plans;
    const passed = { free: 0, gold: 0 };
    const send = (plan: PlanName): void => {
      mesh.ask(
        random.below(4),
        random.below(WORKERS),
        'acme',
        (reason) => {
          if (reason === 'allowed') passed[plan]++;
          assert.ok(passed.free <= LIMITS.free && passed.free + passed.gold <= LIMITS.gold, JSON.stringify(passed));
        },
        plan === 'free' ? '/v1/pets' : '/orders',
      );
    };
    for (let i = 0; i < 1500; i++) {
      send(random.pick(PLANS));
      mesh.pass(random.next() * 40);
    }
    for (let round = 0; round < 40; round++) {
      for (const plan of PLANS) send(plan);
      mesh.pass(1000);
    }
    const dropped = mesh.rateLimitService.model.counted('quota=q ') - passed.free - passed.gold;
    assert.ok(
      passed.free > 0 && passed.free + passed.gold >= LIMITS.gold - 8,
      `${JSON.stringify(passed)}, ${dropped} dropped`,
    );
    mesh.assertSound();
  });
});

describe('a limit that is used up', () => {
  const HOUR_MS = 3_600_000;

  /** Four Envoys whose callers go on for an hour; the units that the service has counted above the limit. */
  function hammered(countsPeeks: boolean): { above: number; looks: number } {
    const random = new Random(3);
    const mesh = new VirtualMesh({ envoys: 4, quotas: [quotaOf(LIMITS.free)], startMs: Date.UTC(2026, 0, 15, 12) });
    mesh.rateLimitService.model.countsPeeks = countsPeeks;
    for (let i = 0; i < 400; i++) {
      mesh.ask(random.below(4), random.below(WORKERS));
      mesh.pass(5);
    }
    const before = mesh.rateLimitService.calls.length;
    while (mesh.timeline.clock.wallMs < Date.UTC(2026, 0, 15, 12) + HOUR_MS - 60_000) {
      for (let envoy = 0; envoy < 4; envoy++) mesh.ask(envoy, random.below(WORKERS));
      mesh.pass(2000);
    }
    assert.equal(mesh.allowed, LIMITS.free);
    mesh.assertSound();
    return {
      above: mesh.rateLimitService.model.counted('quota=q ') - LIMITS.free,
      looks: mesh.rateLimitService.calls.length - before,
    };
  }

  it('is looked at every half minute by each Envoy, which counts nothing', () => {
    const { above, looks } = hammered(false);
    assert.ok(looks >= 4 * 80 && looks <= 4 * 125, `${looks} looks`);
    assert.ok(above <= 4 * 2, `${above} units above the limit`);
  });

  it('costs a unit for each look where the service counts them', () => {
    const { above, looks } = hammered(true);
    assert.ok(above >= looks && above <= looks + 8, `${above} units above the limit, ${looks} looks`);
  });

  it('is found again within a minute when the service has lost its counts, and by all Envoys exactly', () => {
    const plans = new PlanMesh(new Random(8));
    plans.run(200);
    plans.drain();
    assert.equal(plans.total, LIMITS.free);
    plans.mesh.rateLimitService.model.forget();
    plans.passed.free = 0;
    plans.drain();
    assert.equal(plans.passed.free, LIMITS.free);
    plans.mesh.assertSound();
  });
});
