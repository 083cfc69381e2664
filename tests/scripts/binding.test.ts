import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../harness/random.ts';
import { fixedSeconds } from '../../scripts/contract/table.ts';
import { mostWithin, neverBinds, windowsWithin, type CountedLimit } from '../../scripts/policy/check/binding.ts';
import { checkPolicy, printPath } from '../../scripts/policy/index.ts';

const WINDOWS = ['second', 'minute', 'hour', 'day', 'week', 'month', 'year'];
const LENGTHS = ['7s', '90s', '15m', '40m', '6h', '7h', '36h', '7d', '30d', '31d', '365d', '366d'];
const DAY = 86_400;

/** The first second of the window that a time lies in, by the Date of JavaScript. */
function beginOf(window: string, second: number): number {
  const date = new Date(second * 1000);
  if (window === 'year') return Date.UTC(date.getUTCFullYear()) / 1000;
  if (window === 'month') return Date.UTC(date.getUTCFullYear(), date.getUTCMonth()) / 1000;
  if (window === 'week') {
    const sinceMonday = (date.getUTCDay() + 6) % 7;
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() - sinceMonday) / 1000;
  }
  const length = fixedSeconds(window)!;
  return Math.floor(second / length) * length;
}

/** The first second after the window that begins at one. */
function endOf(window: string, begin: number): number {
  const length = fixedSeconds(window);
  if (length !== null) return begin + length;
  return beginOf(window, begin + { week: 7, month: 31, year: 366 }[window]! * DAY + DAY / 2);
}

/** Counted one by one; a window with more than this in it is left out. */
const MOST_COUNTED = 1500;

function counted(window: string, other: string, begin: number): number {
  const end = endOf(window, begin);
  let count = 0;
  for (let at = begin; at < end && count <= MOST_COUNTED; at = endOf(other, beginOf(other, at))) count++;
  return count;
}

test('no window touches more windows of another length than windowsWithin says, and some touch as many', () => {
  const random = new Random(5);
  const pairs = [...WINDOWS, ...LENGTHS].flatMap((window) =>
    [...WINDOWS, ...LENGTHS].map((other) => [window, other] as const),
  );
  let tight = 0;
  let fixed = 0;
  for (const [window, other] of pairs) {
    const most = windowsWithin(window, other);
    if (most > MOST_COUNTED) continue;
    let found = 0;
    // one after the other from 2023 on, over a leap year; and others, far apart
    let begin = beginOf(window, Date.UTC(2023, 0) / 1000);
    for (let i = 0; i < 60; i++) {
      found = Math.max(found, counted(window, other, begin));
      begin = endOf(window, begin);
    }
    for (let i = 0; i < 30; i++)
      found = Math.max(found, counted(window, other, beginOf(window, random.below(4_000_000_000))));
    assert.ok(found <= most, `${window} touches ${found} windows of ${other}, not ${most} at most`);
    if (fixedSeconds(window) !== null && fixedSeconds(other) !== null) fixed++;
    if (found === most) tight++;
  }
  assert.ok(fixed > 150 && tight > pairs.length / 2, `${tight} of ${pairs.length}`);
  for (const [window, other, most] of [
    ['minute', 'second', 60],
    ['second', 'minute', 1],
    ['month', 'day', 31],
    ['year', 'day', 366],
    ['year', 'month', 12],
    ['month', 'year', 1],
    ['day', 'month', 1],
    ['week', 'month', 2],
    ['week', '7d', 2],
    ['60s', 'minute', 1],
  ] as const)
    assert.equal(windowsWithin(window, other), most, `${window} and ${other}`);
});

/** A quota that knows every request it has let pass. */
class Model {
  readonly #spent: { at: number; cost: number }[] = [];

  constructor(private readonly limit: CountedLimit) {}

  /** At a time in milliseconds. */
  allows(at: number, cost: number): boolean {
    const { limit, window, burst } = this.limit;
    if (burst === undefined) {
      const begin = beginOf(window, Math.floor(at / 1000));
      const used = this.#spent.reduce((sum, one) => sum + (one.at >= begin * 1000 ? one.cost : 0), 0);
      return used + cost <= limit;
    }
    let tokens = burst;
    let before = 0;
    for (const one of this.#spent) {
      tokens = Math.min(burst, tokens + ((one.at - before) * limit) / (fixedSeconds(window)! * 1000)) - one.cost;
      before = one.at;
    }
    tokens = Math.min(burst, tokens + ((at - before) * limit) / (fixedSeconds(window)! * 1000));
    return tokens + 1e-6 >= cost;
  }

  spend(at: number, cost: number): void {
    this.#spent.push({ at, cost });
  }
}

/** True when callers bring the quota to refuse what the other one lets pass: by sending all that the other lets pass. */
function binds(quota: CountedLimit, other: CountedLimit, random: Random): boolean {
  for (const startMs of [0, 900, 999, 1900, 2999, random.below(12_000)]) {
    const [one, two] = [new Model(quota), new Model(other)];
    const step = random.pick([50, 100, 250]);
    for (let at = 36_000_000 + startMs; at < 36_000_000 + startMs + 13_000; at += step) {
      while (two.allows(at, 1)) {
        if (!one.allows(at, 1)) return true;
        one.spend(at, 1);
        two.spend(at, 1);
      }
    }
  }
  return false;
}

