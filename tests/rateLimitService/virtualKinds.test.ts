import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../harness/random.ts';
import { meshConfig, type MeshQuota } from '../../harness/rateLimitService/meshPolicy.ts';
import { START_MS, VirtualMesh } from './virtualMesh.ts';

const HOUR_MS = 3_600_000;
/** Ticks in this much time bring every idle lease back. */
const SETTLE_MS = 2_000;

/** One name, three kinds: each is counted for itself. */
const KINDS: Record<'local' | 'mesh' | 'bucket', MeshQuota> = {
  local: { name: 'q', limit: 40, window: 'hour', scope: 'envoy' },
  mesh: { name: 'q', limit: 30, window: 'hour' },
  bucket: { name: 'q', limit: 4, window: 'hour', scope: 'envoy', burst: 6 },
};
type Kind = keyof typeof KINDS;
const NAMES = Object.keys(KINDS) as Kind[];

/** As many as a plan may have. */
const MIXED: MeshQuota[] = [
  { name: 'per-minute', limit: 9, window: 'minute', scope: 'envoy' },
  { name: 'mesh-per-minute', limit: 14, window: 'minute' },
  { name: 'bucket', limit: 2, window: 'second', scope: 'envoy', burst: 7 },
  { name: 'per-day', limit: 90, window: 'day', scope: 'envoy' },
  { name: 'mesh-per-hour', limit: 60, window: 'hour' },
  { name: 'slow-bucket', limit: 30, window: 'minute', scope: 'envoy', burst: 8 },
  { name: 'mesh-per-day', limit: 120, window: 'day' },
  { name: 'per-hour', limit: 50, window: 'hour', scope: 'envoy' },
];

interface Passed {
  readonly envoy: number;
  readonly atMs: number;
}

