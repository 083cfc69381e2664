import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { meterOf } from '../../harness/count/meter.ts';
import type { OpenRequest } from '../../scripts/host/openRequest.ts';
import { Random } from '../../harness/random.ts';
import { meshConfig, type MeshQuota } from '../../harness/rateLimitService/meshPolicy.ts';
import { logNormal } from './virtualRateLimitService.ts';
import { VirtualMesh, type VirtualMeshOptions } from './virtualMesh.ts';

/** The most that may wait in one VM. */
const HOUSE = 1024;
const MANY = Array.from({ length: 3000 }, (_, i) => `c${i}`);

function open(limit: number, options: Partial<VirtualMeshOptions> = {}): VirtualMesh {
  return new VirtualMesh({
    envoys: 1,
    workers: 1,
    quotas: [{ name: 'q', limit, window: 'hour' }],
    timeoutMs: 100,
    ...options,
  });
}

function memoryOf(mesh: VirtualMesh): number {
  return mesh.hosts[0]!.workers[0]!.memory.byteLength;
}

describe('a storm of requests that wait', () => {
  it('is answered a few at a time, within the limit, when one caller sends it', () => {
    for (const [count, limit] of [
      [400, 10],
      [900, 10],
      [900, 500],
      [5000, 100],
    ] as const) {
      const mesh = open(limit);
      for (let i = 0; i < count; i++) mesh.ask(0);
      mesh.pass(1000);
      mesh.assertSound();
      const { allowed = 0, quota_exceeded = 0, too_many_waiting = 0 } = mesh.outcomes;
      assert.equal(allowed + quota_exceeded + too_many_waiting, count, JSON.stringify(mesh.outcomes));
      assert.ok(allowed <= limit && allowed >= Math.min(limit, 10), `${allowed} of ${limit}`);
    }
  });

  it('is answered a few at a time when the service freezes meanwhile', () => {
    const mesh = open(100_000, { latencyMs: () => 20 });
    for (let i = 0; i < 300; i++) mesh.ask(0);
    mesh.rateLimitService.fault = () => null;
    mesh.pass(19);
    for (let i = 0; i < 700; i++) mesh.ask(0, 0, 'acme');
    mesh.pass(3000);
    mesh.assertSound();
  });

  it('leaves room for others: one caller fills half of the free places at most, and gets too_many_waiting', () => {
    const mesh = open(100_000, { consumers: MANY, latencyMs: () => 50 });
    const details: string[] = [];
    for (let i = 0; i < 2000; i++) {
      const request = mesh.ask(0, 0, 'c0');
      if (request.exchange !== null)
        details.push(
          `${request.exchange.response.first(':status')} ${request.exchange.response.first('retry-after')} ${/"reason":"(\w+)"/.exec(request.exchange.body)?.[1]}`,
        );
    }
    assert.ok(mesh.paused.size < HOUSE / 2, `${mesh.paused.size} wait`);
    assert.deepEqual([...new Set(details)], ['503 1 too_many_waiting']);
    for (let i = 1; i < 100; i++) assert.ok(mesh.ask(0, 0, `c${i}`).paused, `c${i} may wait`);
    mesh.pass(2000);
    mesh.assertSound();
    assert.equal(mesh.outcome('quota_exceeded') + mesh.outcome('quota_unavailable'), 0);
  });

  it('delays no request that finds units, however many wait', () => {
    const mesh = open(100_000, { consumers: MANY });
    for (let i = 0; i < 400; i++) {
      mesh.ask(0, 0, 'c0');
      mesh.pass(1);
    }
    assert.equal(mesh.allowed, 400);
    mesh.rateLimitService.fault = () => null;
    for (let i = 1; i < 3000; i++) mesh.ask(0, 0, `c${i}`);
    assert.ok(mesh.paused.size > HOUSE * 0.9, `${mesh.paused.size} wait`);
    let passed = 0;
    for (let i = 0; i < 10; i++) if (mesh.ask(0, 0, 'c0').exchange?.details === 'via_upstream') passed++;
    assert.equal(passed, 10, 'units in hand are spent');
    mesh.pass(2000);
    mesh.assertSound();
  });

  it('from very many callers shares calls, and all are served when the service answers in time', (t) => {
    const mesh = open(100_000, { consumers: MANY, latencyMs: () => 10 });
    const before = memoryOf(mesh);
    for (let i = 0; i < 1000; i++) mesh.ask(0, 0, `c${i}`);
    mesh.pass(500);
    mesh.assertSound();
    assert.deepEqual(mesh.outcomes, { allowed: 1000 });
    t.diagnostic(
      `${mesh.rateLimitService.calls.length} calls for 1000 callers, the longest wait ${mesh.longestWaitMs} ms, ${memoryOf(mesh) - before} bytes more`,
    );
    assert.ok(mesh.rateLimitService.calls.length <= 100, `${mesh.rateLimitService.calls.length} calls`);
    assert.ok(mesh.longestWaitMs <= 80, `${mesh.longestWaitMs} ms`);
    assert.ok(memoryOf(mesh) - before <= 1 << 20, 'a mebibyte at most');
  });

  it('of many callers one after the other is served by a slow service too', (t) => {
    const mesh = open(100_000, { consumers: MANY, latencyMs: () => 900, timeoutMs: 1000 });
    for (let i = 0; i < 2500; i++) {
      mesh.ask(0, 0, `c${i}`);
      mesh.pass(3.2);
    }
    mesh.pass(2000);
    mesh.assertSound();
    t.diagnostic(
      `${JSON.stringify(mesh.outcomes)}, ${mesh.rateLimitService.calls.length} calls, the longest wait ${mesh.longestWaitMs} ms`,
    );
    assert.deepEqual(mesh.outcomes, { allowed: 2500 });
  });

  it('does bounded work in each callback', (t) => {
    const mesh = open(1_000_000, { consumers: MANY, latencyMs: () => 30 });
    const vm = mesh.hosts[0]!.workers[0]!;
    const meter = meterOf(vm);
    const most: Record<string, number> = {};
    const call = vm.call.bind(vm);
    // What a callback defers enters the VM by itself, and is counted by itself.
    vm.call = (context, name, ...args) => {
      const before = meter.hostCalls;
      let during = 0;
      const defer = vm.defer.bind(vm);
      vm.defer = (effect) =>
        defer(() => {
          during ||= meter.hostCalls - before;
          effect();
        });
      const result = call(context, name, ...args);
      vm.defer = defer;
      most[name] = Math.max(most[name] ?? 0, during || meter.hostCalls - before);
      return result;
    };
    for (let i = 0; i < 3000; i++) mesh.ask(0, 0, `c${i}`);
    mesh.pass(2000);
    mesh.assertSound();
    t.diagnostic(`host calls of one callback at most: ${JSON.stringify(most)}`);
    for (const [name, count] of Object.entries(most)) assert.ok(count <= 500, `${name}: ${count} host calls`);
  });

  it('survives resets at every moment, and edits, answers and replies of the host among them', () => {
    for (const [seed, workers] of [
      [1, 1],
      [2, 2],
      [3, 8],
    ] as const) {
      const random = new Random(seed);
      const quotas: MeshQuota[] = [
        { name: 'q', limit: 50, window: 'second' },
        { name: 'hourly', limit: 5000, window: 'hour' },
      ];
      const mesh = new VirtualMesh({
        envoys: 1,
        workers,
        quotas,
        latencyMs: logNormal(random, 3, 1, 200),
        consumers: ['acme', 'beta', 'gamma'],
        timeoutMs: 100,
      });
      const waiting: OpenRequest[] = [];
      for (let i = 0; i < 4000; i++) {
        const request = mesh.ask(0, random.below(workers), random.pick(['acme', 'beta', 'gamma']));
        if (request.paused) waiting.push(request);
        if (random.chance(0.4) && waiting.length > 0) {
          const [one] = waiting.splice(random.below(waiting.length), 1);
          if (random.chance(0.8)) one!.reset();
          else one!.timeOut();
        }
        if (random.chance(0.01))
          mesh.rateLimitService.fault = random.pick([null, null, () => null, () => 14, () => Buffer.from('no')]);
        if (random.chance(0.005)) {
          mesh.load(meshConfig(quotas, { routes: [`r${i}`], consumers: ['acme', 'beta', 'gamma'], timeoutMs: 100 }));
          if (random.chance(0.5)) for (const host of mesh.hosts) host.retireAllButNewest();
        }
        mesh.pass(random.next() * 1.5);
      }
      mesh.pass(5000);
      mesh.assertSound();
    }
  });
});

