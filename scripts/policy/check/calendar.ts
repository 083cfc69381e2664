import { sameWindow } from '../compile/compile.ts';
import type { Holdings } from '../compile/holding.ts';
import { counterOf } from './counters.ts';
import { quote } from '../secret.ts';
import { granteeIn, holdingsIn } from './consumers.ts';
import type {
  CalendarDraft,
  ConsumerDraft,
  OwnQuotaDraft,
  PlanDraft,
  PolicyDraft,
  QuotaDraft,
  Report,
} from './draft.ts';
import { hasMeshScope } from './quotas.ts';

/** Windows that a calendar moves. */
const MOVED: ReadonlySet<string> = new Set(['day', 'week', 'month', 'year']);
/** Beginnings that concern one window only. */
const BEGINNINGS = { weekBegins: 'week', monthBegins: 'month', yearBegins: 'year' } as const;

/** The window of a quota that follows a calendar; undefined for buckets and lengths, which are counted from 1970 on. */
export function movedWindow(quota: OwnQuotaDraft): string | undefined {
  const { string: window } = quota.get('window');
  return window !== undefined && MOVED.has(window) && !quota.get('burst').given ? window : undefined;
}

/** The rate limit service counts in windows of its own. */
export function checkCalendars(root: PolicyDraft, report: Report): void {
  for (const plan of root.get('plans').entries) {
    if (!plan.get('calendar').given) continue;
    for (const quota of plan.get('quotas').entries.filter(isMeshWindow)) {
      const window = quota.get('window');
      report.add(
        window,
        `must not be a ${window.string} with "scope: mesh" beside the plan's "calendar": the rate limit service counts each ${window.string} in UTC; use "scope: envoy"${window.string === 'day' ? ', or 24h, which is a day in UTC' : ''}`,
      );
    }
  }
  const holdings = holdingsIn(root);
  for (const consumer of root.get('consumers').entries) {
    if (!consumer.get('calendar').given) continue;
    for (const { name, quota } of quotasOf(root, holdings, consumer)) {
      if (!isMeshWindow(quota)) continue;
      report.add(
        consumer.get('calendar'),
        `must not go with quota ${name}, which has "scope: mesh": the rate limit service counts each ${quota.get('window').string} in UTC; give that quota "scope: envoy"`,
        null,
      );
    }
  }
}

/**
 * A counter that quotas of several plans share cannot reset at two times. Quotas that say nothing of a counter share one only along a change
 * of plan, where the open window goes on to its end.
 */
export function checkSharedWindows(root: PolicyDraft, report: Report): void {
  const plans = root.get('plans').entries;
  if (!plans.some((plan) => plan.get('calendar').given)) return;
  const counted = plans.flatMap((plan) =>
    plan.get('quotas').entries.map((quota) => ({
      plan,
      quota,
      counter: `${counterOf(quota)} ${quota.get('per').string ?? 'consumer'}`,
      isShared: quota.get('counter').given || quota.get('per').string === 'group',
      calendar: movedWindow(quota) === undefined ? '' : calendarText(plan),
    })),
  );
  const known = new Map<string, (typeof counted)[number]>();
  for (const one of counted) if (one.isShared && !known.has(one.counter)) known.set(one.counter, one);
  for (const one of counted) {
    const other = known.get(one.counter);
    if (other === undefined || other.plan.key === one.plan.key || other.calendar === one.calendar) continue;
    report.add(
      one.quota.get('counter').given ? one.quota.get('counter') : one.quota.get('window'),
      `must follow the calendar of quota ${quote(other.quota.key)} of plan ${quote(other.plan.key)}, with which it shares a counter: that cannot begin at two times; give both plans one "calendar", or the quotas other counters`,
      null,
    );
  }
}

/**
 * A consumer's own calendar moves the days of all its quotas alike, so that a counter that its plans share resets at one time, but for a
 * length of a day beside a day: that is counted from 1970 on.
 */
