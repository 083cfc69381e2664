import type { ConfigHoldings, ConsumerConfig } from '../policy/index.ts';
import type { Difference } from './difference.ts';

/** A consumer in another group spends from other counters, as far as it has quotas per group. */
export function groupDifferences(
  after: ConfigHoldings,
  former: Pick<ConsumerConfig, 'group'>,
  { name, group }: Pick<ConsumerConfig, 'name' | 'group'>,
): Difference[] {
  if (former.group === group) return [];
  const isCounted = after
    .distinct(after.grantee(name))
    .some(({ plan }) => after.plans.get(plan)?.quotas?.some(({ per }) => per === 'group'));
  return [
    {
      subject: `consumer ${name}`,
      text: `group ${former.group ?? 'none'} → ${group ?? 'none'}${isCounted ? ': its quotas per group are counted there' : ''}`,
      effects: isCounted ? ['restarts'] : [],
    },
  ];
}
