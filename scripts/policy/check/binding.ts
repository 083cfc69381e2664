import type { Mode, Per } from '../../contract/pluginConfig.ts';
import { fixedSeconds, WINDOW_UNITS } from '../../contract/table.ts';
import { sameWindow } from '../compile/compile.ts';
import type { Holdings } from '../compile/holding.ts';
import { quote } from '../secret.ts';
import type { ApiDraft, OperationDraft, OwnQuotaDraft, PlanDraft, PolicyDraft, Report } from './draft.ts';
import { ownLimitOf } from './consumers.ts';
import { modesIn } from './mode.ts';
import { hasMeshScope } from './quotas.ts';

/*
 * A quota never binds when another one, which counts the same requests at least, refuses first whatever callers do. Then
 * it says nothing, and its author probably meant another number. What is said here must hold for every order and time of
 * requests: where windows of the two begin at different times, the other quota may be spent twice within one window.
 */

/** A limit as it is counted: in windows of the calendar, or in a bucket of `burst` tokens. */
export interface CountedLimit {
  readonly limit: number;
  readonly window: string;
  readonly burst?: number | undefined;
  /** What says where its days, weeks, months and years begin; undefined: they do so in UTC. */
  readonly calendar?: string | undefined;
}

/** How long windows are, and of what all their beginnings are multiples. In UTC every day has 86,400 seconds. */
interface Lengths {
  readonly least: number;
  readonly most: number;
  readonly grid: number;
}

const { d: DAY } = WINDOW_UNITS;
const CALENDAR: Readonly<Record<string, Lengths>> = {
  week: { least: 7 * DAY, most: 7 * DAY, grid: DAY },
  month: { least: 28 * DAY, most: 31 * DAY, grid: DAY },
  year: { least: 365 * DAY, most: 366 * DAY, grid: DAY },
};

/** By how much a zone's clock may be set forward or back within a window, and in what steps it differs from UTC. */
const [MOST_CHANGED, ZONE_GRID] = [3 * WINDOW_UNITS.h, WINDOW_UNITS.m];

function lengthsOf(window: string, calendar?: string): Lengths {
  const seconds = fixedSeconds(window) ?? 0;
  const lengths = CALENDAR[window] ?? { least: seconds, most: seconds, grid: seconds };
  if (calendar === undefined || !isOfCalendar(window)) return lengths;
  return { least: lengths.least - MOST_CHANGED, most: lengths.most + MOST_CHANGED, grid: ZONE_GRID };
}

function isOfCalendar(window: string): boolean {
  return window === 'day' || Object.hasOwn(CALENDAR, window);
}

