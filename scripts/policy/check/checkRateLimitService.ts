import type { Cursor } from './cursor.ts';
import { Offers, type Holding } from './holding.ts';
import { MAX_MESH_LIMIT, MAX_MESH_QUOTAS } from '../schema/rateLimitService.ts';
import { hasMeshScope } from '../schema/quota.ts';
import type { Report } from './report.ts';

/** Quotas of the whole mesh must be ones that the rate limit service can count. */
export function checkRateLimitService(root: Cursor, report: Report): void {
  const rateLimitService = root.get('rateLimitService');
  for (const plan of root.get('plans').entries) {
    const quotas = plan.get('quotas').entries;
    const mesh = quotas.filter(hasMeshScope);
    if (mesh.length > MAX_MESH_QUOTAS)
      report.add(plan.get('quotas'), `must hold at most ${MAX_MESH_QUOTAS} quotas with "scope: mesh"`, mesh.length);
    for (const quota of mesh) checkMeshQuota(quota, rateLimitService, report);
    for (const quota of quotas) checkFailureMode(quota, report);
  }
  const offers = new Offers(root);
  for (const consumer of root.get('consumers').entries) checkOwnLimits(root, offers, consumer, report);
}

function checkMeshQuota(quota: Cursor, rateLimitService: Cursor, report: Report): void {
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

/** The service counts fixed lengths from the epoch on; only its months can be the calendar's. */
function checkWindow(window: Cursor, hasCalendarMonths: boolean, report: Report): void {
  if (window.text === 'week')
    report.add(
      window,
      'must not be a week with "scope: mesh": weeks of the rate limit service begin on Thursday; use 7d, which does so too',
    );
  if (window.text === 'month' && !hasCalendarMonths) {
    report.add(
      window,
      'must not be a month with "scope: mesh": months of the rate limit service have 30 days; use 30d, or start the service with USE_CALENDAR_MONTH_RATE_LIMIT=true and say "calendarMonths: true" in "rateLimitService"',
    );
  }
  if (window.text === '30d' && hasCalendarMonths)
    report.add(
      window,
      'must not be 30d with "scope: mesh" beside "calendarMonths: true": the rate limit service then counts calendar months only; use month',
    );
}

function checkLimit(limit: Cursor, report: Report): void {
  if (limit.number !== undefined && Number.isInteger(limit.number) && limit.number > MAX_MESH_LIMIT)
    report.add(
      limit,
      `must be at most ${MAX_MESH_LIMIT} with "scope: mesh", the most that the rate limit service can hold`,
    );
}

function checkFailureMode(quota: Cursor, report: Report): void {
  const mode = quota.get('onUnavailable');
  const share = quota.get('localShare');
  const limit = quota.get('limit').number;
  if (mode.given && !hasMeshScope(quota)) report.add(mode, 'must go with "scope: mesh"');
  if (share.given && mode.text !== 'local-share') report.add(share, 'must go with "onUnavailable: local-share"');
  else if (share.number !== undefined && limit !== undefined && share.number > limit)
    report.add(share, `must be at most the limit (${limit})`);
}

/** A counter of the rate limit service knows one limit: where it counts several APIs together, their limits must be one. */
function checkOwnLimits(root: Cursor, offers: Offers, consumer: Cursor, report: Report): void {
  let limits: OwnLimits | null = null;
  for (const subscription of consumer.get('subscriptions').entries) {
    const plan = root.get('plans').get(subscription.get('plan').text ?? '');
    for (const limit of subscription.get('limits').entries) {
      const quota = plan.get('quotas').get(limit.key);
      if (!hasMeshScope(quota)) continue;
      checkLimit(limit, report);
      if (quota.get('per').text === 'api') continue;
      limits ??= new OwnLimits(offers.holdingsOf(consumer), consumer);
      const other = limits.otherThan(limit.number, plan.key, quota);
      if (other === undefined) continue;
      const rule = `must be the limit of every API on which the consumer has the plan "${plan.key}" (${other.api}: ${other.limit ?? 'none'}), because the rate limit service counts them together; or make the quota "per: api"`;
      report.add(limit, rule, limit.number === undefined ? null : undefined);
    }
  }
}

interface OwnLimit {
  readonly api: string;
  readonly limit: number | undefined;
}

/** Limits of a consumer over all APIs on which it has a plan; of those that are the same, the first. */
class OwnLimits {
  readonly #different = new Map<string, ReadonlyMap<number | undefined, OwnLimit>>();

  constructor(
    private readonly holdings: readonly Holding[],
    private readonly consumer: Cursor,
  ) {}

  otherThan(limit: number | undefined, plan: string, quota: Cursor): OwnLimit | undefined {
    const name = JSON.stringify([plan, quota.key]);
    const different = this.#different.get(name) ?? this.#find(plan, quota);
    this.#different.set(name, different);
    for (const other of different.values()) if (other.limit !== limit) return other;
    return undefined;
  }

  #find(plan: string, quota: Cursor): Map<number | undefined, OwnLimit> {
    const different = new Map<number | undefined, OwnLimit>();
    for (const { api, plan: held } of this.holdings) {
      const limit = limitOn(api, this.consumer, quota);
      if (held === plan && !different.has(limit)) different.set(limit, { api: api.key, limit });
    }
    return different;
  }
}

function limitOn(api: Cursor, consumer: Cursor, quota: Cursor): number | undefined {
  const own = consumer.get('subscriptions').get(api.key).get('limits').get(quota.key);
  return own.given ? own.number : quota.get('limit').number;
}
