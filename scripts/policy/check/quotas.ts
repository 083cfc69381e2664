import {
  fixedSeconds,
  MAX_BUCKET_RATE_PER_SECOND,
  MAX_BURST,
  MAX_MESH_QUOTAS,
  MAX_REFILL_DAYS,
  nominalSeconds,
} from '../../contract/table.ts';
import { MAX_MESH_LIMIT } from '../schema/quota.ts';
import type {
  ConsumerDraft,
  OwnQuotaDraft,
  Place,
  PolicyDraft,
  QuotaDraft,
  Report,
  SubscriptionDraft,
} from './draft.ts';

const NANOSECONDS = 1_000_000_000n;
const DAY = 86_400;

/** A bucket must fill neither too fast for its clock nor slower than anybody would wait. */
export function checkQuotas(root: PolicyDraft, report: Report): void {
  for (const quota of allQuotas(root)) {
    if (quota.get('burst').given)
      checkBucket(quota.get('window').string, quota.get('limit'), quota.get('burst'), report);
  }
  for (const plan of root.get('plans').entries)
    for (const quota of plan.get('quotas').entries)
      if (quota.get('warnAt').given && quota.get('burst').given)
        report.add(
          quota.get('warnAt'),
          'must not go with a burst: a bucket is refilled all the time, and nothing of it is used up',
          null,
        );
  for (const consumer of root.get('consumers').entries)
    for (const subscription of consumer.get('subscriptions').entries) checkOwnBuckets(root, subscription, report);
}

/** Buckets whose size a subscription replaces, in part or as a whole. */
function checkOwnBuckets(root: PolicyDraft, subscription: SubscriptionDraft, report: Report): void {
  const limits = subscription.get('limits').entries;
  if (limits.length === 0) return;
  const quotas = root
    .get('plans')
    .named(subscription.get('plan').string ?? '')
    .get('quotas');
  for (const own of limits) {
    const quota = quotas.named(own.key);
    if (!quota.get('burst').given) continue;
    const limit = own.isMapping ? own.get('limit') : own;
    const burst = own.get('burst');
    checkBucket(
      quota.get('window').string,
      limit.given ? limit : quota.get('limit'),
      burst.given ? burst : quota.get('burst'),
      report,
      own,
    );
  }
}

/** Those of plans, and those that operations have of their own. */
function allQuotas(root: PolicyDraft): OwnQuotaDraft[] {
  return [
    ...root.get('plans').entries.flatMap((plan): OwnQuotaDraft[] => plan.get('quotas').entries),
    ...ownQuotas(root),
  ];
}

function ownQuotas(root: PolicyDraft): OwnQuotaDraft[] {
  const operations = root.get('apis').entries.flatMap((api) => api.get('operations').entries);
  return operations.flatMap((operation) => operation.get('quotas').entries);
}

/** `at`: where its size is replaced, if it is; what the plan says of it is judged there. */
function checkBucket(window: string | undefined, limit: Place, burst: Place, report: Report, at?: Place): void {
  const seconds = nominalSeconds(window ?? '');
  if (seconds === null) return;
  if (seconds > DAY) {
    if (at === undefined) report.add(burst, 'must go with a window of at most a day', window);
    return;
  }
  const { number: size } = limit;
  if (size === undefined || size < 1) return;
  if (size / seconds > MAX_BUCKET_RATE_PER_SECOND) {
    report.add(
      limit,
      `must be at most ${MAX_BUCKET_RATE_PER_SECOND * seconds} ${/^\d/.test(window!) ? 'in' : 'a'} ${window} beside a burst: a bucket fills at most ${MAX_BUCKET_RATE_PER_SECOND} times a second`,
    );
  } else if (
    Number.isInteger(size) &&
    isBurst(burst.number) &&
    refillNanoseconds(burst.number, size, seconds) > BigInt(MAX_REFILL_DAYS * 86_400) * NANOSECONDS
  ) {
    report.add(
      at ?? burst,
      `must be refilled within ${MAX_REFILL_DAYS} days`,
      at && `${size} a ${window}, burst ${burst.number}`,
    );
  }
}

function isBurst(burst: number | undefined): burst is number {
  return burst !== undefined && Number.isInteger(burst) && burst <= MAX_BURST;
}

/** As the module counts it: the time between two tokens is rounded up to whole nanoseconds. */
function refillNanoseconds(burst: number, limit: number, seconds: number): bigint {
  return BigInt(burst) * ((BigInt(seconds) * NANOSECONDS + BigInt(limit) - 1n) / BigInt(limit));
}

/** Mesh-wide quotas must be ones that the rate limit service can count. */
export function checkRateLimitService(root: PolicyDraft, report: Report): void {
  for (const plan of root.get('plans').entries) {
    const quotas = plan.get('quotas').entries;
    const mesh = quotas.filter(hasMeshScope);
    if (mesh.length > MAX_MESH_QUOTAS)
      report.add(plan.get('quotas'), `must hold at most ${MAX_MESH_QUOTAS} quotas with "scope: mesh"`, mesh.length);
  }
  for (const quota of allQuotas(root)) {
    if (hasMeshScope(quota)) checkMeshQuota(quota, root, report);
    checkFailureMode(quota, report);
  }
  for (const consumer of root.get('consumers').entries) checkOwnLimits(root, consumer, report);
}

function checkMeshQuota(quota: OwnQuotaDraft, root: PolicyDraft, report: Report): void {
  const rateLimitService = root.get('rateLimitService');
  if (!rateLimitService.given)
    report.add(
      quota.get('scope'),
      'must go with a "rateLimitService", which names the service that counts for the mesh',
    );
  if (quota.get('burst').given) {
    report.add(
      quota.get('burst'),
      'must not go with "scope: mesh": the rate limit service counts windows and has no buckets; use a short window such as second, or "scope: envoy"',
    );
    return;
  }
  checkWindow(quota.get('window'), rateLimitService.get('calendarMonths').isTrue, report);
  checkLimit(quota.get('limit'), report);
}

