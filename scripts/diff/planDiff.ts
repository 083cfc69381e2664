import type { PluginConfig } from '../policy/index.ts';
import type { Difference } from './difference.ts';
import { Holdings } from './holding.ts';
import { quotaChanges } from './quota.ts';

/** What differs in the plans, and for whom. */
export function planDifferences(
  old: PluginConfig,
  next: PluginConfig,
  before: Holdings,
  after: Holdings,
): Difference[] {
  return [
    ...next.plans.flatMap(({ name, quotas = [] }): Difference[] => {
      const former = before.plans.get(name);
      if (former === undefined)
        return [
          {
            subject: `plan ${name}`,
            text: quotas.length === 0 ? 'added without quotas: unlimited' : 'added',
            effects: [],
            consumers: after.holdersOf(name),
          },
        ];
      return quotaChanges(former.quotas ?? [], quotas).map(({ text, effects, quota }) => ({
        subject: `plan ${name}`,
        text,
        effects,
        consumers: concerned(before, after, name, quota),
      }));
    }),
    ...old.plans
      .filter(({ name }) => !after.plans.has(name))
      .map(({ name }): Difference => ({ subject: `plan ${name}`, text: 'removed', effects: [] })),
  ];
}

/** Who held the plan and still does. A change of a limit is none for consumers that have a limit of their own. */
function concerned(before: Holdings, after: Holdings, plan: string, quota: string | undefined): string[] {
  const former = new Set(before.holdersOf(plan));
  return (quota === undefined ? after.holdersOf(plan) : after.boundBy(plan, quota)).filter((name) => former.has(name));
}
