import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../harness/random.ts';
import { VirtualMesh } from './virtualMesh.ts';

const ENVOYS = 4;
const CONSUMERS = Array.from({ length: 60 }, (_, i) => `c${i}`);
/** What one Envoy holds of a quiet counter at most: half of the last grant, and the next. */
const MOST_HELD = 12;

interface Traffic {
  readonly limit: number;
  readonly window: 'minute' | 'hour';
  /** The time between two requests of a consumer, in the mean. */
  readonly everySeconds: number;
  readonly minutes: number;
  /** Calls for 1,000 requests, at most. One for each was what it took to ask for single units. */
  readonly mostCalls: number;
  readonly mostWaits: number;
}

const TRAFFIC: readonly Traffic[] = [
  { limit: 100_000, window: 'hour', everySeconds: 10, minutes: 25, mostCalls: 150, mostWaits: 2 },
  { limit: 5000, window: 'hour', everySeconds: 10, minutes: 25, mostCalls: 160, mostWaits: 2 },
  { limit: 5000, window: 'hour', everySeconds: 60, minutes: 40, mostCalls: 350, mostWaits: 150 },
  { limit: 100_000, window: 'minute', everySeconds: 1, minutes: 3, mostCalls: 250, mostWaits: 100 },
  { limit: 5000, window: 'minute', everySeconds: 5, minutes: 5, mostCalls: 500, mostWaits: 400 },
];

describe('many quiet consumers over four Envoys', () => {
  for (const { limit, window, everySeconds, minutes, mostCalls, mostWaits } of TRAFFIC) {
    it(`ask for units ahead with ${limit} a ${window} and a request each ${everySeconds} s`, (t) => {
      const random = new Random(4);
      const mesh = new VirtualMesh({
        envoys: ENVOYS,
        quotas: [{ name: 'q', limit, window }],
        consumers: CONSUMERS,
        timeoutMs: 100,
        startMs: Date.UTC(2026, 0, 15, 12, 5),
      });
      const meanMs = (everySeconds * 1000) / CONSUMERS.length;
      const run = (forMinutes: number): void => {
        for (let ms = 0; ms < forMinutes * 60_000; ms += meanMs) {
          mesh.ask(random.below(ENVOYS), random.below(2), random.pick(CONSUMERS));
          mesh.pass(random.next() * 2 * meanMs);
        }
      };
      run(minutes / 5);
      const before = { sent: mesh.sent, calls: mesh.rateLimitService.calls.length, waited: mesh.waited };
      run(minutes);
      mesh.pass(2000);
      const sent = mesh.sent - before.sent;
      const per1000 = (count: number): number => (1000 * count) / sent;
      const calls = per1000(mesh.rateLimitService.calls.length - before.calls);
      const waits = per1000(mesh.waited - before.waited);
      t.diagnostic(`${calls.toFixed(0)} calls and ${waits.toFixed(0)} waits for 1,000 of ${sent} requests`);
      assert.equal(mesh.allowed, mesh.sent);
      assert.ok(calls <= mostCalls, `${calls} calls for 1,000 requests`);
      assert.ok(waits <= mostWaits, `${waits} waits for 1,000 requests`);
      if (window === 'hour') {
        const held = mesh.rateLimitService.model.counted('quota=q ') - mesh.allowed;
        assert.ok(held <= CONSUMERS.length * ENVOYS * MOST_HELD, `${held} units held`);
      }
      mesh.assertSound();
    });
  }

  it('leave the whole limit to a caller that becomes busy at one of them, but for what the others hold', () => {
    const limit = 5000;
    const random = new Random(9);
    const mesh = new VirtualMesh({ envoys: ENVOYS, quotas: [{ name: 'q', limit, window: 'hour' }], timeoutMs: 100 });
    for (let i = 0; i < 200; i++) {
      mesh.ask(random.below(ENVOYS), random.below(2));
      mesh.pass(1000);
    }
    while (mesh.sent < limit * 1.2) {
      mesh.ask(0, random.below(2));
      mesh.pass(random.next() * 4);
    }
    mesh.pass(2000);
    assert.ok(mesh.allowed <= limit && mesh.allowed >= limit - (ENVOYS - 1) * MOST_HELD, `${mesh.allowed} of ${limit}`);
    for (let i = 0; i < 40; i++) {
      for (let envoy = 0; envoy < ENVOYS; envoy++) mesh.ask(envoy, i % 2);
      mesh.pass(1000);
    }
    assert.equal(mesh.allowed, limit, 'what they hold is spent where requests come');
    mesh.assertSound();
  });

  it('are asked for one by one near the limit, so that it is reached exactly', () => {
    const limit = 1500;
    const random = new Random(2);
    const mesh = new VirtualMesh({ envoys: ENVOYS, quotas: [{ name: 'q', limit, window: 'hour' }], timeoutMs: 100 });
    while (mesh.sent < limit * 1.3) {
      mesh.ask(random.below(ENVOYS), random.below(2));
      mesh.pass(600);
    }
    assert.equal(mesh.allowed, limit);
    mesh.assertSound();
  });
});
