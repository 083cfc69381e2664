import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyOf } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import { Host } from '../../scripts/host/host.ts';
import { compilePolicy, parsePolicy, type PluginConfig, type Policy } from '../../scripts/policy/index.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { CALENDAR_WINDOWS, CalendarModel, type CalendarFields, type CalendarWindow } from './calendarModel.ts';
import { module, request } from './quotaHost.ts';

const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
const DAY = 86_400;
/** How far ahead a config knows its zones, whatever the window. */
const AHEAD = 730 * DAY;

interface Span {
  readonly start: number;
  readonly end: number;
}

/** A policy whose plan has one quota for each of the calendar's windows. */
function policyOf({ zone, dayBegins, weekBegins, monthBegins, yearBegins }: CalendarFields): Policy {
  const { policy, findings } = parsePolicy({
    policy: 'calendar',
    upstreams: { u: { url: 'http://127.0.0.1:9001' } },
    apis: { a: { paths: ['/v1'], plans: ['free'], upstream: 'u' } },
    plans: {
      free: {
        quotas: Object.fromEntries(CALENDAR_WINDOWS.map((window) => [window, { limit: 2 ** 40, window }])),
        calendar: { zone, dayBegins, weekBegins: WEEKDAYS[weekBegins - 1], monthBegins, yearBegins },
      },
    },
    consumers: { acme: { plan: 'free', keys: [{ id: 'k', digest: digestOf(keyOf(0)) }] } },
  });
  assert.ok(policy, JSON.stringify(findings));
  return policy;
}

/** The module's windows: a fresh host is asked, because a clock that is set back goes on with the newest window. */
function moduleWindows(config: string, second: number): Record<CalendarWindow, Span> {
  const host = new Host(module, { workers: 1, mainThread: false, startMs: second * 1000 });
  assert.ok(host.load(config), host.logs('error').join('\n'));
  return windowsNow(host, second);
}

function windowsNow(host: Host, second: number): Record<CalendarWindow, Span> {
  const { response } = host.request(request(0));
  const field = (name: string, of: string): Map<string, number> =>
    new Map(
      [...(response.first(name) ?? '').matchAll(/"(\w+)"([^,]*)/g)].map(([, quota, rest]) => [
        quota!,
        Number(new RegExp(`;${of}=(\\d+)`).exec(rest!)![1]),
      ]),
    );
  const [widths, resets] = [field('ratelimit-policy', 'w'), field('ratelimit', 't')];
  return Object.fromEntries(
    CALENDAR_WINDOWS.map((window) => {
      const end = second + resets.get(window)!;
      return [window, { start: end - widths.get(window)!, end }];
    }),
  ) as Record<CalendarWindow, Span>;
}

function randomFields(random: Random, zone: string): CalendarFields {
  return {
    zone,
    dayBegins: random.pick(['00:00', '00:00', '00:00', '02:30', '06:00', '23:59']),
    weekBegins: 1 + random.below(7),
    monthBegins: random.pick([1, 15, 28, 29, 30, 31]),
    yearBegins: random.pick(['01-01', '04-01', '02-29', '12-31', '07-15']),
  };
}

function text(second: number): string {
  return new Date(second * 1000).toISOString();
}

/** Compares module and model at instants that are chosen from those around which the clock changes. */
function compare(fields: CalendarFields, at: number, choose: (around: readonly number[]) => readonly number[]): void {
  const compiled = compilePolicy(policyOf(fields), at);
  const config = JSON.stringify(compiled);
  const model = new CalendarModel(fields);
  for (const second of choose(instantsAround(compiled, model, at))) {
    const found = moduleWindows(config, second);
    for (const window of CALENDAR_WINDOWS) {
      const { start, end } = model.windowAt(window, second);
      assert.deepEqual(
        { start: text(found[window].start), end: text(found[window].end) },
        { start: text(start), end: text(end) },
        `${window} at ${text(second)}, ${JSON.stringify(fields)}`,
      );
    }
  }
}

/** Seconds around every change of a zone's clock in the compiled table, and around ends of windows there. */
function instantsAround({ zones = [] }: PluginConfig, model: CalendarModel, at: number): number[] {
  const first = Date.UTC(new Date(at * 1000).getUTCFullYear(), 0) / 1000;
  const changes = (zones[0]?.changes ?? [])
    .map((change) => change.at)
    .filter((second) => second > first && second < at + AHEAD);
  const ends = changes.flatMap((second) => {
    const { start, end } = model.windowAt('day', second);
    return [start, end];
  });
  return [...changes, ...ends].flatMap((second) => [second - 1, second, second + 1]);
}

describe('windows of a calendar', () => {
  const zones = Intl.supportedValuesOf('timeZone');
  const random = new Random(14);

  it(`are those of the zone's clock, in samples of all ${zones.length} zones`, () => {
    for (const zone of zones) {
      const year = 2024 + random.below(8);
      const at = Date.UTC(year, random.below(12), 1 + random.below(28)) / 1000;
      const fields = randomFields(random, zone);
      compare(fields, at, (around) => [
        ...Array.from({ length: 3 }, () => at + random.below(AHEAD)),
        ...Array.from({ length: around.length === 0 ? 0 : 3 }, () => random.pick(around)),
      ]);
    }
  });

  for (const [zone, at, why] of [
    ['America/Sao_Paulo', '2018-06-01', 'skips midnight, and shows an hour before it twice'],
    ['Asia/Beirut', '2026-06-01', 'skips midnight in spring'],
    ['Africa/Cairo', '2026-06-01', 'skips midnight in spring'],
    ['Africa/Casablanca', '2026-06-01', 'sets its clock back for Ramadan'],
    ['Australia/Lord_Howe', '2026-06-01', 'changes by half an hour'],
    ['Pacific/Apia', '2011-06-01', 'skipped a whole day'],
    ['Asia/Kathmandu', '2026-06-01', 'is 5:45 ahead'],
    ['Pacific/Kiritimati', '2026-06-01', 'is 14 hours ahead'],
    ['America/St_Johns', '2010-06-01', 'changed one minute after midnight'],
    ['Europe/Berlin', '2026-06-01', 'has days of 23 and 25 hours'],
    ['Pacific/Chatham', '2026-06-01', 'is 12:45 ahead, with daylight saving'],
    ['Antarctica/Troll', '2026-06-01', 'changes by two hours'],
  ] as const) {
    it(`are right around every change in ${zone}, which ${why}`, () => {
      for (let i = 0; i < 3; i++) {
        const fields = { ...randomFields(random, zone), ...(i === 0 && { dayBegins: '00:00' }) };
        const second = Date.parse(at) / 1000;
        compare(fields, second, (around) => around);
      }
    });
  }
});
