import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../harness/random.ts';
import { meshConfig, type MeshQuota } from '../../harness/rateLimitService/meshPolicy.ts';
import { logFieldsOf } from '../../scripts/host/index.ts';
import { logNormal } from './virtualRateLimitService.ts';
import { VirtualMesh } from './virtualMesh.ts';
import { WRONG_ANSWERS } from '../../harness/rateLimitService/wrongAnswers.ts';

type Mode = NonNullable<MeshQuota['onUnavailable']>;

const SHARE = 7;
const TIMEOUT_MS = 50;
/** The module looks at those who wait every 2 ms. */
const LATEST_MS = TIMEOUT_MS + 3;
/** Answers without a limit: the other worker of the same Envoy goes by what the one that asked has learnt. */
const KNOWS_NO_LIMIT = ['OK and no status', 'OK without a current limit', 'a limit of zero'];

function open(mode: Mode, options: Partial<ConstructorParameters<typeof VirtualMesh>[0]> = {}): VirtualMesh {
  const quota: MeshQuota = {
    name: 'q',
    limit: 1000,
    window: 'hour',
    onUnavailable: mode,
    ...(mode === 'local-share' ? { localShare: SHARE } : {}),
  };
  return new VirtualMesh({ envoys: 2, quotas: [quota], timeoutMs: TIMEOUT_MS, ...options });
}

function send(mesh: VirtualMesh, count: number, everyMs = 3): void {
  for (let i = 0; i < count; i++) {
    mesh.ask(i % 2, (i >> 1) % 2);
    mesh.pass(everyMs);
  }
  mesh.pass(LATEST_MS);
}

/** What `count` requests to two Envoys must have come to under a mode when the service never answers. */
function assertMode(mesh: VirtualMesh, mode: Mode, count: number, what: string): void {
  const expected: Record<Mode, Record<string, number>> = {
    allow: { allowed: count },
    deny: { quota_unavailable: count },
    'local-share': { allowed: 2 * SHARE, quota_exceeded: count - 2 * SHARE },
  };
  assert.deepEqual(mesh.outcomes, expected[mode], what);
  assert.ok(mesh.longestWaitMs <= LATEST_MS, `${what}: waited ${mesh.longestWaitMs} ms`);
}

const FAULTS: Record<string, (mesh: VirtualMesh) => void> = {
  'never answers': (mesh) => (mesh.rateLimitService.fault = () => null),
  'is unavailable': (mesh) => (mesh.rateLimitService.fault = () => 14),
  'fails inside': (mesh) => (mesh.rateLimitService.fault = () => 13),
};
for (const [what, bytes] of Object.entries(WRONG_ANSWERS)) {
  FAULTS[`answers with ${what}`] = (mesh) =>
    (mesh.rateLimitService.fault = (call) =>
      typeof bytes === 'function'
        ? bytes(mesh.rateLimitService.model.answer(call.message, mesh.rateLimitService.nowMs))
        : bytes);
}