describe('quotas of several kinds', () => {
  for (const seed of [1, 2, 3]) {
    it(`keep their counts apart while edits turn a quota into another kind and back (seed ${seed})`, () => {
      const random = new Random(seed * 17);
      const mesh = new VirtualMesh({ envoys: 1, workers: 2, quotas: [KINDS.mesh] });
      const passed: Record<Kind, number> = { local: 0, mesh: 0, bucket: 0 };
      let kind: Kind = 'mesh';
      const edit = (to: Kind): void => {
        kind = to;
        mesh.load(meshConfig([KINDS[to]]));
        if (random.chance(0.5)) mesh.hosts[0]!.retireAllButNewest();
      };
      for (let i = 0; i < 600; i++) {
        if (random.chance(0.1)) edit(random.pick(NAMES));
        const asked = kind;
        mesh.ask(0, random.below(2), 'acme', (reason) => {
          if (reason === 'allowed') passed[asked]++;
          else assert.equal(reason, 'quota_exceeded');
        });
        // A request that waits is decided by its own kind: the answer comes before the next edit.
        mesh.pass(60);
        if (random.chance(0.05)) mesh.pass(SETTLE_MS);
        assert.ok(passed.local <= 40 && passed.mesh <= 30, JSON.stringify(passed));
      }
      const elapsedMs = mesh.timeline.clock.wallMs - START_MS;
      assert.ok(passed.bucket <= 6 + Math.floor((elapsedMs * 4) / HOUR_MS), JSON.stringify(passed));
      for (const last of NAMES) {
        edit(last);
        for (let round = 0; round < 40; round++) {
          mesh.ask(0, round % 2, 'acme', (reason) => (passed[last] += reason === 'allowed' ? 1 : 0));
          mesh.pass(SETTLE_MS);
        }
      }
      assert.equal(passed.local, 40);
      assert.equal(passed.mesh, 30);
      assert.ok(passed.bucket >= 6, JSON.stringify(passed));
      mesh.assertSound();
    });

    it(`hold all eight of a plan at once, and a refused request spends of none (seed ${seed})`, () => {
      const random = new Random(seed * 29);
      const mesh = new VirtualMesh({ envoys: 2, workers: 2, quotas: MIXED });
      const passed: Passed[] = [];
      const ask = (): void => {
        const envoy = random.below(2);
        mesh.ask(envoy, random.below(2), 'acme', (reason) => {
          if (reason === 'allowed') passed.push({ envoy, atMs: mesh.timeline.clock.wallMs });
          else assert.equal(reason, 'quota_exceeded');
        });
      };
      for (let i = 0; i < 600; i++) {
        ask();
        mesh.pass(random.pick([1, 20, 100, 600]));
        if (random.chance(0.02)) mesh.pass(40_000);
      }
      for (const quota of MIXED) assertHeld(quota, passed);
      // The day's quotas are spent by what passed and by nothing else: minute by minute, the rest is there to the last unit.
      for (let minute = 0; minute < 150; minute++) {
        for (let i = 0; i < 12; i++) {
          ask();
          mesh.pass(700);
        }
        mesh.pass(60_000 - (mesh.timeline.clock.wallMs % 60_000));
      }
      for (const quota of MIXED) assertHeld(quota, passed);
      assert.equal(passed.length, 120, 'the mesh-wide day');
      mesh.assertSound();
    });
  }

  it('count a failure mode only for the requests that it decided', () => {
    const known: MeshQuota = { name: 'known', limit: 2, window: 'hour' };
    const unknown: MeshQuota = {
      name: 'unknown',
      limit: 8,
      window: 'hour',
      onUnavailable: 'local-share',
      localShare: 8,
    };
    const consumers = ['acme', 'beta'];
    const mesh = new VirtualMesh({ envoys: 1, workers: 1, quotas: [known], consumers });
    mesh.load(meshConfig([known, unknown], { consumers }));
    for (const consumer of ['beta', 'beta', 'beta', 'acme']) {
      mesh.ask(0, 0, consumer);
      mesh.pass(300);
    }
    // Acme waits for the first quota when the second has fallen back already; beta comes only as far as the first.
    mesh.ask(0, 0, 'acme');
    assert.equal(mesh.paused.size, 1);
    mesh.ask(0, 0, 'beta');
    mesh.pass(SETTLE_MS);
    assert.deepEqual(mesh.outcomes, { allowed: 4, quota_exceeded: 2 });
    assert.equal(mesh.metric('tollgate_quota_unavailable_total', { mode: 'local-share' }), 4);
    mesh.assertSound();
  });

  it('refuse, or follow the failure mode, while shared data holds what is no shard', () => {
    const outcome = { local: 'quota_unavailable', mesh: 'allowed', bucket: 'quota_unavailable' };
    for (const kind of NAMES) {
      const quota: MeshQuota = kind === 'mesh' ? { ...KINDS.mesh, onUnavailable: 'allow' } : KINDS[kind];
      const mesh = new VirtualMesh({ envoys: 1, workers: 2, quotas: [KINDS.mesh] });
      mesh.load(meshConfig([quota]));
      const { sharedData } = mesh.hosts[0]!.process;
      const shards = sharedData.keys().filter((key) => /\/\d+$/.test(key));
      assert.ok(shards.length > 1000, `${shards.length} shards`);
      for (const bytes of [
        '',
        'TGP1',
        'TGP1 but no shard, and as long as one with a cell in it would be, or longer, or not so long',
      ]) {
        for (const key of shards) sharedData.set(key, Buffer.from(bytes), 0);
        const before = mesh.outcome(outcome[kind]);
        for (let i = 0; i < 10; i++) {
          mesh.ask(0, i % 2);
          mesh.pass(300);
        }
        assert.equal(mesh.outcome(outcome[kind]) - before, 10, `${kind}: ${JSON.stringify(mesh.outcomes)}`);
      }
      mesh.assertSound();
    }
  });

  it('lose no count when the clock is once read a year ahead', () => {
    for (const kind of NAMES) {
      const mesh = new VirtualMesh({ envoys: 1, workers: 2, quotas: [KINDS.mesh] });
      mesh.load(meshConfig([KINDS[kind]]));
      let passed = 0;
      const ask = (worker: number): void => {
        mesh.ask(0, worker, 'acme', (reason) => (passed += reason === 'allowed' ? 1 : 0));
        mesh.pass(60);
      };
      for (let i = 0; i < 4; i++) ask(i % 2);
      const before = passed;
      const { clock } = mesh.timeline;
      const yearMs = 365 * 24 * HOUR_MS;
      clock.jump(clock.wallMs + yearMs);
      mesh.ask(0, 0, 'acme', () => undefined);
      clock.jump(clock.wallMs - yearMs);
      mesh.pass(SETTLE_MS);
      for (let round = 0; round < 60; round++) {
        ask(round % 2);
        mesh.pass(SETTLE_MS);
      }
      const limit = { local: 40, mesh: 30, bucket: 6 }[kind];
      assert.equal(before, 4);
      assert.ok(passed <= limit && passed >= limit - 4, `${kind}: ${passed} of ${limit}`);
      mesh.assertSound();
    }
  });
});

/** What passed never exceeds the quota: in its windows, or by its burst and its rate; in each Envoy, or in all together. */
function assertHeld(quota: MeshQuota, passed: readonly Passed[]): void {
  const lengthMs = { second: 1000, minute: 60_000, hour: HOUR_MS, day: 24 * HOUR_MS }[quota.window as 'second'];
  for (const envoy of quota.scope === 'envoy' ? [0, 1] : [null]) {
    const times = passed.filter((one) => envoy === null || one.envoy === envoy).map(({ atMs }) => atMs);
    if (quota.burst !== undefined) {
      for (let from = 0; from < times.length; from++) {
        for (let to = from; to < Math.min(times.length, from + 40); to++) {
          const most = quota.burst + Math.floor(((times[to]! - times[from]!) * quota.limit) / lengthMs + 1e-6);
          assert.ok(to - from + 1 <= most, `${quota.name}: ${to - from + 1} in ${times[to]! - times[from]!} ms`);
        }
      }
      continue;
    }
    const windows = new Map<number, number>();
    for (const time of times)
      windows.set(Math.floor(time / lengthMs), (windows.get(Math.floor(time / lengthMs)) ?? 0) + 1);
    for (const [window, count] of windows)
      assert.ok(count <= quota.limit, `${quota.name}: ${count} of ${quota.limit} in window ${window}`);
  }
}
