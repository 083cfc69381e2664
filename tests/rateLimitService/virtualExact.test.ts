import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../harness/random.ts';
import type { MeshQuota } from '../../harness/rateLimitService/meshPolicy.ts';
import { logNormal } from './virtualRateLimitService.ts';
import { VirtualMesh, type VirtualMeshOptions } from './virtualMesh.ts';

function open(
  seed: number,
  quotas: MeshQuota[],
  options: Partial<VirtualMeshOptions> = {},
): { mesh: VirtualMesh; random: Random } {
  const random = new Random(seed);
  return { mesh: new VirtualMesh({ envoys: 4, quotas, latencyMs: logNormal(random, 3, 0.7, 40), ...options }), random };
}

/** Requests at every worker of every Envoy until none has passed for half a minute. */
function drain(mesh: VirtualMesh): void {
  for (let quiet = 0; quiet < 35;) {
    const before = mesh.allowed;
    for (let envoy = 0; envoy < mesh.hosts.length; envoy++)
      for (let worker = 0; worker < 2; worker++) mesh.ask(envoy, worker);
    mesh.pass(1000);
    quiet = mesh.allowed === before ? quiet + 1 : 0;
  }
}

describe('a quota over four Envoys in virtual time', () => {
  for (const [limit, seed] of [
    [1, 1],
    [10, 2],
    [100, 3],
    [5000, 4],
    [20_000, 5],
  ] as const) {
    it(`allows exactly ${limit} when one Envoy has nine tenths of the load (seed ${seed})`, () => {
      const { mesh, random } = open(seed, [{ name: 'q', limit, window: 'hour' }]);
      while (mesh.sent < Math.max(2000, limit * 1.2)) {
        mesh.ask(random.chance(0.9) ? 0 : 1 + random.below(3), random.below(2));
        if (random.chance(0.5)) mesh.pass(random.next() * 3);
        assert.ok(mesh.allowed <= limit, `${mesh.allowed} allowed of ${limit}`);
      }
      drain(mesh);
      assert.equal(mesh.allowed, limit);
      mesh.assertSound();
    });
  }

  for (const [window, days] of [
    ['7d', 7],
    ['30d', 30],
    ['365d', 365],
  ] as const) {
    it(`allows exactly the limit in each ${window}, which ends where it does at the service`, () => {
      const lengthMs = days * 86_400_000;
      const endsMs = Math.ceil(Date.UTC(2026, 0, 15) / lengthMs) * lengthMs;
      const limit = 60;
      const { mesh, random } = open(days, [{ name: 'q', limit, window }], { startMs: endsMs - 60_000 });
      const use = (): number => {
        const before = mesh.allowed;
        for (let i = 0; i < 150; i++) {
          mesh.ask(random.below(4), random.below(2));
          mesh.pass(random.next() * 20);
        }
        drain(mesh);
        return mesh.allowed - before;
      };
      assert.equal(use(), limit);
      mesh.pass(Math.max(0, endsMs + 1000 - mesh.rateLimitService.nowMs));
      assert.equal(use(), limit);
      mesh.assertSound();
    });
  }

  it('allows no more than the limit in each minute, and no lease outlives its minute', () => {
    for (const [seed, aheadMs] of [
      [1, 0],
      [2, 0],
      [3, 700],
      [4, -700],
    ] as const) {
      const limit = 300;
      const { mesh, random } = open(seed, [{ name: 'q', limit, window: 'minute' }], {
        startMs: Date.UTC(2026, 0, 15, 12, 10, 57),
        serviceAheadMs: aheadMs,
      });
      const byWindow = new Map<number, number>();
      while (mesh.timeline.clock.elapsed < 130_000) {
        mesh.ask(random.below(4), random.below(2), 'acme', (reason) => {
          const window = Math.floor(mesh.rateLimitService.nowMs / 60_000);
          if (reason === 'allowed') byWindow.set(window, (byWindow.get(window) ?? 0) + 1);
        });
        mesh.pass(random.next() * 30);
      }
      mesh.pass(2000);
      // Until answers have shown that the clocks differ, a worker may use a unit for so long after its window.
      const slack = aheadMs === 0 ? 0 : 8;
      for (const [window, allowed] of byWindow)
        assert.ok(allowed <= limit + slack, `${allowed} in minute ${window}, clock ${aheadMs} ms ahead`);
      const whole = [...byWindow.values()].slice(1, -1);
      assert.equal(whole.length, 2, 'two whole minutes');
      for (const allowed of whole)
        assert.ok(allowed >= limit * 0.95, `only ${allowed} of ${limit}, clock ${aheadMs} ms ahead`);
      mesh.assertSound();
    }
  });

  it('gives every consumer and quota a counter of its own, and spends all quotas or none', () => {
    const quotas: MeshQuota[] = [
      { name: 'small', limit: 40, window: 'minute' },
      { name: 'large', limit: 100, window: 'day' },
    ];
    const { mesh, random } = open(9, quotas, { consumers: ['acme', 'beta'], envoys: 2 });
    const passed: Record<string, number> = { acme: 0, beta: 0 };
    for (let minute = 0; minute < 5; minute++) {
      for (let i = 0; i < 300; i++) {
        const consumer = random.pick(['acme', 'beta']);
        mesh.ask(random.below(2), random.below(2), consumer, (reason) => {
          if (reason === 'allowed') passed[consumer]!++;
        });
        mesh.pass(random.next() * 100);
      }
      for (const count of Object.values(passed))
        assert.ok(count <= Math.min(100, 40 * (minute + 1)), `${count} after minute ${minute}`);
      mesh.pass(60_000 - (mesh.timeline.clock.wallMs % 60_000));
    }
    for (const [consumer, count] of Object.entries(passed))
      assert.ok(count >= 90 && count <= 100, `${consumer}: ${count}`);
    mesh.assertSound();
  });

  it('makes few requests wait and few calls at a steady rate', (t) => {
    const { mesh } = open(3, [{ name: 'q', limit: 100_000, window: 'minute' }], { envoys: 4 });
    const run = (requests: number): void => {
      for (let i = 0; i < requests; i++) {
        mesh.ask(i % 4, (i >> 2) % 2);
        mesh.pass(1);
      }
    };
    run(3000);
    const [waited, calls] = [mesh.waited, mesh.rateLimitService.calls.length];
    run(20_000);
    t.diagnostic(
      `of 20,000 requests ${mesh.waited - waited} waited, ${mesh.rateLimitService.calls.length - calls} calls; ${waited} and ${calls} in the 3,000 before`,
    );
    assert.ok(mesh.waited - waited <= 200, `${mesh.waited - waited} waited`);
    assert.ok(mesh.rateLimitService.calls.length - calls <= 400, `${mesh.rateLimitService.calls.length - calls} calls`);
    assert.equal(mesh.allowed, mesh.sent);
    mesh.assertSound();
  });
});
