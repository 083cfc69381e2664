import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pluginConfig, type PluginConfig, type Quota } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import { Host } from '../../scripts/host/host.ts';
import { decisionOf, type OpenRequest } from '../../scripts/host/openRequest.ts';
import type { HeaderMap, Pair } from '../../scripts/host/stream.ts';
import { module, request, SEEDS, SETTLE_MS, START_MS } from './quotaHost.ts';

const RESERVE = 3;
const MOST = 40;
const REQUESTS = 20_000;
const METERED = { header: 'x-usage', most: MOST };

/** What the upstream is told to answer. */
interface Answer {
  readonly status: number;
  /** What `x-usage` holds; null: it is not there. */
  readonly usage: string | null;
}

interface Flight {
  readonly opened: OpenRequest;
  readonly consumer: number;
  readonly answer: Answer;
  /** When it was charged. */
  readonly atMs: number;
}

function config(
  quotas: Quota[],
  { consumers = 1, settlement = METERED }: { consumers?: number; settlement?: object } = {},
): PluginConfig {
  const base = pluginConfig(quotas, { consumers });
  return { ...base, apis: [{ ...base.apis[0]!, cost: RESERVE, settlement }] };
}

function answerTo(asked: HeaderMap): Pair[] {
  const usage = asked.first('x-answer-usage');
  return [
    [':status', asked.first('x-answer-status') ?? '200'],
    ...(usage === undefined ? [] : [['x-usage', usage] as Pair]),
  ];
}

function openHost(workers: number, policy: PluginConfig): Host {
  const host = new Host(module, { workers, startMs: START_MS, upstream: answerTo });
  assert.ok(host.load(JSON.stringify(policy)), host.logs().join('\n'));
  return host;
}

function open(host: Host, worker: number, consumer: number, answer: Answer): Flight | null {
  const headers: Pair[] = [
    ...request(consumer),
    ['x-answer-status', String(answer.status)],
    ...(answer.usage === null ? [] : [['x-answer-usage', answer.usage] as Pair]),
  ];
  const opened = host.open(headers, { worker, lasts: true });
  if (opened.isUnderWay) return { opened, consumer, answer, atMs: host.process.clock.wallMs };
  assert.equal(decisionOf(opened.exchange!)?.reason, 'quota_exceeded', host.faults.join());
  return null;
}

function someAnswer(random: Random): Answer {
  const kind = random.below(10);
  return {
    status: random.pick([200, 200, 201, 404, 500]),
    usage:
      kind < 2
        ? String(random.below(RESERVE + 1))
        : kind < 7
          ? String(random.below(MOST + 10))
          : kind === 7
            ? random.pick(['-1', '1e3', '4, 5', '0x10', '99999999999999999999999999999999999', ' 7'])
            : null,
  };
}

/** What an answer comes to, worked out from the rules alone. */
function unitsOf({ status, usage }: Answer, successOnly: boolean): number {
  if (successOnly && (status < 200 || status > 299)) return 0;
  if (usage === null || !/^[0-9]{1,32}$/.test(usage)) return RESERVE;
  return Number(BigInt(usage) < BigInt(MOST) ? BigInt(usage) : BigInt(MOST));
}

/** All units that the pool counts in its newest windows. */
function stored(host: Host): number {
  let sum = 0;
  for (let shard = 0; shard < 1024; shard++) {
    const { value } = host.process.sharedData.get(`tollgate/1/petstore/${shard}`)!;
    for (let at = 24; at < value.length; at += 56) sum += Number(value.readBigInt64LE(at + 24));
  }
  return sum;
}

/** Opens requests in all workers in turn until every one refuses, with time for leases to come back. */
function drain(host: Host, consumer: number): number {
  let passed = 0;
  for (let quiet = 0; quiet < 4;) {
    const before = passed;
    for (let worker = 0; worker < host.workers.length; worker++) {
      for (;;) {
        const flight = open(host, worker, consumer, { status: 200, usage: null });
        if (flight === null) break;
        flight.opened.answer();
        passed++;
      }
    }
    host.pass(SETTLE_MS);
    quiet = passed === before ? quiet + 1 : 0;
  }
  return passed;
}

