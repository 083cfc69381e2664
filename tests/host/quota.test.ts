import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { QuotaModel, WINDOW_STARTS } from './quotaModel.ts';
import { ask, drain, openHost, SEEDS, SETTLE_MS, START_MS } from './quotaHost.ts';
import { Random } from '../../harness/random.ts';

describe('quotas over several workers', () => {
  for (const workers of [2, 4]) {
    for (const seed of SEEDS) {
      it(`allow exactly the limit over ${workers} workers in a random order (seed ${seed})`, () => {
        const random = new Random(seed);
        const limit = 1000;
        const host = openHost(workers, [{ name: 'q', limit, window: 'hour' }]);
        let passed = 0;
        for (let i = 0; i < 3000; i++) {
          if (random.chance(0.3)) host.pass(random.pick([0.05, 1, 20, 260]));
          if (ask(host, random.below(workers))) passed++;
          assert.ok(passed <= limit, `${passed} passed of ${limit}`);
        }
        passed += drain(host);
        assert.equal(passed, limit);
        assert.deepEqual(host.faults, []);
      });
    }

    it(`allow no request more when one worker of ${workers} takes all the load and then rests`, () => {
      const host = openHost(workers, [{ name: 'q', limit: 10_000, window: 'hour' }]);
      let passed = 0;
      for (let i = 0; i < 5000; i++) {
        host.pass(0.1);
        if (ask(host, 0)) passed++;
      }
      host.pass(SETTLE_MS);
      for (let worker = 1; worker < workers; worker++) while (ask(host, worker)) passed++;
      passed += drain(host);
      assert.equal(passed, 10_000);
    });
  }

  for (const seed of SEEDS) {
    it(`agree with a list of requests over windows and consumers (seed ${seed})`, () => {
      const random = new Random(seed * 77);
      const window = random.pick(Object.keys(WINDOW_STARTS));
      const limit = 1 + random.below(60);
      const host = openHost(2, [{ name: 'q', limit, window }], 3);
      const model = new QuotaModel(limit, WINDOW_STARTS[window]!);
      const { clock } = host.process;
      for (let i = 0; i < 1500; i++) {
        if (random.chance(0.2)) host.pass(random.pick([1, 40, 260, 1000, 7000]));
        if (random.chance(0.01)) clock.jump(clock.wallMs + random.below(40) * 86_400_000);
        const consumer = random.below(3);
        if (!ask(host, random.below(2), consumer)) continue;
        model.note(String(consumer), clock.wallMs);
        assert.ok(model.used(String(consumer), clock.wallMs) <= limit, `more than ${limit} in a ${window}`);
      }
      for (let consumer = 0; consumer < 3; consumer++) {
        const used = model.used(String(consumer), clock.wallMs);
        // A window that ends while leases come back would begin a new count.
        if (WINDOW_STARTS[window]!(clock.wallMs + 60 * SETTLE_MS) !== WINDOW_STARTS[window]!(clock.wallMs)) continue;
        assert.equal(used + drain(host, consumer), limit, `consumer ${consumer}`);
      }
      assert.deepEqual(host.faults, []);
    });
  }

  it('agree with a list of requests exactly, one worker, request by request', () => {
    const random = new Random(99);
    for (const window of Object.keys(WINDOW_STARTS)) {
      const host = openHost(1, [{ name: 'q', limit: 7, window }]);
      const model = new QuotaModel(7, WINDOW_STARTS[window]!);
      const { clock } = host.process;
      const unitMs = {
        second: 100,
        minute: 6_000,
        hour: 360_000,
        day: 8_640_000,
        week: 60_480_000,
        month: 250_000_000,
        year: 3_000_000_000,
        '10s': 1_000,
        '90m': 540_000,
        '7h': 2_520_000,
        '100d': 864_000_000,
      }[window]!;
      for (let i = 0; i < 400; i++) {
        clock.jump(clock.wallMs + random.below(2 * unitMs));
        // What is believed empty for a moment is asked again after it.
        host.pass(SETTLE_MS / 4);
        const expected = model.used('0', clock.wallMs) < 7;
        assert.equal(ask(host, 0), expected, `${window}, request ${i} at ${new Date(clock.wallMs).toISOString()}`);
        if (expected) model.note('0', clock.wallMs);
      }
    }
  });

  it('spend all quotas of a request or none, over two workers', () => {
    const random = new Random(5);
    const host = openHost(2, [
      { name: 'small', limit: 40, window: 'minute' },
      { name: 'large', limit: 200, window: 'day' },
    ]);
    let passed = 0;
    for (let minute = 0; minute < 12; minute++) {
      let inMinute = 0;
      for (let i = 0; i < 300; i++) {
        if (ask(host, random.below(2))) inMinute++;
        if (random.chance(0.05)) host.pass(50);
      }
      assert.ok(inMinute <= 40, `${inMinute} in minute ${minute}`);
      passed += inMinute;
      const { clock } = host.process;
      host.pass(60_000 - (clock.wallMs % 60_000));
    }
    // Refused by the small quota thousands of times, and nothing of the large one lost by it.
    assert.ok(passed <= 200);
    for (let minute = 0; minute < 8; minute++) {
      host.pass(60_000);
      passed += [0, 1].reduce((sum, worker) => {
        let count = 0;
        while (ask(host, worker)) count++;
        return sum + count;
      }, 0);
    }
    assert.equal(passed, 200);
  });

  it('never let more than the burst and its rate through a bucket', () => {
    for (const seed of SEEDS) {
      const random = new Random(seed * 31);
      const host = openHost(4, [{ name: 'b', limit: 10, window: 'second', burst: 25 }]);
      const times: number[] = [];
      for (let i = 0; i < 2000; i++) {
        if (random.chance(0.5)) host.pass(random.pick([1, 5, 30, 100]));
        if (ask(host, random.below(4))) times.push(host.process.clock.wallMs);
      }
      for (let from = 0; from < times.length; from++) {
        for (let to = from; to < times.length; to++) {
          const most = 25 + Math.floor((times[to]! - times[from]!) / 100 + 1e-6);
          assert.ok(
            to - from + 1 <= most,
            `seed ${seed}: ${to - from + 1} in ${times[to]! - times[from]!} ms, at most ${most}`,
          );
        }
      }
      const span = host.process.clock.wallMs - START_MS;
      assert.ok(
        times.length >= Math.min(2000, Math.floor(span / 100)) * 0.9,
        `seed ${seed}: only ${times.length} in ${span} ms`,
      );
    }
  });
});
