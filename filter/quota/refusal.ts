import { Plan, Quota } from "../tables/record";
import { Tables } from "../tables/tables";
import { Balance } from "./balance";
import { UNKNOWN, usedOf } from "./pool";
import { ShardStore } from "./shardStore";
import { balanceOf, ceilSeconds, standing } from "./standing";
import { windowEnd } from "./window";

/** Which quota refused, and when to come again. */
const NANOSECONDS: i64 = 1_000_000_000;

/** Number of the quota that refused, within its plan. */
export let exceededQuota: i32 = -1;
/** Seconds after which the refused request may be tried again. */
export let retryAfterSeconds: i64 = 0;

export function clearRefusal(): void {
  exceededQuota = -1;
  retryAfterSeconds = 0;
}

/** The quota with the longest wait gives the reply its name and its time: a body that names another would mislead. */
export function refuse(index: i32, quota: Quota, balance: Balance, now: i64): void {
  const until =
    quota.burst > 0
      ? balance.emptyUntilNanoseconds
      : balance.mesh
        ? balance.window
        : windowEnd(quota.window, balance.window) * NANOSECONDS;
  const wait = max<i64>(1, ceilSeconds(until - now));
  if (wait <= retryAfterSeconds) return;
  exceededQuota = index;
  retryAfterSeconds = wait;
}

/** The quota may have units again in a second. */
export function refuseForNow(index: i32): void {
  if (exceededQuota >= 0) return;
  exceededQuota = index;
  retryAfterSeconds = 1;
}

/**
 * A quota has refused: what about the others? The answer names all of them, and the caller should wait for the last. A
 * quota that this VM has not asked in its window is looked at once; nothing is charged, and the rate limit service is not called.
 */
export function lookAtOthers(tables: Tables, shards: ShardStore, plan: Plan, cost: i64, now: i64): void {
  for (let i = 0; i < plan.quotaCount; i++) {
    const quota = tables.quotas.at(plan.firstQuota + i);
    const balance = balanceOf(i);
    if (quota.burst > 0 || balance.mesh || i == exceededQuota) continue;
    if (standing(i).remaining == UNKNOWN) {
      const used = usedOf(shards, balance.consumer, balance.meter, quota.window, now / NANOSECONDS);
      if (used == UNKNOWN) continue;
      balance.poolUsed = used;
      standing(i).remaining = 0;
    }
    if (standing(i).limit - balance.poolUsed + balance.left < cost) refuse(i, quota, balance, now);
  }
}