/** Lengths that the rate limit service has a unit for. It has no multiples of a unit: 15m would be 15 counters, not one. */
const SERVICE_SECONDS = [1, 60, 3600, DAY, 7 * DAY, 30 * DAY, 365 * DAY];

/** The service counts fixed lengths from the epoch on; only its months can be the calendar's. */
function checkWindow(window: Place, hasCalendarMonths: boolean, report: Report): void {
  if (window.string === 'week')
    report.add(
      window,
      'must not be a week with "scope: mesh": weeks of the rate limit service begin on Thursday; use 7d, which does so too',
    );
  if (window.string === 'month' && !hasCalendarMonths) {
    report.add(
      window,
      'must not be a month with "scope: mesh": months of the rate limit service have 30 days; use 30d, or start the service with USE_CALENDAR_MONTH_RATE_LIMIT=true and say "calendarMonths: true" in "rateLimitService"',
    );
  }
  if (window.string === 'year')
    report.add(
      window,
      'must not be a year with "scope: mesh": years of the rate limit service have 365 days, counted from 1970-01-01; use 365d',
    );
  const seconds = fixedSeconds(window.string ?? '');
  if (seconds !== null && !SERVICE_SECONDS.includes(seconds))
    report.add(
      window,
      'must be second, minute, hour, day, 7d, 30d or 365d with "scope: mesh": the rate limit service counts no other lengths; or use "scope: envoy"',
    );
  if (seconds === 30 * DAY && hasCalendarMonths)
    report.add(
      window,
      'must not be 30d with "scope: mesh" beside "calendarMonths: true": the rate limit service then counts calendar months only; use month',
    );
}

function checkLimit(limit: Place, report: Report): void {
  if (limit.number !== undefined && Number.isInteger(limit.number) && limit.number > MAX_MESH_LIMIT)
    report.add(
      limit,
      `must be at most ${MAX_MESH_LIMIT} with "scope: mesh", the most that the rate limit service can hold`,
    );
}

function checkFailureMode(quota: OwnQuotaDraft, report: Report): void {
  const mode = quota.get('onUnavailable');
  const share = quota.get('localShare');
  const limit = quota.get('limit').number;
  if (mode.given && !hasMeshScope(quota)) report.add(mode, 'must go with "scope: mesh"');
  if (share.given && mode.string !== 'local-share') report.add(share, 'must go with "onUnavailable: local-share"');
  else if (share.number !== undefined && limit !== undefined && share.number > limit)
    report.add(share, `must be at most the limit (${limit})`);
}

function checkOwnLimits(root: PolicyDraft, consumer: ConsumerDraft, report: Report): void {
  for (const subscription of consumer.get('subscriptions').entries) {
    const plan = root.get('plans').named(subscription.get('plan').string ?? '');
    for (const limit of subscription.get('limits').entries)
      if (hasMeshScope(plan.get('quotas').named(limit.key)))
        checkLimit(limit.isMapping ? limit.get('limit') : limit, report);
  }
}

export function warnOfUnusedRateLimitService(root: PolicyDraft, report: Report): void {
  const isUsed = allQuotas(root).some(hasMeshScope);
  if (root.get('rateLimitService').given && !isUsed)
    report.add(root.get('rateLimitService'), 'counts nothing: no quota has "scope: mesh"', null);
}

/**
 * A quota of a day or more that each Envoy counts for itself is rarely what somebody sells: several Envoys allow a multiple
 * of it, and what counts for long is lost with the pod. Who writes the scope has thought of that.
 */
export function warnOfLongQuotas(root: PolicyDraft, report: Report): void {
  if (root.get('targets').items.length === 0) return;
  for (const quota of allQuotas(root)) {
    const { string: window = '' } = quota.get('window');
    if (quota.get('scope').given || (nominalSeconds(window) ?? 0) < DAY) continue;
    report.add(
      quota.get('window'),
      `is counted by each Envoy for itself: ten replicas allow ten times the limit, and an Envoy that restarts begins at zero; ${remedyOf(quota, root)}use a shorter window, or say "scope: envoy" if that is meant`,
      window,
    );
  }
}

/** What makes such a quota one that the rate limit service can count, where it can. */
function remedyOf(quota: QuotaDraft, root: PolicyDraft): string {
  if (quota.get('burst').given || quota.get('per').string === 'address') return '';
  const rateLimitService = root.get('rateLimitService');
  const hasCalendarMonths = rateLimitService.get('calendarMonths').isTrue;
  const window = quota.get('window').string!;
  const countable = countableWindow(window, hasCalendarMonths);
  if (countable === null) return '';
  const other = countable === window ? '' : ` and "window: ${countable}"`;
  return `say "scope: mesh"${other}${rateLimitService.given ? '' : ' and name a "rateLimitService"'}, `;
}

/** The window that comes closest to one of a day or more among those that the service counts; null: none is close. */
function countableWindow(window: string, hasCalendarMonths: boolean): string | null {
  const seconds = nominalSeconds(window);
  if (seconds === 30 * DAY && hasCalendarMonths) return 'month';
  if (fixedSeconds(window) === seconds) return SERVICE_SECONDS.includes(seconds!) ? window : null;
  return `${seconds! / DAY}d`;
}

/** True for a quota that the rate limit service counts. */
export function hasMeshScope(quota: OwnQuotaDraft): boolean {
  return quota.get('scope').string === 'mesh';
}
