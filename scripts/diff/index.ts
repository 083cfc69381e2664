import { compilePolicy, type PluginConfig, type Policy } from '../policy/index.ts';
import { apiDifferences } from './apiDiff.ts';
import { consumerDifferences } from './consumerDiff.ts';
import type { Difference } from './difference.ts';
import { calendarDifferences, ledgerDifferences } from './ledgerDiff.ts';
import { meshDifferences } from './meshDiff.ts';
import { planDifferences } from './planDiff.ts';
import { policyDifferences } from './policyDiff.ts';

export { counted, printDifference, type Difference, type Effect } from './difference.ts';

/** What a change means, from the whole to the single: policy, ledger, APIs, plans, consumers. */
export function configDifferences(old: PluginConfig, next: PluginConfig): Difference[] {
  return [...policyDifferences(old, next), ...ledgerDifferences(old.ledger, next.ledger), ...apiDifferences(old, next), ...planDifferences(old, next), ...consumerDifferences(old, next)];
}

/** The same for two policies, with what only they say: upstreams, targets, and how the ledger counts months. */
export function policiesDifferences(old: Policy, next: Policy): Difference[] {
  return [...configDifferences(compilePolicy(old), compilePolicy(next)), ...calendarDifferences(old, next), ...meshDifferences(old, next)];
}
