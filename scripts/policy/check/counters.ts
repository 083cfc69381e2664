import type { PolicyDraft, QuotaDraft, Report } from './draft.ts';
import { hasMeshScope } from './quotas.ts';

/** What quotas count together must be something that whoever counts them can tell apart. */
export function checkCounters(root: PolicyDraft, report: Report): void {
  for (const quota of planQuotas(root)) {
    const per = quota.get('per');
    if (hasMeshScope(quota) && ['operation', 'key', 'group'].includes(per.string ?? ''))
      report.add(
        per,
        'must be consumer or api with "scope: mesh": the rate limit service is asked about consumers and APIs; or use "scope: envoy"',
      );
  }
}

/** Quotas that count per something that is not there, and groups that nothing counts. */
export function warnOfCounters(root: PolicyDraft, report: Report): void {
  const groups = root.get('consumers').entries.map((consumer) => consumer.get('group'));
  const isGrouped = groups.some(({ given }) => given);
  const listing = root.get('apis').entries.filter((api) => api.get('operations').entries.length > 0);
  const withOperations = new Set(listing.flatMap((api) => api.get('plans').strings));
  let isPerGroup = false;
  for (const plan of root.get('plans').entries) {
    for (const quota of plan.get('quotas').entries) {
      const per = quota.get('per');
      if (per.string === 'group') isPerGroup = true;
      if (per.string === 'group' && !isGrouped)
        report.add(per, 'counts each consumer for itself: no consumer has a "group"', null);
      if (per.string === 'operation' && !withOperations.has(plan.key))
        report.add(per, 'counts as "per: api" does: no API that offers the plan lists operations', null);
    }
  }
  const first = groups.find(({ given }) => given);
  if (first !== undefined && !isPerGroup) report.add(first, 'counts nothing: no quota is "per: group"');
}

function planQuotas(root: PolicyDraft): QuotaDraft[] {
  return root.get('plans').entries.flatMap((plan) => plan.get('quotas').entries);
}