describe('clocks that differ', () => {
  const RATE_MS = 12.5;

  /** Calls for one counter around an edge of its window, of two Envoys with 80 requests a second over a limit of 6 a minute. */
  function around(aheadMs: readonly number[]): { calls: number; outcomes: Record<string, number> } {
    const mesh = new VirtualMesh({
      envoys: 2,
      workers: 1,
      quotas: [{ name: 'q', limit: 6, window: 'minute' }],
      startMs: Date.UTC(2026, 0, 15, 12, 10, 10),
      serviceAheadMs: aheadMs[0]!,
      timeoutMs: 100,
    });
    for (let i = 0; mesh.timeline.clock.elapsed < 130_000; i++) {
      mesh.ask(i % 2);
      mesh.pass(RATE_MS);
    }
    mesh.pass(1000);
    mesh.assertSound();
    return { calls: mesh.rateLimitService.calls.length, outcomes: mesh.outcomes };
  }

  it('cost a few calls at the end of a window, and callers over their quota get 429', (t) => {
    const equal = around([0]).calls;
    for (const ms of [300, -300, 700, -700, 2500, -2500, 5500, -5500]) {
      const { calls, outcomes } = around([ms]);
      t.diagnostic(`${ms} ms apart: ${calls} calls, ${equal} with equal clocks; ${JSON.stringify(outcomes)}`);
      assert.ok(calls <= equal + 3 * 2 * 10, `${ms} ms: ${calls} calls, ${equal} with equal clocks`);
      assert.deepEqual(
        Object.keys(outcomes).sort(),
        ['allowed', 'quota_exceeded'],
        `${ms} ms: ${JSON.stringify(outcomes)}`,
      );
      assert.ok(
        outcomes['allowed']! >= 12 && outcomes['allowed']! <= 18,
        `${ms} ms: ${outcomes['allowed']} allowed in three minutes`,
      );
    }
  });
});
