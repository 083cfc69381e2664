import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pluginConfig, type PluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import { RateLimitServiceModel } from '../../harness/rateLimitService/rateLimitServiceModel.ts';
import { Host } from '../../scripts/host/host.ts';
import { decisionOf, type OpenRequest } from '../../scripts/host/openRequest.ts';
import { Timeline } from '../../scripts/host/process.ts';
import { module, request, START_MS } from './quotaHost.ts';

const LIMIT = 3;
const SHARDS = 256;
const ANSWER_MS = 8;

interface Service {
  /** Answers nothing as long as this is true. */
  isSilent: boolean;
  readonly model: RateLimitServiceModel;
}

/** A plan with a mesh-wide quota, for whose units a request waits, and a limit of requests in flight, which comes after it. */
function openHost(workers: number, quota: object = {}, consumers = 1): { host: Host; service: Service } {
  const timeline = new Timeline(START_MS);
  const service: Service = {
    isSilent: false,
    model: new RateLimitServiceModel('d', [{ window: 'second', quota: 'units' }]),
  };
  const base = pluginConfig([{ name: 'units', limit: 1000, window: 'second', scope: 'mesh', ...quota }], { consumers });
  const config: PluginConfig = {
    ...base,
    plans: [{ ...base.plans[0]!, concurrency: { limit: LIMIT } } as PluginConfig['plans'][number]],
    rateLimitService: { cluster: 'c', domain: 'd', timeoutMilliseconds: 50 },
  };
  const host = new Host(module, {
    workers,
    timeline,
    backend: ({ message }) => ({
      arrivesAfterMs: 1,
      afterMs: service.isSilent ? Infinity : ANSWER_MS,
      result: () => service.model.answer(message, timeline.clock.wallMs),
    }),
  });
  assert.ok(host.load(JSON.stringify(config)), host.logs().join('\n'));
  return { host, service };
}

function open(host: Host, worker = 0, consumer = 0): OpenRequest {
  return host.open(request(consumer), { worker, lasts: true });
}

/** What shared data says is in flight. */
function stored(host: Host): number {
  let sum = 0;
  for (let shard = 0; shard < SHARDS; shard++) {
    const { value } = host.process.sharedData.get(`tollgate/1/petstore/flights/${shard}`)!;
    for (let at = 24; at < value.length; at += 32) sum += Number(value.readBigInt64LE(at + 24));
  }
  return sum;
}

function isWaiting(one: OpenRequest): boolean {
  return one.paused && !one.isUnderWay;
}