/** A slow model: units by consumer and window, as the rules say. */
class SettledModel {
  private readonly used = new Map<string, number>();
  private readonly owed = new Map<string, number>();

  constructor(private readonly windowMs: number) {}

  in(consumer: number, ms: number): number {
    return this.used.get(this.key(consumer, ms)) ?? 0;
  }

  /**
   * True when one more may pass. Beside what has settled for more, other workers may still spend what they have leased, which counts as used
   * already; a worker alone has no such others.
   */
  mayPass(consumer: number, ms: number, limit: number, workers: number): boolean {
    const owed = workers === 1 ? 0 : (this.owed.get(this.key(consumer, ms)) ?? 0);
    return this.in(consumer, ms) + RESERVE <= limit + owed;
  }

  reserve(consumer: number, ms: number): void {
    this.add(this.key(consumer, ms), RESERVE);
  }

  settle(consumer: number, reservedMs: number, ms: number, units: number): void {
    const more = units - RESERVE;
    const isSame = this.key(consumer, reservedMs) === this.key(consumer, ms);
    const key = this.key(consumer, ms);
    if (more > 0) this.owed.set(key, (this.owed.get(key) ?? 0) + more);
    if (isSame || more > 0) this.add(key, more);
  }

  private key(consumer: number, ms: number): string {
    return `${consumer} ${Math.floor(ms / this.windowMs)}`;
  }

  private add(key: string, units: number): void {
    this.used.set(key, (this.used.get(key) ?? 0) + units);
  }
}

