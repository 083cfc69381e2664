import type { CalendarConfig, PluginConfig, Window, ZoneConfig } from '../../contract/pluginConfig.ts';
import { WEEKDAYS, type Calendar } from '../schema/calendar.ts';
import type { Policy } from '../schema/policy.ts';

const DAY = 86_400;
/** Zones change their clocks at most a few times a year; several may tell one from the next. */
const STEP_SECONDS = DAY;
const [YEARS_BEFORE, YEARS_AFTER] = [1, 4];
const UTC = 'UTC';

/** A calendar as the module reads it: what is as in UTC is left out. */
export function compileCalendar({ zone, dayBegins, weekBegins, monthBegins, yearBegins }: Calendar): CalendarConfig {
  const [hours, minutes] = (dayBegins ?? '00:00').split(':').map(Number) as [number, number];
  const [month, day] = (yearBegins ?? '01-01').split('-').map(Number) as [number, number];
  const config: Required<CalendarConfig> = {
    zone: zone ?? UTC,
    dayBeginsMinutes: hours * 60 + minutes,
    weekBegins: weekBegins === undefined ? 1 : WEEKDAYS.indexOf(weekBegins) + 1,
    monthBegins: monthBegins ?? 1,
    yearBeginsMonth: month,
    yearBeginsDay: day,
  };
  return Object.fromEntries(Object.entries(config).filter(([name, value]) => value !== DEFAULTS[name]));
}

const DEFAULTS: Readonly<Record<string, unknown>> = {
  zone: UTC,
  dayBeginsMinutes: 0,
  weekBegins: 1,
  monthBegins: 1,
  yearBeginsMonth: 1,
  yearBeginsDay: 1,
};

/** True where some window may begin elsewhere than in UTC. */
export function hasCalendars(policy: Pick<Policy, 'plans' | 'consumers'>): boolean {
  return calendarsOf(policy).length > 0;
}

function calendarsOf({ plans, consumers }: Pick<Policy, 'plans' | 'consumers'>): Calendar[] {
  return [...Object.values(plans), ...Object.values(consumers)].flatMap(({ calendar }) => calendar ?? []);
}

/** `1d` beside calendars: a length that is counted from the epoch, and no day of theirs. */
export function lengthBesideCalendars(window: string, same: Window): Window {
  return same === 'day' && window !== 'day' ? '1d' : same;
}

/**
 * What the module needs to know of every zone that a policy names: for every window that begins up to 24 months after `atSeconds`, be it
 * a year. It covers whole years, from the one before, so it is the same on every day of a year.
 */
export function compileZones(policy: Policy, atSeconds: number): ZoneConfig[] {
  const names = new Set(calendarsOf(policy).flatMap(({ zone }) => (zone === undefined || zone === UTC ? [] : zone)));
  const year = new Date(atSeconds * 1000).getUTCFullYear();
  const [from, until] = [year - YEARS_BEFORE, year + YEARS_AFTER].map((one) => Date.UTC(one, 0) / 1000) as [
    number,
    number,
  ];
  return [...names].map((name) => compileZone(name, from, until));
}

/** A time at which a config's zones were compiled, so that another policy can be compared with it; undefined for a config without zones. */
export function compiledAt({ zones: [zone] = [] }: Pick<PluginConfig, 'zones'>): number | undefined {
  return zone && Date.UTC(new Date(zone.until * 1000).getUTCFullYear() - YEARS_AFTER, 0) / 1000;
}

export type KnownZone = Pick<ZoneConfig, 'name' | 'until'>;

/** Whoever looks once a month hears of it twice. */
const SOON_DAYS = 60;
const MOST_NAMED = 3;

/** What to say of zones that a config knows for less than 60 days more, or no longer; null where there are none. */
export function endingText(zones: readonly KnownZone[], nowSeconds: number): string | null {
  const ending = zones.filter(({ until }) => until < nowSeconds + SOON_DAYS * DAY);
  if (ending.length === 0) return null;
  const until = Math.min(...ending.map((zone) => zone.until));
  const names = ending.map(({ name }) => name);
  const named = `${names.slice(0, MOST_NAMED).join(', ')}${names.length > MOST_NAMED ? ', …' : ''}`;
  const left = Math.floor((until - nowSeconds) / DAY);
  const when = left < 0 ? 'which is over' : `${left} ${left === 1 ? 'day' : 'days'} from now`;
  const end = new Date(Math.max(0, Math.min(until, LATEST_SECONDS)) * 1000).toISOString().slice(0, 10);
  return `the config knows when clocks change until ${end}, ${when} (${named}); after that windows of calendars may begin an hour off`;
}

const LATEST_SECONDS = Date.UTC(9999, 11, 31) / 1000;

function compileZone(name: string, from: number, until: number): ZoneConfig {
  const clock = new Clock(name);
  const offsetSeconds = clock.offsetAt(from);
  const changes: NonNullable<ZoneConfig['changes']> = [];
  let offset = offsetSeconds;
  for (let at = from; at < until; at = Math.min(at + STEP_SECONDS, until)) {
    const end = Math.min(at + STEP_SECONDS, until);
    for (let since = at; clock.offsetAt(end) !== offset;) {
      since = clock.firstOther(offset, since, end);
      offset = clock.offsetAt(since);
      changes.push({ at: since, offsetSeconds: offset });
    }
  }
  return { name, offsetSeconds, ...(changes.length > 0 && { changes }), until };
}

/** What a zone's clock shows, such as `2026-12-15 00:00:00`. */
export function shownIn(zone: string, second: number): string {
  const shown = second + new Clock(zone).offsetAt(second);
  return new Date(shown * 1000).toISOString().slice(0, 19).replace('T', ' ');
}

/** A zone's clock, as `Intl` shows it. */
class Clock {
  readonly #format: Intl.DateTimeFormat;

  constructor(timeZone: string) {
    const numeric = 'numeric';
    this.#format = new Intl.DateTimeFormat('en-US', {
      ...{ timeZone, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23' },
      ...{ year: numeric, month: numeric, day: numeric, hour: numeric, minute: numeric, second: numeric },
    });
  }

  /** Seconds ahead of UTC. */
  offsetAt(second: number): number {
    const [month, day, year, hour, minute, rest] = this.#format
      .format(second * 1000)
      .match(/\d+/g)!
      .map(Number);
    return Date.UTC(year!, month! - 1, day, hour, minute, rest) / 1000 - second;
  }

  /** A second after `from`, and up to `to`, at which the clock leaves an offset. */
  firstOther(offset: number, from: number, to: number): number {
    let [low, high] = [from, to];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.offsetAt(middle) === offset) low = middle;
      else high = middle;
    }
    return high;
  }
}
