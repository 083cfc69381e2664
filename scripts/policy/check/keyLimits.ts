import type { Holdings } from '../compile/holding.ts';
import { granteeIn } from './consumers.ts';
import { Names, type ConsumerDraft, type Place, type PolicyDraft, type Report } from './draft.ts';

/** APIs to which keys are limited: of this policy, and each once. */
export function checkKeyLimits(root: PolicyDraft, report: Report): void {
  const apis = new Names(root.get('apis').entries.map((api) => api.key));
  for (const consumer of root.get('consumers').entries) {
    for (const key of consumer.get('keys').items) {
      const seen = new Map<string, Place>();
      for (const api of key.get('apis').items) {
        if (api.string === undefined) continue;
        const other = seen.get(api.string);
        if (!apis.has(api.string)) report.add(api, `must be an API of this policy${apis.hint}`);
        else if (other !== undefined) report.twice(api, 'must be given once', other);
        else seen.set(api.string, api);
      }
    }
  }
}

/** A key is never wider than its consumer: what that does not have, the key does not have either. */
export function warnOfKeyLimits(holdings: Holdings, consumer: ConsumerDraft, report: Report): void {
  const grantee = granteeIn(consumer);
  const scopes = new Set(consumer.get('scopes').strings);
  for (const key of consumer.get('keys').items) {
    for (const api of key.get('apis').items)
      if (api.string !== undefined && holdings.on(grantee, api.string) === null)
        report.add(api, 'is an API on which the consumer has no plan, so the key does not work there');
    for (const scope of key.get('scopes').items)
      if (scope.string !== undefined && !scopes.has(scope.string))
        report.add(scope, 'is a scope that the consumer does not have, so the key does not have it either');
  }
}