describe('a request that waits for the rate limit service and is then in flight', () => {
  it('is in flight from when it goes on, and not while it waits', () => {
    const { host } = openHost(1);
    const waiting = Array.from({ length: LIMIT + 2 }, () => open(host));
    assert.ok(waiting.every(isWaiting));
    assert.equal(stored(host), 0);
    host.pass(40);
    assert.deepEqual(
      waiting.map((one) => one.isUnderWay),
      [true, true, true, false, false],
    );
    assert.equal(stored(host), LIMIT);
    for (const one of waiting.slice(LIMIT)) assert.equal(decisionOf(one.exchange!)?.reason, 'concurrency_exceeded');
    waiting[0]!.answer();
    assert.ok(open(host).isUnderWay);
    assert.equal(stored(host), LIMIT);
    assert.deepEqual(host.faults, []);
  });

  it('leaves nothing behind when its client has gone while it waits, whatever the answer does', () => {
    for (const isSilent of [false, true]) {
      const { host, service } = openHost(1);
      service.isSilent = isSilent;
      const waiting = Array.from({ length: 20 }, () => open(host));
      for (const [index, one] of waiting.entries()) {
        host.pass(index % 3 === 0 ? 1 : 0);
        one.reset();
      }
      host.pass(500);
      assert.equal(stored(host), 0);
      service.isSilent = false;
      // After an outage the service is asked again only after a while, and by some requests first.
      let passed = false;
      for (let i = 0; i < 60 && !passed; i++) {
        const one = open(host);
        host.pass(1000);
        passed = one.isUnderWay;
        one.reset();
      }
      assert.ok(passed);
      const next = Array.from({ length: LIMIT }, () => open(host));
      host.pass(40);
      assert.deepEqual(
        next.map((one) => one.isUnderWay),
        next.map(() => true),
      );
      assert.deepEqual(host.faults, []);
    }
  });

  it('leaves nothing behind when its client goes once it is in flight, at once or later', () => {
    for (const laterMs of [0, 1, 300]) {
      const { host } = openHost(2);
      const waiting = Array.from({ length: LIMIT }, (_, i) => open(host, i % 2));
      host.pass(40);
      assert.equal(stored(host), LIMIT);
      host.pass(laterMs);
      for (const one of waiting) one.reset();
      assert.equal(stored(host), 0);
      assert.deepEqual(host.faults, []);
    }
  });

  it('leaves nothing behind when Envoy answers in its place, while it waits or later', () => {
    const { host } = openHost(1);
    const early = Array.from({ length: LIMIT }, () => open(host));
    for (const one of early) one.timeOut();
    host.pass(100);
    assert.equal(stored(host), 0);
    const late = Array.from({ length: LIMIT }, () => open(host));
    host.pass(40);
    assert.equal(stored(host), LIMIT);
    for (const one of late) one.timeOut();
    host.pass(40);
    assert.equal(stored(host), 0);
    assert.deepEqual(host.faults, []);
  });

  it('counts once when the failure mode lets it pass, and not at all when that refuses it', () => {
    for (const onUnavailable of ['allow', 'deny']) {
      const { host, service } = openHost(1, { onUnavailable });
      service.isSilent = true;
      const waiting = Array.from({ length: LIMIT + 1 }, () => open(host));
      host.pass(200);
      assert.equal(stored(host), onUnavailable === 'allow' ? LIMIT : 0);
      assert.deepEqual(
        waiting.map((one) => (one.isUnderWay ? 'under way' : decisionOf(one.exchange!)?.reason)),
        onUnavailable === 'allow'
          ? [...Array.from({ length: LIMIT }, () => 'under way'), 'concurrency_exceeded']
          : waiting.map(() => 'quota_unavailable'),
      );
      for (const one of waiting) one.reset();
      assert.equal(stored(host), 0);
    }
  });

  for (const workers of [1, 3]) {
    it(`is exact over 30,000 requests that end anywhere on their way, with ${workers} workers`, () => {
      const consumers = 4;
      const { host } = openHost(workers, { limit: 200 }, consumers);
      const random = new Random(workers);
      const open_: { one: OpenRequest; consumer: number }[] = [];
      const ends = { whileWaiting: 0, inFlight: 0, answered: 0, timedOut: 0, refused: 0 };
      for (let i = 0; i < 30_000; i++) {
        const consumer = random.below(consumers);
        open_.push({ one: open(host, random.below(workers), consumer), consumer });
        if (random.chance(0.6)) host.pass(random.below(12));
        for (let ended = 0; ended < 2 && open_.length > 6; ended++) {
          const [{ one }] = open_.splice(random.below(open_.length), 1) as [(typeof open_)[number]];
          if (one.exchange !== null) ends.refused++;
          else if (random.chance(0.1)) {
            one.timeOut();
            host.pass(25);
            ends.timedOut++;
          } else if (isWaiting(one)) {
            one.reset();
            ends.whileWaiting++;
          } else if (random.chance(0.4)) {
            one.reset();
            ends.inFlight++;
          } else {
            one.answer();
            ends.answered++;
          }
        }
        const flying = open_.filter(({ one }) => one.isUnderWay);
        for (let of = 0; of < consumers; of++)
          assert.ok(flying.filter((one) => one.consumer === of).length <= LIMIT, `more than ${LIMIT} in flight`);
        if (i % 100 === 0) assert.equal(stored(host), flying.length, `after ${i} requests`);
      }
      for (const { one } of open_) one.reset();
      host.pass(1000);
      assert.equal(stored(host), 0);
      assert.ok(
        Object.values(ends).every((count) => count > 100),
        JSON.stringify(ends),
      );
      assert.deepEqual(host.faults, []);
    });
  }
});