describe('settled requests', () => {
  for (const workers of [1, 4]) {
    for (const successOnly of [false, true]) {
      it(`come to the sum of what they cost over ${REQUESTS} requests with resets, with ${workers} workers${successOnly ? ', of successes only' : ''}`, () => {
        const consumers = 3;
        const limit = 60_000;
        const settlement = { header: 'x-usage', most: MOST, ...(successOnly && { successOnly }) };
        const host = openHost(workers, config([{ name: 'q', limit, window: 'day' }], { consumers, settlement }));
        const random = new Random(workers * 2 + Number(successOnly));
        const model = new SettledModel(86_400_000);
        const inFlight: Flight[] = [];
        const most = Array.from({ length: consumers }, () => 0);
        let refused = 0;
        const end = (flight: Flight): void => {
          const now = host.process.clock.wallMs;
          const how = random.below(6);
          if (how === 0) flight.opened.reset();
          else if (how === 1) {
            flight.opened.timeOut();
            host.pass(25);
            model.settle(flight.consumer, flight.atMs, now, successOnly ? 0 : RESERVE);
          } else {
            flight.opened.answer();
            model.settle(flight.consumer, flight.atMs, now, unitsOf(flight.answer, successOnly));
          }
        };
        for (let i = 0; i < REQUESTS; i++) {
          if (random.chance(0.05)) host.pass(random.pick([1, 20, 260]));
          const consumer = random.below(consumers);
          const used = model.in(consumer, host.process.clock.wallMs);
          const flight = open(host, random.below(workers), consumer, someAnswer(random));
          if (flight === null) refused++;
          else {
            assert.ok(model.mayPass(consumer, flight.atMs, limit, workers), `one passed with ${used} of ${limit} used`);
            model.reserve(consumer, flight.atMs);
            inFlight.push(flight);
          }
          const own = inFlight.filter((one) => one.consumer === consumer).length;
          most[consumer] = Math.max(most[consumer]!, own);
          while (inFlight.length > 0 && random.chance(inFlight.length > 40 ? 0.8 : 0.45))
            end(inFlight.splice(random.below(inFlight.length), 1)[0]!);
        }
        for (const flight of inFlight.splice(0)) end(flight);
        host.pass(60 * SETTLE_MS);
        const now = host.process.clock.wallMs;
        const sums = most.map((_, consumer) => model.in(consumer, now));
        assert.equal(
          stored(host),
          sums.reduce((a, b) => a + b),
          'the pool counts what all have cost',
        );
        for (const [consumer, sum] of sums.entries()) {
          const bound = limit + most[consumer]! * (MOST - RESERVE);
          assert.ok(sum <= bound, `${sum} of ${limit}, with ${most[consumer]} in flight`);
          const passed = drain(host, consumer);
          const room = Math.max(0, Math.floor((limit - sum) / RESERVE));
          assert.equal(passed, room, `consumer ${consumer}: ${sum} of ${limit} used`);
        }
        assert.ok(refused > 0 || sums.every((sum) => sum < limit), `${refused} refused`);
        assert.deepEqual(host.faults, []);
      });
    }

    for (const seed of SEEDS) {
      it(`agree with a list of requests over windows that turn, with ${workers} workers (seed ${seed})`, () => {
        const limit = 200;
        const host = openHost(workers, config([{ name: 'q', limit, window: 'minute' }], { consumers: 2 }));
        const random = new Random(seed * 131 + workers);
        const model = new SettledModel(60_000);
        const inFlight: Flight[] = [];
        const { clock } = host.process;
        for (let i = 0; i < 4000; i++) {
          if (random.chance(0.3)) host.pass(random.pick([5, 40, 260, 900, 4000]));
          const consumer = random.below(2);
          const used = model.in(consumer, clock.wallMs);
          const flight = open(host, random.below(workers), consumer, someAnswer(random));
          if (flight !== null) {
            assert.ok(model.mayPass(consumer, flight.atMs, limit, workers), `one passed with ${used} of ${limit} used`);
            model.reserve(consumer, clock.wallMs);
            inFlight.push(flight);
          } else if (workers === 1) assert.ok(used + RESERVE > limit, `refused with ${used} of ${limit} used`);
          if (inFlight.length === 0 || random.chance(0.5)) continue;
          const [ended] = inFlight.splice(random.below(inFlight.length), 1);
          ended!.opened.answer();
          model.settle(ended!.consumer, ended!.atMs, clock.wallMs, unitsOf(ended!.answer, false));
        }
        for (const consumer of [0, 1]) {
          // to the beginning of a window, in which all that is left of it is used up
          host.pass(60_000 - (clock.wallMs % 60_000));
          for (const flight of inFlight.splice(0, 3)) {
            flight.opened.answer();
            model.settle(flight.consumer, flight.atMs, clock.wallMs, unitsOf(flight.answer, false));
          }
          const sum = model.in(consumer, clock.wallMs);
          assert.equal(drain(host, consumer), Math.max(0, Math.floor((limit - sum) / RESERVE)), `${sum} used`);
        }
        assert.deepEqual(host.faults, []);
      });
    }

    it(`never let more than the burst and its rate through a bucket that only gets back, with ${workers} workers`, () => {
      for (const seed of SEEDS) {
        const random = new Random(seed * 17 + workers);
        const settlement = { header: 'x-usage', most: RESERVE };
        const host = openHost(workers, config([{ name: 'b', limit: 10, window: 'second', burst: 30 }], { settlement }));
        const kept: { readonly ms: number; units: number }[] = [];
        const inFlight: { readonly flight: Flight; readonly taken: { units: number } }[] = [];
        for (let i = 0; i < 1500; i++) {
          if (random.chance(0.4)) host.pass(random.pick([1, 20, 150, 700]));
          const usage = String(random.below(RESERVE + 1));
          const flight = open(host, random.below(workers), 0, { status: 200, usage });
          if (flight !== null) {
            const taken = { ms: flight.atMs, units: RESERVE };
            kept.push(taken);
            inFlight.push({ flight, taken });
          }
          if (inFlight.length === 0 || random.chance(0.4)) continue;
          const [{ flight: ended, taken }] = inFlight.splice(random.below(inFlight.length), 1) as [
            (typeof inFlight)[0],
          ];
          ended.opened.answer();
          // what flows back by itself is not given back as well, so no less than this was kept
          taken.units = Number(ended.answer.usage);
        }
        for (let from = 0; from < kept.length; from++) {
          let sum = 0;
          for (let to = from; to < kept.length; to++) {
            sum += kept[to]!.units;
            const most = 30 + (kept[to]!.ms - kept[from]!.ms) / 100 + 1e-6;
            assert.ok(sum <= most, `seed ${seed}: ${sum} in ${kept[to]!.ms - kept[from]!.ms} ms, at most ${most}`);
          }
        }
        assert.deepEqual(host.faults, []);
      }
    });
  }

  it('of a bucket are owed by it to the last token, and no longer than a year', () => {
    const host = openHost(2, config([{ name: 'b', limit: 1, window: 'second', burst: 10 }]));
    const flights = Array.from({ length: 3 }, (_, i) => open(host, i % 2, 0, { status: 200, usage: String(MOST) })!);
    for (const flight of flights) flight.opened.answer();
    // three times forty tokens, of which there were ten
    assert.equal(open(host, 0, 0, { status: 200, usage: null }), null);
    host.pass((120 - 10 + RESERVE) * 1000 - 100);
    assert.equal(open(host, 1, 0, { status: 200, usage: null }), null);
    host.pass(400);
    assert.ok(open(host, 0, 0, { status: 200, usage: null }));
    const slow = openHost(
      1,
      config([{ name: 'b', limit: 1, window: 'day', burst: 3 }], {
        settlement: { header: 'x-usage', most: 1_000_000 },
      }),
    );
    open(slow, 0, 0, { status: 200, usage: '1000000' })!.opened.answer();
    const { response } = slow.request(request(0));
    const seconds = Number(response.first('retry-after'));
    assert.ok(seconds > 300 * 86_400 && seconds <= 366 * 86_400, `${seconds} s`);
    assert.deepEqual([...host.faults, ...slow.faults], []);
  });

  it('are settled once, when workers settle at the same moment', () => {
    const host = openHost(2, config([{ name: 'q', limit: 10_000, window: 'day' }]));
    const flights = Array.from({ length: 40 }, (_, i) => open(host, i % 2, 0, { status: 200, usage: '30' })!);
    const others = flights.filter((_, i) => i % 2 === 1);
    let races = 0;
    host.process.sharedData.beforeSet = (key) => {
      if (!/petstore\/\d+$/.test(key) || others.length === 0 || races === 15) return;
      races++;
      others.pop()!.opened.answer();
    };
    for (const flight of flights.filter((_, i) => i % 2 === 0)) flight.opened.answer();
    host.process.sharedData.beforeSet = undefined;
    for (const flight of others) flight.opened.answer();
    assert.ok(races > 5, `${races} races`);
    host.pass(60 * SETTLE_MS);
    assert.equal(stored(host), 40 * 30);
    assert.deepEqual(host.faults, []);
  });

  it('leave nothing behind in the VM, however they end', () => {
    const host = openHost(1, config([{ name: 'q', limit: 2 ** 50, window: 'day' }]));
    const flood = (): void => {
      const flights = Array.from({ length: 3000 }, () => open(host, 0, 0, { status: 200, usage: '5' })!);
      flights.forEach((flight, i) => (i % 3 === 0 ? flight.opened.reset() : flight.opened.answer()));
      host.pass(20);
    };
    flood();
    const before = host.workers[0]!.memory.byteLength;
    for (let i = 0; i < 5; i++) flood();
    assert.equal(host.workers[0]!.memory.byteLength, before);
    assert.deepEqual(host.faults, []);
  });

  it('pay what was reserved, where more are in flight than a VM remembers', () => {
    const host = openHost(1, config([{ name: 'q', limit: 2 ** 50, window: 'day' }]));
    const flights = Array.from({ length: 16_384 + 10 }, () => open(host, 0, 0, { status: 200, usage: '5' })!);
    for (const flight of flights) flight.opened.answer();
    host.pass(60 * SETTLE_MS);
    assert.equal(stored(host), 16_384 * 5 + 10 * RESERVE);
  });
});
