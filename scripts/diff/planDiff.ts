import type { PluginConfig } from '../policy/index.ts';
import { listChange, type Difference } from './difference.ts';
import { boundBy, holdersOf } from './holding.ts';
import { quotaChanges } from './quota.ts';

/** What differs in the plans, and for whom. */
export function planDifferences(old: PluginConfig, next: PluginConfig): Difference[] {
  const { added, removed } = listChange(old.plans.map(({ name }) => name), next.plans.map(({ name }) => name));
  return [
    ...next.plans.flatMap(({ name, quotas = [] }): Difference[] => {
      if (added.includes(name)) return [{ subject: `plan ${name}`, text: 'added', effects: [], consumers: holdersOf(next, name) }];
      const before = old.plans.find((plan) => plan.name === name)!.quotas ?? [];
      return quotaChanges(before, quotas).map(({ text, effects }) => ({ subject: `plan ${name}`, text, effects, consumers: concerned(old, next, name, text) }));
    }),
    ...removed.map((name): Difference => ({ subject: `plan ${name}`, text: 'removed', effects: [] })),
  ];
}

/** Who held the plan and still does. A change of a limit is none for consumers that have a limit of their own. */
function concerned(old: PluginConfig, next: PluginConfig, plan: string, text: string): string[] {
  const quota = text.split(' ')[0]!;
  const before = holdersOf(old, plan);
  return (quota === 'quota' ? holdersOf(next, plan) : boundBy(next, plan, quota)).filter((name) => before.includes(name));
}
