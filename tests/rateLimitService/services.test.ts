import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Random } from '../../harness/random.ts';
import { realPrograms } from '../../harness/rateLimitService/available.ts';
import { FakeService } from '../../harness/rateLimitService/fakeService.ts';
import { GrpcCaller } from '../../harness/rateLimitService/grpcCaller.ts';
import { RateLimitServiceModel, type Rule } from '../../harness/rateLimitService/rateLimitServiceModel.ts';
import {
  Code,
  decodeAnswer,
  decodeAsk,
  encodeAnswer,
  encodeAsk,
  type AnswerMessage,
  type Entry,
} from '../../harness/rateLimitService/protocol.ts';
import { RealService } from '../../harness/rateLimitService/realService.ts';
import { pause, steady } from './steady.ts';

const RULES: Rule[] = [
  { window: 'hour', quota: 'small', limit: 50, consumers: { acme: 20 } },
  { window: 'day', quota: 'large' },
  { window: '7d', quota: '*/each', limit: 30 },
  { window: '30d', quota: 'monthly', limit: 30 },
  { window: '30d', quota: 'observed:monthly', limit: 30 },
  { window: '365d', quota: 'yearly', limit: 30 },
];
const DOMAIN = 'petstore';

/** Without a consumer: of callers without a key. */
function entries(window: string, quota: string, consumer: string | null): Entry[] {
  return [['window', window], ['quota', quota], ...(consumer === null ? [] : [['consumer', consumer] as const])];
}

const programs = await realPrograms();

describe('the model of the rate limit service', () => {
  it('reads back what it writes, and writes back what it reads', () => {
    const answer: AnswerMessage = {
      overallCode: Code.overLimit,
      statuses: [
        { code: Code.overLimit, limit: { requestsPerUnit: 2 ** 32 - 1, unit: 3 }, remaining: 0, resetSeconds: 3600 },
        { code: Code.ok, remaining: 7 },
      ],
    };
    assert.deepEqual(decodeAnswer(encodeAnswer(answer)), answer);
    const ask = decodeAsk(encodeAsk('d', entries('hour', 'small', 'acme'), 300));
    const descriptors = [entries('hour', 'small', 'acme')];
    assert.deepEqual(ask, { domain: 'd', descriptors, hits: 300, ownHits: [null], otherFields: [] });
    const look = decodeAsk(encodeAsk('d', entries('hour', 'small', 'acme'), 0));
    assert.deepEqual(look, { domain: 'd', descriptors, hits: 0, ownHits: [0], otherFields: [] });
  });

  it('counts refused hits, like a Redis counter', () => {
    const model = new RateLimitServiceModel(DOMAIN, RULES);
    const now = Date.UTC(2026, 0, 15, 12, 59);
    const ask = (hits: number): AnswerMessage =>
      decodeAnswer(model.answer(encodeAsk(DOMAIN, entries('hour', 'small', 'beta'), hits), now));
    const limit = { requestsPerUnit: 50, unit: 3 };
    assert.deepEqual(ask(20).statuses, [{ code: Code.ok, limit, remaining: 30, resetSeconds: 60 }]);
    assert.deepEqual(ask(31).statuses, [{ code: Code.overLimit, limit, remaining: 0, resetSeconds: 60 }]);
    assert.equal(ask(1).overallCode, Code.overLimit);
  });
});

