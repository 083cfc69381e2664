import { compilePolicy, type PluginConfig, type Policy } from '../policy/index.ts';
import { apiDifferences } from './apiDiff.ts';
import { consumerDifferences } from './consumerDiff.ts';
import type { Difference } from './difference.ts';
import { meshDifferences } from './meshDiff.ts';
import { planDifferences } from './planDiff.ts';
import { policyDifferences } from './policyDiff.ts';

export { counted, printDifference, type Difference, type Effect } from './difference.ts';

/** What a change means, from the whole to the single: policy, APIs, plans, consumers. */
export function configDifferences(old: PluginConfig, next: PluginConfig): Difference[] {
  return [...policyDifferences(old, next), ...apiDifferences(old, next), ...planDifferences(old, next), ...consumerDifferences(old, next)];
}

/** The same for two policies, with what only they say: upstreams and targets. */
export function policiesDifferences(old: Policy, next: Policy): Difference[] {
  return [...configDifferences(compilePolicy(old), compilePolicy(next)), ...meshDifferences(old, next)];
}
