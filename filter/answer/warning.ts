import { begin, end, writeCount, writeViews } from "../bytes/arena";
import { NONE } from "../bytes/rows";
import { View, literal } from "../bytes/view";
import { Standing } from "../quota/attempt";
import { reached } from "../quota/warning";
import { Tables } from "../tables/tables";

export const RATELIMIT_WARNING = literal("ratelimit-warning");
const OPEN = literal('"');
const NEXT = literal(', "');
const PERCENT = literal('";p=');

/**
 * The `ratelimit-warning` value, a list as those of `ratelimit`: `"monthly";p=80`, the highest percentage that each of the plan's quotas has
 * reached. Empty when there is none.
 */
export function rateLimitWarning(tables: Tables, plan: i32, kept: usize): View {
  begin();
  if (plan == NONE) return end();
  const list = tables.plans.at(plan);
  let some: bool = false;
  for (let i = 0; i < list.quotaCount; i++) {
    const quota = tables.quotas.at(list.firstQuota + i);
    const count =
      quota.warnAt == 0 ? 0 : reached(quota.warnAt, changetype<Standing>(kept + <usize>i * offsetof<Standing>()));
    if (count == 0) continue;
    writeViews(some ? NEXT : OPEN, quota.name);
    writeCount(PERCENT, (quota.warnAt >> (8 * (count - 1))) & 0xff);
    some = true;
  }
  return end();
}
