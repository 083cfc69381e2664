import { Plan, Quota } from "../tables/record";
import { Tables } from "../tables/tables";
import { Balance } from "./balance";
import { fullAtNanoseconds, putBack, take } from "./bucket";
import { Charge } from "./charge";
import { setEmpty } from "./held";
import { grant } from "./pool";
import { refuse } from "./refusal";
import { ShardStore } from "./shardStore";
import { balanceOf } from "./standing";

const NANOSECONDS: i64 = 1_000_000_000;

/** Takes a request's tokens from all buckets of its plan, or from none. */
export function takeTokens(tables: Tables, shards: ShardStore, plan: Plan, cost: i64, now: i64): Charge {
  for (let i = 0; i < plan.quotaCount; i++) {
    const quota = tables.quotas.at(plan.firstQuota + i);
    if (quota.burst == 0) continue;
    const balance = balanceOf(i);
    take(shards, balance.consumer, balance.meter, quota.burst, quota.intervalNanoseconds, cost, now);
    if (grant.available) {
      balance.fullAtNanoseconds = fullAtNanoseconds;
      if (grant.units > 0) continue;
      setEmpty(quota, balance, quota.limit, now, nextToken(quota, balance, cost));
      refuse(i, quota, balance, now);
    }
    const available = grant.available;
    returnTokens(tables, shards, plan, i, cost, now);
    return available ? Charge.Exceeded : Charge.Unavailable;
  }
  return Charge.Enough;
}

function nextToken(quota: Quota, balance: Balance, cost: i64): i64 {
  return balance.fullAtNanoseconds + (cost - quota.burst) * quota.intervalNanoseconds;
}

/** A later bucket refused: the tokens of the buckets before it go back. */
function returnTokens(tables: Tables, shards: ShardStore, plan: Plan, before: i32, cost: i64, now: i64): void {
  for (let i = 0; i < before; i++) {
    const quota = tables.quotas.at(plan.firstQuota + i);
    if (quota.burst == 0) continue;
    const balance = balanceOf(i);
    putBack(shards, balance.consumer, balance.meter, cost * quota.intervalNanoseconds, now / NANOSECONDS);
    balance.fullAtNanoseconds -= cost * quota.intervalNanoseconds;
  }
}