describe('a rate limit service that fails', () => {
  for (const [what, begin] of Object.entries(FAULTS)) {
    it(`leaves requests to the failure mode when it ${what}`, () => {
      for (const mode of ['allow', 'deny', 'local-share'] as const) {
        const mesh = open(mode);
        begin(mesh);
        send(mesh, 400);
        assertMode(mesh, mode, 400, mode);
        mesh.assertSound();
        mesh.pass(1000);
        assert.equal(mesh.metric('tollgate_quota_unavailable_total', { mode }), 400, mode);
        assert.equal(mesh.metric('tollgate_rate_limit_service_granted_units_total'), 0);
        assert.equal(
          mesh.metric('tollgate_rate_limit_service_calls_total'),
          mesh.metric('tollgate_rate_limit_service_failures_total') +
            mesh.metric('tollgate_rate_limit_service_unlimited_total'),
        );
        assert.equal(
          mesh.metric('tollgate_rate_limit_service_unavailable_vms'),
          KNOWS_NO_LIMIT.some((one) => what.endsWith(one)) ? 2 : 4,
          'workers that know it',
        );
      }
    });
  }

  it('grants nothing when it knows only another domain', () => {
    const mesh = open('deny', { serviceDomain: 'elsewhere' });
    send(mesh, 200);
    assertMode(mesh, 'deny', 200, 'deny');
    mesh.pass(1000);
    assert.ok(mesh.metric('tollgate_rate_limit_service_unlimited_total') > 0, 'unlimited answers are counted');
  });

  it('never traps or grants what was not asked, whatever bytes come', () => {
    const random = new Random(11);
    const mesh = open('deny');
    mesh.rateLimitService.fault = (call) => {
      const good = mesh.rateLimitService.model.answer(call.message, mesh.rateLimitService.nowMs);
      if (random.chance(0.3)) return good;
      if (random.chance(0.3)) return Buffer.from(random.bytes(200), 'latin1');
      const bytes = Buffer.from(good);
      for (let i = 1 + random.below(3); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
      return random.chance(0.2) ? bytes.subarray(0, random.below(bytes.length)) : bytes;
    };
    for (let i = 0; i < 3000; i++) {
      mesh.ask(random.below(2), random.below(2));
      mesh.pass(random.chance(0.1) ? 2000 : 10);
    }
    mesh.pass(20_000);
    mesh.assertSound();
    assert.ok(
      mesh.metric('tollgate_rate_limit_service_granted_units_total') <=
        mesh.metric('tollgate_rate_limit_service_requested_units_total'),
      'granted without asking',
    );
  });

  it('is found again without a restart, and without a stampede', (t) => {
    const latencyMs = logNormal(new Random(12), 3, 0.7, 40);
    const mesh = open('deny', { envoys: 40, quotas: [{ name: 'q', limit: 10_000_000, window: 'hour' }], latencyMs });
    const everywhere = (forMs: number): void => {
      for (let ms = 0; ms < forMs; ms += 10) {
        for (let envoy = 0; envoy < 40; envoy++) mesh.ask(envoy, (ms / 10) % 2, 'acme');
        mesh.pass(10);
      }
    };
    const callsIn = (fromMs: number, forMs: number): number =>
      mesh.rateLimitService.calls.filter((at) => at >= fromMs && at < fromMs + forMs).length;
    everywhere(2000);
    const peakBefore = callsIn(1000, 1000);
    mesh.rateLimitService.fault = () => 14;
    const down = mesh.timeline.clock.elapsed;
    everywhere(30_000);
    const perSecond = Array.from({ length: 30 }, (_, second) => callsIn(down + second * 1000, 1000));
    t.diagnostic(`calls a second of 40 Envoys with 2 workers each: ${peakBefore} before, then ${perSecond.join()}`);
    // A worker tries after 0.1, 0.2, 0.4 … 10 s, each less up to a half.
    assert.ok(Math.max(...perSecond) <= 80 * 8, perSecond.join());
    const late = mesh.rateLimitService.calls.filter((at) => at >= down + 20_000);
    assert.ok(late.length >= 80 && late.length <= 80 * 3, `${late.length} calls in ten seconds`);
    const busiest = Math.max(...Array.from({ length: 100 }, (_, i) => callsIn(down + 20_000 + i * 100, 100)));
    assert.ok(busiest <= late.length / 5, `${busiest} of ${late.length} calls in the same tenth of a second`);
    mesh.rateLimitService.fault = null;
    const back = mesh.timeline.clock.elapsed;
    everywhere(11_000);
    const peak = Math.max(...Array.from({ length: 110 }, (_, i) => callsIn(back + i * 100, 100)));
    assert.ok(peak <= 80, `${peak} calls in a tenth of a second`);
    const [allowed, sent] = [mesh.allowed, mesh.sent];
    everywhere(1000);
    assert.equal(mesh.allowed - allowed, mesh.sent - sent);
    mesh.pass(1000);
    assert.equal(
      mesh.metric('tollgate_rate_limit_service_unavailable_vms'),
      0,
      'no worker still believes that it is down',
    );
    mesh.assertSound();
  });

  it('is told in the log fields by the quota that could not be counted', () => {
    const quotas: MeshQuota[] = [
      { name: 'spare', limit: 10, window: 'hour', onUnavailable: 'allow' },
      { name: 'main', limit: 10, window: 'day', onUnavailable: 'deny' },
    ];
    const mesh = open('deny', { envoys: 1, workers: 1 });
    mesh.load({ ...meshConfig(quotas), accessLog: { fields: ['reason', 'quota', 'remaining'] } });
    mesh.rateLimitService.fault = () => null;
    const request = mesh.ask(0);
    mesh.pass(LATEST_MS);
    assert.ok(request.exchange);
    assert.deepEqual(logFieldsOf(request.exchange), { reason: 'quota_unavailable', quota: 'main' });
    mesh.assertSound();
  });

  it('counts as up while it answers, whatever happens to calls that it left unanswered before', () => {
    const consumers = Array.from({ length: 200 }, (_, i) => `consumer-${i}`);
    const mesh = open('deny', { envoys: 1, workers: 1, consumers });
    mesh.rateLimitService.fault = () => null;
    mesh.ask(0, 0, consumers[0]);
    mesh.pass(LATEST_MS);
    assert.equal(mesh.outcome('quota_unavailable'), 1);
    mesh.rateLimitService.fault = null;
    // Its pause after one failure is over, and one call shows that it is back.
    mesh.pass(150);
    mesh.ask(0, 0, consumers[1]);
    mesh.pass(LATEST_MS);
    assert.equal(mesh.outcome('allowed'), 1);
    const failed = mesh.metric('tollgate_rate_limit_service_failures_total');
    for (const consumer of consumers.slice(2)) {
      mesh.ask(0, 0, consumer);
      mesh.pass(5);
    }
    mesh.pass(1000);
    assert.equal(
      mesh.metric('tollgate_rate_limit_service_failures_total'),
      failed + 1,
      'the host has ended the call that was never answered',
    );
    assert.deepEqual(mesh.outcomes, { quota_unavailable: 1, allowed: consumers.length - 1 });
    mesh.assertSound();
  });

  // Among several Envoys the first answers may look right, because the others' hits are in them.
  for (const [envoys, slack] of [
    [1, 0],
    [4, 64],
  ] as const) {
    it(`is detected when it counts one hit per call, by ${envoys} Envoys`, (t) => {
      const random = new Random(21);
      const mesh = open('deny', { envoys, latencyMs: logNormal(random, 3, 0.7, 40) });
      mesh.rateLimitService.model.ignoresHits = true;
      for (let i = 0; i < 6000; i++) {
        mesh.ask(random.below(envoys), random.below(2));
        mesh.pass(random.next() * 2);
      }
      mesh.pass(1000);
      const counted = [...mesh.rateLimitService.model.granted.values()][0] ?? 0;
      t.diagnostic(
        `${mesh.allowed} allowed, ${counted} counted, ${mesh.metric('tollgate_rate_limit_service_requested_units_total')} asked for`,
      );
      assert.ok(mesh.allowed <= counted + slack, `${mesh.allowed} allowed, ${counted} counted`);
      mesh.assertSound();
    });
  }

  it('grants a limit again, once, when its memory is lost', () => {
    const mesh = open('deny');
    send(mesh, 600);
    assert.equal(mesh.allowed, 600);
    mesh.rateLimitService.model.forget();
    send(mesh, 3000);
    mesh.pass(31_000);
    send(mesh, 100);
    // What the Envoys held when the counter began anew, and the whole limit after it.
    assert.ok(mesh.allowed > 1000 && mesh.allowed <= 1000 + 600 + (2 * 1000) / 8, `${mesh.allowed} allowed`);
    mesh.assertSound();
  });
});