test('what is said never to bind refuses nothing that the other quota lets pass, whatever callers do', () => {
  const random = new Random(8);
  const met = { never: 0, binds: 0 };
  const some = (): CountedLimit => {
    const window = random.pick(['second', '2s', '3s', '4s', '6s']);
    const limit = 1 + random.below(8);
    return random.chance(0.4) ? { limit, window, burst: 1 + random.below(8) } : { limit, window };
  };
  for (let round = 0; round < 400; round++) {
    const [quota, other] = [some(), some()];
    const pair = `${JSON.stringify(quota)} beside ${JSON.stringify(other)}`;
    if (neverBinds(quota, other)) {
      met.never++;
      assert.ok(!binds(quota, other, random), `${pair} binds`);
      // requests of any cost, at any time
      const [one, two] = [new Model(quota), new Model(other)];
      let at = 36_000_000;
      for (let i = 0; i < 60; i++) {
        at += random.below(700);
        const cost = random.below(5);
        if (!two.allows(at, cost)) continue;
        assert.ok(one.allows(at, cost), `${pair} refuses a cost of ${cost}`);
        one.spend(at, cost);
        two.spend(at, cost);
      }
    } else if (binds(quota, other, random)) met.binds++;
  }
  assert.ok(met.never > 60 && met.binds > 150, JSON.stringify(met));
});

test('the most that passes within a window is counted exactly', () => {
  const second = { limit: 1, window: 'second' };
  assert.equal(mostWithin('minute', second), 60n);
  assert.equal(mostWithin('minute', second, 3), 180n);
  assert.equal(mostWithin('month', { limit: 2 ** 53, window: 'second' }), 2n ** 53n * 31n * 86_400n);
  // a full bucket at once, and a token each second but the one that comes with the next window
  assert.equal(mostWithin('minute', { ...second, burst: 10 }), 69n);
});

/** What is said of a plan's quotas, in a policy with APIs that offer it. */
function said(quotas: object, rest: { apis?: number; consumers?: object; more?: object } = {}): string[] {
  const { apis = 1, consumers = {}, more = {} } = rest;
  const names = Array.from({ length: apis }, (_, index) => `api${index}`);
  return checkPolicy({
    policy: 'p',
    apis: Object.fromEntries(names.map((name) => [name, { paths: [`/${name}`], plans: ['free', 'gold'] }])),
    plans: { free: { quotas }, gold: { quotas: {} } },
    consumers,
    ...more,
  })
    .filter(({ rule }) => rule.startsWith('never binds'))
    .map(({ path, rule }) => `${printPath(path)}: ${rule}`);
}

test('quotas are compared only where they count the same requests, in the same place', () => {
  const second = { limit: 1, window: 'second' };
  const minute = { limit: 60, window: 'minute' };
  const service = { rateLimitService: { cluster: 'c' } };
  assert.equal(said({ second, minute }).length, 1);
  assert.deepEqual(said({ second, minute: { ...minute, limit: 59 } }), []);
  assert.deepEqual(said({ second: { limit: 10, window: 'second' }, daily: { limit: 1000, window: 'day' } }), []);
  // each of two APIs has its own seconds, and all of them one minute
  assert.deepEqual(said({ second: { ...second, per: 'api' }, minute }, { apis: 2 }), []);
  assert.equal(said({ second: { ...second, per: 'api' }, minute }, { apis: 1 }).length, 1);
  assert.equal(said({ second, minute: { ...minute, per: 'api' } }, { apis: 2 }).length, 1);
  // every Envoy has its own seconds
  const mesh = { ...minute, scope: 'mesh' };
  assert.deepEqual(said({ second, mesh }, { more: service }), []);
  assert.deepEqual(said({ minute, second: { ...second, scope: 'mesh' } }, { more: service }), []);
  assert.equal(said({ mesh, second: { ...second, scope: 'mesh' } }, { more: service }).length, 1);
  assert.deepEqual(said({ mesh, second: { ...second, scope: 'mesh', onUnavailable: 'allow' } }, { more: service }), []);
});

test('a quota that is only observed keeps no other from binding', () => {
  const second = { limit: 1, window: 'second' };
  const minute = { limit: 60, window: 'minute' };
  assert.deepEqual(said({ second: { ...second, mode: 'observe' }, minute }), []);
  assert.equal(said({ second, minute: { ...minute, mode: 'observe' } }).length, 1);
  assert.deepEqual(said({ second, minute: { ...minute, mode: 'enforce' } }, { more: { mode: 'observe' } }), []);
  assert.equal(said({ second: { ...second, mode: 'enforce' }, minute }, { more: { mode: 'observe' } }).length, 1);
});

test('a limit of a subscription counts where it makes the difference', () => {
  const quotas = { second: { limit: 1, window: 'second' }, minute: { limit: 100, window: 'minute' } };
  const having = (limits: object): { consumers: object } => ({
    consumers: { acme: { subscriptions: { api0: { plan: 'free', limits } } } },
  });
  assert.equal(said(quotas, having({ minute: 60 })).length, 1);
  assert.deepEqual(said(quotas, having({ minute: 59 })), []);
  assert.deepEqual(said(quotas, having({ second: 2 })), []);
});

test('a counter that two plans share may bind by what the other plan lets pass', () => {
  const quotas = { second: { limit: 1, window: 'second' }, minute: { limit: 100, window: 'minute' } };
  const gold = { quotas: { minute: { limit: 1000, window: '60s' } } };
  const plans = { free: { quotas }, gold };
  const more = { apis: 2, more: { plans, consumers: { acme: { plan: 'free' }, globex: { plan: 'gold' } } } };
  assert.equal(said(quotas, more).length, 1);
  Object.assign(gold.quotas.minute, { counter: 'minute' });
  assert.deepEqual(said(quotas, more), []);
});

test('of quotas that say the same, one is left', () => {
  const one = { limit: 5, window: 'minute' };
  const paths = said({ a: one, b: { ...one, window: '60s' }, c: { ...one, window: '1m' } });
  assert.deepEqual(
    paths.map((text) => text.slice(0, text.indexOf(':'))),
    ['plans.free.quotas.b.limit', 'plans.free.quotas.c.limit'],
  );
});