describe('the real rate limit service', { skip: typeof programs === 'string' ? programs : false }, () => {
  let real: RealService;
  let caller: GrpcCaller;
  before(async () => {
    if (typeof programs === 'string') return;
    real = await RealService.start(programs, { domain: DOMAIN, rules: RULES });
    caller = new GrpcCaller(real.port);
  });
  after(async () => {
    caller?.close();
    await real?.stop();
  });

  it('answers a few hundred random calls as the model does', async () => {
    await steady('hour', 20_000);
    const random = new Random(7);
    const model = new RateLimitServiceModel(DOMAIN, RULES);
    const asks = Array.from({ length: 300 }, () => {
      const [window = '', quota = ''] = random.pick([
        ['hour', 'small'],
        ['day', 'large'],
        ['30d', 'monthly'],
        ['30d', 'observed:monthly'],
        ['365d', 'yearly'],
        ['7d', 'pets/each'],
        ['7d', 'shop/each'],
        ['day', 'none'],
        ['none', 'small'],
      ]);
      const who = entries(window, quota, random.pick(['acme', 'beta', 'ga_mma', null]));
      return encodeAsk(random.chance(0.05) ? 'elsewhere' : DOMAIN, who, random.below(12));
    });
    for (const ask of asks) {
      const askedMs = Date.now();
      const expected = decodeAnswer(model.answer(ask, askedMs));
      const answer = await caller.call(ask);
      const seconds = Math.ceil((Date.now() - askedMs) / 1000);
      assert.ok(Buffer.isBuffer(answer), `status ${String(answer)}`);
      // It leaves the remaining hits out where there is no limit; seconds may turn between the two.
      const plain = ({ overallCode, statuses }: AnswerMessage): unknown => [
        overallCode,
        statuses.map(({ code, limit, remaining }) => [code, limit, remaining ?? 0]),
      ];
      assert.deepEqual(plain(decodeAnswer(answer)), plain(expected), JSON.stringify(decodeAsk(ask)));
      for (const [i, status] of decodeAnswer(answer).statuses.entries()) {
        const reset = expected.statuses[i]!.resetSeconds;
        if (reset !== undefined)
          assert.ok(
            Math.abs(Number(status.resetSeconds) - Number(reset)) <= seconds,
            `${status.resetSeconds} for ${reset}`,
          );
      }
    }
    assert.equal(
      await real.charged('window_hour_quota_small', 'consumer_beta'),
      [...asks.map(decodeAsk)]
        .filter(
          ({ domain, descriptors: [one] }) =>
            domain === DOMAIN && one!.map(([, value]) => value).join() === 'hour,small,beta',
        )
        .reduce((sum, { hits }) => sum + hits, 0),
    );
  });

  it(
    'is slow with its Redis, fails without it and recovers; and comes back on the same port',
    { timeout: 300_000 },
    async () => {
      const ask = encodeAsk(DOMAIN, entries('day', 'large', 'acme'), 1);
      real.redisDelayMs = 300;
      const started = Date.now();
      await answered(ask);
      assert.ok(Date.now() - started >= 290, `${Date.now() - started} ms`);
      real.redisDelayMs = 0;
      await real.killRedis();
      assert.equal(typeof (await caller.call(ask)), 'number');
      await real.startRedis();
      // Each connection of its pool fails once before it is made anew.
      for (let good = 0; good < 20; good++) {
        if (!Buffer.isBuffer(await caller.call(ask))) good = 0;
        await pause(10);
      }
      await real.killService();
      assert.equal(await caller.call(ask), 14);
      await real.startService();
      await answered(ask);
    },
  );

  async function answered(ask: Buffer): Promise<void> {
    const answer = await caller.call(ask);
    assert.ok(Buffer.isBuffer(answer), `status ${String(answer)}`);
  }
});

describe('the fake rate limit service', () => {
  it('answers as the model does, and misbehaves when told', async () => {
    const fake = await FakeService.start(DOMAIN, RULES);
    const caller = new GrpcCaller(fake.port);
    try {
      const ask = encodeAsk(DOMAIN, entries('hour', 'small', 'beta'), 10);
      const call = (timeoutMs?: number): Promise<Buffer | number> => caller.call(ask, timeoutMs);
      const good = await call();
      assert.ok(Buffer.isBuffer(good), 'a message');
      assert.equal(decodeAnswer(good).statuses[0]!.remaining, 40);
      fake.fault = { kind: 'status', status: 13 };
      assert.equal(await call(), 13);
      fake.fault = { kind: 'bytes', bytes: Buffer.from('garbage') };
      assert.deepEqual(await call(), Buffer.from('garbage'));
      fake.fault = { kind: 'reset' };
      assert.equal(await call(), 14);
      fake.fault = { kind: 'hang' };
      assert.equal(await call(100), 14);
      fake.fault = { kind: 'noMessage' };
      assert.deepEqual(await call(), Buffer.alloc(0));
      fake.fault = { kind: 'answer', change: (answer) => ({ ...answer, statuses: [] }) };
      const none = await call();
      assert.ok(Buffer.isBuffer(none), 'a message');
      assert.deepEqual(decodeAnswer(none), { overallCode: Code.overLimit, statuses: [] });
      assert.equal(fake.calls.length, 7);
      await fake.stop();
      assert.equal(await call(100), 14);
    } finally {
      caller.close();
      await fake.stop();
    }
  });
});
