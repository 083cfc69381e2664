import { NONE } from "../bytes/rows";
import { ABSENT, View, equals, literal, nameInPlace, viewOf } from "../bytes/view";
import { BurstOverride } from "../tables/consumer";
import { Quota, QuotaKind } from "../tables/quota";
import { Tables } from "../tables/tables";
import { setBucket } from "./quota";
import { Reader } from "./reader";
import { readName } from "./rule";
import { MAX_BURST, MAX_EXACT } from "./contract";
import * as Field from "./field";

/** `{"quota": "smooth", "limit": 10, "burst": 40}` */
export function decodeOwnLimit(reader: Reader, tables: Tables): void {
  const index = tables.limits.count;
  const replacement = tables.limits.add();
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.QUOTA, 0)) {
      replacement.quota = nameInPlace(readName(reader));
    } else if (reader.takes(Field.LIMIT, 1)) {
      replacement.limit = reader.integer(1, MAX_EXACT);
    } else if (reader.takes(Field.BURST, 2)) {
      const own: BurstOverride = tables.burstOverrides.add();
      own.limit = index;
      own.burst = reader.integer(1, MAX_BURST);
    } else reader.unknownField();
  }
  reader.needs(0, Field.QUOTA);
  reader.needs(1, Field.LIMIT);
}

/**
 * Finds the quota that the limit `index` replaces something of, once it is known which plan it is of. Of a bucket it becomes a quota beside
 * those of the plans, with this limit and burst. Returns what is wrong with it, where `%q` stands for the quota's name, or ABSENT.
 */
export function linkOwnLimit(tables: Tables, index: i32, plan: i32): View {
  const replacement = tables.limits.at(index);
  replacement.quota = findQuota(tables, plan, viewOf(replacement.quota));
  if (replacement.quota == NONE) return literal("limits: the plan has no quota named %q");
  const burst = findBurst(tables, index);
  if (tables.quotas.at(replacement.quota).kind != QuotaKind.Bucket)
    return burst == 0 ? ABSENT : literal("limits: the quota %q has no burst to replace");
  const number = tables.quotas.count;
  const own: Quota = tables.quotas.add();
  memory.copy(changetype<usize>(own), changetype<usize>(tables.quotas.at(replacement.quota)), offsetof<Quota>());
  own.limit = replacement.limit;
  if (burst > 0) own.burst = burst;
  replacement.limit = number;
  return setBucket(own);
}

/** The index of the plan's quota with this name, or NONE. */
function findQuota(tables: Tables, planIndex: i32, name: View): i32 {
  const plan = tables.plans.at(planIndex);
  for (let i = plan.firstQuota; i < plan.firstQuota + plan.quotaCount; i++) {
    if (equals(tables.quotas.at(i).name, name)) return i;
  }
  return NONE;
}

/** The burst that the limit comes with, or 0. They stand in the order of the limits. */
function findBurst(tables: Tables, limit: i32): i64 {
  let low = 0;
  let high = tables.burstOverrides.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tables.burstOverrides.at(middle).limit < limit) low = middle + 1;
    else high = middle;
  }
  return low < tables.burstOverrides.count && tables.burstOverrides.at(low).limit == limit
    ? tables.burstOverrides.at(low).burst
    : 0;
}
