import { compilePolicy, ConfigHoldings, orderedPolicy, type PluginConfig, type Policy } from '../policy/index.ts';
import { apiDifferences } from './apiDiff.ts';
import { consumerDifferences } from './consumerDiff.ts';
import type { Difference } from './difference.ts';
import { meshDifferences } from './meshDiff.ts';
import { modeDifferences } from './modeDiff.ts';
import { planDifferences } from './planDiff.ts';
import { calendarDifferences } from './calendarDiff.ts';
import { keySetDifferences, tokenDifferences } from './identityDiff.ts';
import { policyDifferences, rateLimitServiceDifferences, serviceMonthDifferences } from './policyDiff.ts';

export { counted, printDifference, type Difference, type Effect } from './difference.ts';

/** What a change means, from the general to the particular: policy, rate limit service, APIs, plans, consumers. */
export function configDifferences(old: PluginConfig, next: PluginConfig): Difference[] {
  const [before, after] = [new ConfigHoldings(old), new ConfigHoldings(next)];
  return [
    ...modeDifferences(old, next),
    ...policyDifferences(old, next),
    ...tokenDifferences(old, next),
    ...rateLimitServiceDifferences(old.rateLimitService, next.rateLimitService),
    ...apiDifferences(old, next),
    ...planDifferences(old, next, before, after),
    ...calendarDifferences(old, next),
    ...consumerDifferences(old, next, before, after),
  ];
}

/** The same for two policies, with what only they say: upstreams, targets, and how the rate limit service counts months. */
export function policiesDifferences(written: Policy, rewritten: Policy): Difference[] {
  const [old, next] = [orderedPolicy(written), orderedPolicy(rewritten)];
  return [
    ...configDifferences(compilePolicy(old), compilePolicy(next)),
    ...keySetDifferences(old, next),
    ...serviceMonthDifferences(old, next),
    ...meshDifferences(old, next),
  ];
}