export function checkSharedDays(root: PolicyDraft, report: Report): void {
  const holdings = holdingsIn(root);
  const told = new Set<string>();
  for (const consumer of root.get('consumers').entries) {
    if (!consumer.get('calendar').given) continue;
    const known = new Map<string, QuotaDraft>();
    const plans = new Set(holdings.distinct(granteeIn(consumer)).map(({ plan }) => plan));
    for (const quota of [...plans].flatMap((plan) => root.get('plans').named(plan).get('quotas').entries)) {
      if (!quota.get('counter').given) continue;
      const counter = `${counterOf(quota)} ${quota.get('per').string ?? 'consumer'}`;
      const other = known.get(counter);
      if (other === undefined) known.set(counter, quota);
      else if (movedWindow(other) !== movedWindow(quota) && !told.has(counter)) {
        told.add(counter);
        report.add(
          quota.get('window'),
          `must be ${quote(other.get('window').string!)} too, as of quota ${quote(other.key)}, with which it shares a counter: consumer ${quote(consumer.key)} has a "calendar", which moves a day and no length`,
        );
      }
    }
  }
}

/** The same for calendars that say the same. */
function calendarText(plan: PlanDraft): string {
  const fields = plan.get('calendar').entries.map(({ key, value }) => [key, value]);
  return fields.length === 0 ? '' : JSON.stringify(fields.sort());
}

/** Weeks and years are refused for another reason. */
function isMeshWindow(quota: OwnQuotaDraft): boolean {
  return hasMeshScope(quota) && ['day', 'month'].includes(quota.get('window').string ?? '');
}

interface Charged {
  /** For a message. */
  readonly name: string;
  readonly quota: OwnQuotaDraft;
}

/** Quotas that a consumer's requests may be charged to and that would follow its calendar: of its plans, and of operations there. */
function quotasOf(root: PolicyDraft, holdings: Holdings, consumer: ConsumerDraft): Charged[] {
  const held = holdings.distinct(granteeIn(consumer));
  const plans = [...new Set(held.map(({ plan }) => plan))].map((plan) => root.get('plans').named(plan));
  const ofPlans = plans.flatMap((plan) =>
    plan
      .get('quotas')
      .entries.filter((quota) => quota.get('per').string !== 'group')
      .map((quota): Charged => ({ name: `${quote(quota.key)} of plan ${quote(plan.key)}`, quota })),
  );
  const ofOperations = [...new Set(held.map(({ api }) => api))].flatMap((api) =>
    root
      .get('apis')
      .named(api)
      .get('operations')
      .entries.flatMap((operation) =>
        operation.get('quotas').entries.map((quota): Charged => ({
          name: `${quote(quota.key)} of ${quote(operation.key)} on ${api}`,
          quota,
        })),
      ),
  );
  return [...ofPlans, ...ofOperations];
}

/** Calendars, and parts of them, that move nothing. */
export function warnOfCalendars(root: PolicyDraft, holdings: Holdings, report: Report): void {
  for (const plan of root.get('plans').entries) {
    if (!plan.get('calendar').given) continue;
    warnOfUnmoved(plan.get('calendar'), plan.get('quotas').entries, 'the plan', report);
    warnOfDaysInUtc(plan, report);
  }
  for (const consumer of root.get('consumers').entries) {
    if (!consumer.get('calendar').given) continue;
    const quotas = quotasOf(root, holdings, consumer).map(({ quota }) => quota);
    warnOfUnmoved(consumer.get('calendar'), quotas, "the consumer's plans", report);
  }
}

function warnOfUnmoved(calendar: CalendarDraft, quotas: readonly OwnQuotaDraft[], whose: string, report: Report): void {
  const windows = new Set(quotas.map(movedWindow));
  windows.delete(undefined);
  if (windows.size === 0) {
    report.add(
      calendar,
      `has no effect: no quota of ${whose} has the window day, week, month or year; others are counted from 1970-01-01T00:00:00Z`,
      null,
    );
    return;
  }
  for (const [field, window] of Object.entries(BEGINNINGS)) {
    const place = calendar.get(field as keyof typeof BEGINNINGS);
    if (place.given && !windows.has(window))
      report.add(place, `has no effect: no quota of ${whose} has the window ${window}`);
  }
}

/** Who writes 24h beside a calendar may think that it is the calendar's day. */
function warnOfDaysInUtc(plan: PlanDraft, report: Report): void {
  for (const quota of plan.get('quotas').entries) {
    const window = quota.get('window');
    if (window.string === undefined || window.string === 'day' || quota.get('burst').given || hasMeshScope(quota))
      continue;
    if (sameWindow(window.string) === 'day')
      report.add(window, 'is a length, and counted in UTC beside the plan\'s "calendar"; the calendar\'s day is "day"');
  }
}