/** How many windows of another length one window touches at most. */
export function windowsWithin(window: string, other: string, calendar?: string, otherCalendar?: string): number {
  const known = (one: string, of: string | undefined): string =>
    of !== undefined && isOfCalendar(one) ? `${one} ${of}` : sameWindow(one);
  if (known(window, calendar) === known(other, otherCalendar)) return 1;
  const isPlain = calendar === undefined && otherCalendar === undefined;
  if (isPlain && window === 'year' && other === 'month') return 12;
  if (isPlain && window === 'month' && other === 'year') return 1;
  // windows of one calendar consist of whole days of it
  const together = calendar === otherCalendar && isOfCalendar(window) && isOfCalendar(other);
  const [outer, inner] = together
    ? [lengthsOf(window), lengthsOf(other)]
    : [lengthsOf(window, calendar), lengthsOf(other, otherCalendar)];
  const grid = gcd(outer.grid, inner.grid);
  // beginnings of the other windows that lie inside: the first a step of the grid after the window's own
  const between = outer.most - 2 * grid;
  return between < 0 ? 1 : Math.floor(between / inner.least) + 2;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

const NANOSECONDS = 1_000_000_000n;

/** The most that `other` lets pass within one window, where it has `times` counters for one of this quota. */
export function mostWithin(window: string, other: CountedLimit, times = 1, calendar?: string): bigint {
  if (other.burst === undefined)
    return BigInt(times) * BigInt(other.limit) * BigInt(windowsWithin(window, other.window, calendar, other.calendar));
  const last = BigInt(lengthsOf(window, calendar).most) * NANOSECONDS - 1n;
  return BigInt(times) * (BigInt(other.burst) + last / intervalOf(other));
}

/** Nanoseconds between two tokens of a bucket, rounded up as the module does. */
function intervalOf({ limit, window }: CountedLimit): bigint {
  return (BigInt(lengthsOf(window).most) * NANOSECONDS + BigInt(limit) - 1n) / BigInt(limit);
}

/** True when `other` refuses every request that this quota would refuse, however requests come. */
export function neverBinds(quota: CountedLimit, other: CountedLimit, times = 1): boolean {
  const { burst } = quota;
  if (burst === undefined) return mostWithin(quota.window, other, times, quota.calendar) <= BigInt(quota.limit);
  if (other.burst !== undefined)
    return times * other.burst <= burst && BigInt(times) * intervalOf(quota) <= intervalOf(other);
  // the end of one window and the beginning of the next come at once; after that, a window's limit comes once a window
  if (2 * times * other.limit > burst) return false;
  return (
    BigInt(times * other.limit) * intervalOf(quota) <=
    BigInt(lengthsOf(other.window, other.calendar).least) * NANOSECONDS
  );
}

/** A quota with the lowest and the highest limit that any of its holders has. */
interface Counted {
  readonly quota: OwnQuotaDraft;
  /** What has a counter of its own. */
  readonly per: Per;
  /** Callers without a key are told apart by something else than their addresses, of which one may then have any number of callers. */
  readonly isByHeader: boolean;
  readonly low: CountedLimit;
  readonly high: CountedLimit;
  /** True: it counts requests of other plans too. */
  readonly isShared: boolean;
  /** True: it refuses requests on every API that offers the plan. */
  readonly isEnforced: boolean;
}

/** Quotas that never bind. `shared` holds those of plans that count requests of other plans, by `quotaId`. */
export function warnOfSlack(root: PolicyDraft, holdings: Holdings, shared: ReadonlySet<string>, report: Report): void {
  const overrides = overridesIn(root);
  const modes = modesIn(root);
  const calendars = new Calendars(root);
  const byHeader = new Set(
    root
      .get('apis')
      .entries.filter((api) => api.get('anonymous').get('by').get('header').given)
      .map((api) => api.get('anonymous').get('plan').string),
  );
  const ofPlan = (plan: PlanDraft): Counted[] =>
    plan.get('quotas').entries.map((quota) => {
      const id = quotaId(plan.key, quota.key);
      const per = (quota.get('per').string ?? 'consumer') as Per;
      return {
        ...countedAs(quota, calendars.of(per, plan), overrides.get(id)),
        per,
        isByHeader: byHeader.has(plan.key),
        isShared: shared.has(id),
        isEnforced: modes.observing(quota.key, plan.key).length === 0,
      };
    });
  for (const plan of root.get('plans').entries) warnAmong(ofPlan(plan), holdings.offering(plan.key).length, report);
  for (const api of root.get('apis').entries) {
    for (const operation of api.get('operations').entries) {
      const own = operation.get('quotas').entries.map((quota) => ({
        ...countedAs(quota, calendars.of('operation')),
        per: 'operation' as const,
        isByHeader: false,
        isShared: false,
        isEnforced: modes.ofOwnQuota({ mode: quota.get('mode').string as Mode | undefined }, api.key) === 'enforce',
      }));
      if (own.length === 0 || warnAmong(own, 1, report)) continue;
      const plans = plansOf(api, operation).map((plan) => root.get('plans').named(plan));
      for (const quota of own) warnBeside(quota, plans, ofPlan, report);
    }
  }
}

/** What says where the windows of quotas begin. */
class Calendars {
  readonly #hasOwn: boolean;

  constructor(root: PolicyDraft) {
    this.#hasOwn = root.get('consumers').entries.some((consumer) => consumer.get('calendar').given);
  }

  /** The same for quotas whose windows begin at the same times whoever sends a request; undefined: in UTC. */
  of(per: Per, plan?: PlanDraft): string | undefined {
    const ofPlan = plan?.get('calendar').value;
    // what a group has in common follows the plan
    const isConsumers = this.#hasOwn && per !== 'group';
    if ((ofPlan === undefined || ofPlan === null) && !isConsumers) return undefined;
    return JSON.stringify([ofPlan ?? null, isConsumers]);
  }
}

function countedAs(
  quota: OwnQuotaDraft,
  calendar: string | undefined,
  others: Overrides = { limits: [], bursts: [] },
): Pick<Counted, 'quota' | 'low' | 'high'> {
  const limits = [quota.get('limit').number!, ...others.limits];
  const burst = quota.get('burst').number;
  const bursts = burst === undefined ? [] : [burst, ...others.bursts];
  const rest = { window: quota.get('window').string!, calendar };
  const sized = (pick: (...numbers: number[]) => number): CountedLimit => ({
    ...rest,
    limit: pick(...limits),
    burst: burst && pick(...bursts),
  });
  return { quota, low: sized(Math.min), high: sized(Math.max) };
}

/** Tells of quotas of one list that never bind beside another one of it; true when there are some. */
function warnAmong(quotas: readonly Counted[], apis: number, report: Report): boolean {
  let some = false;
  for (const [index, counted] of quotas.entries()) {
    const other = quotas.find(
      (one, at) =>
        isBelow(counted, one, apis) &&
        // of two that never bind beside each other, the first says it all
        (at < index || !isBelow(one, counted, apis)),
    );
    if (other === undefined) continue;
    some = true;
    tell(counted, other, quote(other.quota.key), apis, report);
  }
  return some;
}

/** Plans that callers of the operation may have; none where callers without one pass too. */
function plansOf(api: ApiDraft, operation: OperationDraft): readonly string[] {
  if ((operation.get('anonymous').string ?? api.get('anonymous').string) === 'allow') return [];
  return [...new Set(operation.get('plans').given ? operation.get('plans').strings : api.get('plans').strings)];
}

/** An operation's own quota never binds beside plans where each of them has one that lets pass no more. */
function warnBeside(
  own: Counted,
  plans: readonly PlanDraft[],
  ofPlan: (plan: PlanDraft) => Counted[],
  report: Report,
): void {
  const others = plans.map((plan) => ofPlan(plan).find((quota) => isBelow(own, quota, 1)));
  const [plan, other] = [plans[0], others[0]];
  if (plan === undefined || other === undefined || others.includes(undefined)) return;
  tell(own, other, `${quote(other.quota.key)} of plan ${quote(plan.key)}`, 1, report);
}

/** A name for a plan's quota. */
export function quotaId(plan: string, quota: string): string {
  return JSON.stringify([plan, quota]);
}

/** The lowest and the highest limits and bursts that subscriptions have in place of a plan's. */
interface Overrides {
  readonly limits: readonly number[];
  readonly bursts: readonly number[];
}

function overridesIn(root: PolicyDraft): Map<string, Overrides> {
  const found = new Map<string, Overrides>();
  for (const consumer of root.get('consumers').entries) {
    for (const subscription of consumer.get('subscriptions').entries) {
      for (const own of subscription.get('limits').entries) {
        const id = quotaId(subscription.get('plan').string!, own.key);
        const { limits = [], bursts = [] } = found.get(id) ?? {};
        const { limit, burst } = ownLimitOf(own);
        found.set(id, { limits: extremes(limits, limit), bursts: extremes(bursts, burst) });
      }
    }
  }
  return found;
}

function extremes(known: readonly number[], more: number | undefined): readonly number[] {
  if (more === undefined) return known;
  return [Math.min(...known, more), Math.max(...known, more)];
}

/**
 * True when a quota never binds beside another one of the same requests. What counts elsewhere is not compared: windows of the rate
 * limit service follow its own clock, and what is decided without it may pass.
 */
function isBelow(counted: Counted, other: Counted, apis: number): boolean {
  if (counted === other || counted.isShared || !other.isEnforced) return false;
  const isMesh = hasMeshScope(other.quota);
  if (hasMeshScope(counted.quota) !== isMesh) return false;
  if (isMesh && (other.quota.get('onUnavailable').string ?? 'deny') !== 'deny') return false;
  const times = timesOf(counted, other, apis);
  return times !== null && neverBinds(counted.low, other.high, times);
}

/** What each counter lies within: a request that one of them counts is counted by one of those too. */
const WITHIN: Readonly<Record<Per, readonly Per[]>> = {
  group: ['group'],
  consumer: ['consumer', 'group'],
  api: ['api', 'consumer', 'group'],
  operation: ['operation', 'api', 'consumer', 'group'],
  key: ['key', 'consumer', 'group'],
  address: ['address', 'consumer', 'group'],
};

/**
 * Counters of the other quota for one of this: one for each API that offers the plan, where only the other tells APIs apart. Null where
 * nothing says how many: keys, addresses, operations and consumers of a group.
 */
function timesOf({ per, isByHeader }: Counted, other: Counted, apis: number): number | null {
  if (per === 'address' && isByHeader && other.per !== per) return null;
  if (WITHIN[per].includes(other.per)) return 1;
  return per === 'consumer' && other.per === 'api' ? Math.max(1, apis) : null;
}

function tell(counted: Counted, other: Counted, name: string, apis: number, report: Report): void {
  const { quota, low } = counted;
  const times = timesOf(counted, other, apis) ?? 1;
  const where = times > 1 ? ` on ${times} APIs together` : '';
  if (low.burst === undefined)
    report.add(
      quota.get('limit'),
      `never binds: quota ${name} lets pass at most ${mostWithin(low.window, other.high, times, low.calendar)} ${spanOf(low.window)}${where}; lower the limit, or leave one of them out`,
    );
  else
    report.add(
      quota.get('burst'),
      `never binds: quota ${name} lets pass no more at once${where} than this bucket holds, and no more over time than it refills; lower the burst or the limit, or leave one of them out`,
    );
}

function spanOf(window: string): string {
  if (/^\d/.test(window)) return `in ${window}`;
  return window === 'hour' ? 'an hour' : `a ${window}`;
}
