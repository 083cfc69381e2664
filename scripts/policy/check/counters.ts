import { sameWindow } from '../compile/compile.ts';
import { isPlansOwn, mainPlan, type Holdings } from '../compile/holding.ts';
import { quote } from '../secret.ts';
import { quotaId } from './binding.ts';
import { granteeIn } from './consumers.ts';
import type { ConsumerDraft, PlanDraft, PolicyDraft, QuotaDraft, Report } from './draft.ts';
import { hasMeshScope } from './quotas.ts';

/** What quotas count together must be something that whoever counts them can tell apart, and each counts in a counter of its own. */
export function checkCounters(root: PolicyDraft, report: Report): void {
  for (const plan of root.get('plans').entries) {
    const known = new Map<string, QuotaDraft>();
    for (const quota of plan.get('quotas').entries) {
      const counter = counterOf(quota);
      const other = known.get(counter);
      if (other === undefined) known.set(counter, quota);
      else
        report.add(
          quota.get('counter').given ? quota.get('counter') : quota,
          `must not have the counter of quota ${quote(other.key)} too: a request would be counted there twice`,
          nameOf(quota),
        );
    }
  }
}

function nameOf(quota: QuotaDraft): string {
  return quota.get('counter').string ?? quota.key;
}

/** What quotas must have in common to count in one counter: its name, the window, and whether they are buckets. */
export function counterOf(quota: QuotaDraft): string {
  return JSON.stringify([
    nameOf(quota),
    sameWindow(quota.get('window').string ?? ''),
    quota.get('burst').given,
    hasMeshScope(quota),
  ]);
}

/** Quotas that count requests of other plans too, by `quotaId`: they say so, or they count for a group. */
export function sharedQuotas(root: PolicyDraft): ReadonlySet<string> {
  const byCounter = new Map<string, { plan: PlanDraft; quota: QuotaDraft }[]>();
  for (const plan of root.get('plans').entries) {
    for (const quota of plan.get('quotas').entries) {
      const counter = counterOf(quota);
      byCounter.set(counter, [...(byCounter.get(counter) ?? []), { plan, quota }]);
    }
  }
  const shared = [...byCounter.values()].filter(
    (quotas) =>
      quotas.length > 1 &&
      quotas.some(({ quota }) => quota.get('counter').given || quota.get('per').string === 'group' || isMeshs(quota)),
  );
  return new Set(shared.flat().map(({ plan, quota }) => quotaId(plan.key, quota.key)));
}

/** Quotas that count per something that is not there, groups that nothing counts, and buckets that share a counter. */
export function warnOfCounters(root: PolicyDraft, report: Report): void {
  const groups = root.get('consumers').entries.map((consumer) => consumer.get('group'));
  const isGrouped = groups.some(({ given }) => given);
  const listing = root.get('apis').entries.filter((api) => api.get('operations').entries.length > 0);
  const withOperations = new Set(listing.flatMap((api) => api.get('plans').strings));
  const buckets = new Map<string, QuotaDraft>();
  let isPerGroup = false;
  for (const plan of root.get('plans').entries) {
    for (const quota of [...plan.get('quotas').entries, plan.get('concurrency')]) {
      const per = quota.get('per');
      if (per.string === 'group') isPerGroup = true;
      if (per.string === 'group' && !isGrouped)
        report.add(per, 'counts each consumer for itself: no consumer has a "group"', null);
      if (per.string === 'operation' && !withOperations.has(plan.key))
        report.add(per, 'counts as "per: api" does: no API that offers the plan lists operations', null);
    }
    for (const quota of plan.get('quotas').entries)
      if (quota.get('counter').given && quota.get('burst').given) warnOfBucket(quota, buckets, report);
  }
  const first = groups.find(({ given }) => given);
  if (first !== undefined && !isPerGroup)
    report.add(first, 'counts nothing: no quota and no concurrency is "per: group"');
}

function warnOfBucket(quota: QuotaDraft, buckets: Map<string, QuotaDraft>, report: Report): void {
  const counter = counterOf(quota);
  const other = buckets.get(counter);
  if (other === undefined) buckets.set(counter, quota);
  else if ((['limit', 'burst'] as const).some((size) => quota.get(size).number !== other.get(size).number))
    report.add(
      quota.get('counter'),
      `is a bucket that others fill at another rate or to another size: tokens used under one quota are missing under the other at that one's rate`,
      null,
    );
}

/**
 * Quotas of one name of several plans that a consumer holds. Before plans had counters of their own, such quotas shared one; who wants that
 * says so, and who does not may say so too.
 */
export class PlansApart {
  readonly #told = new Map<string, { quota: QuotaDraft; other: string; consumers: string[] }>();

  constructor(
    private readonly root: PolicyDraft,
    private readonly holdings: Holdings,
  ) {}

  add(consumer: ConsumerDraft): void {
    if (!consumer.get('subscriptions').given) return;
    const grantee = granteeIn(consumer);
    const held = [...new Set(this.holdings.distinct(grantee).map(({ plan }) => plan))];
    if (held.length < 2) return;
    const main = mainPlan(grantee)!;
    const first = new Map<string, string>();
    for (const plan of held.sort((a, b) => Number(b === main) - Number(a === main))) {
      for (const quota of this.root.get('plans').named(plan).get('quotas').entries) {
        if (!isPlansOwn(writtenAs(quota)) && !isMeshs(quota)) continue;
        const counter = `${counterOf(quota)} ${quota.get('per').string ?? 'consumer'}`;
        const other = first.get(counter);
        if (other === undefined) first.set(counter, plan);
        else this.#tell(quota, plan, other, consumer.key);
      }
    }
  }

  #tell(quota: QuotaDraft, plan: string, other: string, consumer: string): void {
    const id = JSON.stringify([plan, quota.key, other]);
    const known = this.#told.get(id);
    if (known === undefined) this.#told.set(id, { quota, other, consumers: [consumer] });
    else known.consumers.push(consumer);
  }

  tell(report: Report): void {
    for (const { quota, other, consumers } of this.#told.values()) {
      const [first, ...more] = consumers.map(quote);
      const whom = more.length === 0 ? `${first}, who holds` : `${first} and ${more.length} more, who hold`;
      const where = `quota ${quote(quota.key)} of plan ${quote(other)} for consumer ${whom} both plans`;
      const rule = isMeshs(quota)
        ? `shares the counter of ${where}: the rate limit service counts by quota and consumer; rename one, make it "per: api", or say "counter: ${nameOf(quota)}" in both if that is meant`
        : `is counted apart from ${where}; "counter: ${quota.key}" in both lets them share one, and another "counter" in one of them says that this is meant`;
      report.add(quota, rule, null);
    }
  }
}

/** True for one that the rate limit service counts over all plans of a consumer, though nothing says so. */
function isMeshs(quota: QuotaDraft): boolean {
  const per = quota.get('per').string ?? 'consumer';
  return hasMeshScope(quota) && (per === 'consumer' || per === 'key') && !quota.get('counter').given;
}

function writtenAs(quota: QuotaDraft): {
  per: string | undefined;
  scope: string | undefined;
  counter: string | undefined;
} {
  return { per: quota.get('per').string, scope: quota.get('scope').string, counter: quota.get('counter').string };
}
