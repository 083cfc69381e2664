import { Consumer, Plan, Quota, Subscription } from "../tables/record";
import { Tables } from "../tables/tables";
import { Balance, Balances } from "./balance";
import { fullAtNanoseconds, putBack, take } from "./bucket";
import { CLOCK_STEP_SECONDS } from "./cell";
import { ShardStore } from "./ledger";
import { leaseSize, noteLease } from "./lease";
import { grant, lease, UNKNOWN, usedOf } from "./pool";
import { ceilSeconds, report, standing, Standing, MAX_STANDINGS } from "./standing";
import { windowEnd, windowStart } from "./window";

/**
 * Charges a request to all quotas of its plan, or to none. First every balance is looked at; only when none is known to be
 * empty are leases taken for those that need one; only when all have enough is any of them spent.
 */
const NANOSECONDS: i64 = 1_000_000_000;
/** How long "the pool has nothing" is believed: leases of others may have come back since. */
const EMPTY_NANOSECONDS: i64 = 250_000_000;

export const enum Charge { Enough, Exceeded, Unavailable }

const BALANCES: usize = memory.data(MAX_STANDINGS * 4, 8);

/** Number of the quota that refused, within its plan. */
export let exceededQuota: i32 = -1;
/** Seconds after which the refused request may be tried again. */
export let retryAfterSeconds: i64 = 0;

function balanceOf(index: i32): Balance {
  return changetype<Balance>(load<usize>(BALANCES + <usize>index * 4));
}

export function charge(
  tables: Tables, balances: Balances, shards: ShardStore, consumer: Consumer, plan: Plan, subscription: Subscription | null,
  apiId: u64, cost: i64, nowNanoseconds: i64,
): Charge {
  exceededQuota = -1;
  retryAfterSeconds = 0;
  const count = plan.quotaCount;
  balances.reserve(count);
  for (let i = 0; i < count; i++) {
    const quota = tables.quotas.at(plan.firstQuota + i);
    const balance = balances.open(consumer.id, quota.perApi ? quota.meter ^ apiId : quota.meter);
    store<usize>(BALANCES + <usize>i * 4, changetype<usize>(balance));
    look(quota, balance, standing(i), limitOf(tables, quota, plan.firstQuota + i, subscription), nowNanoseconds);
    if (isEmpty(quota, balance, standing(i).limit, cost, nowNanoseconds)) refuse(i, quota, balance, nowNanoseconds);
  }
  const result = exceededQuota >= 0 ? Charge.Exceeded : acquire(tables, shards, plan, cost, nowNanoseconds);
  if (result == Charge.Enough) spend(count, cost);
  else if (result == Charge.Exceeded) askOthers(tables, shards, plan, cost, nowNanoseconds);
  for (let i = 0; i < count; i++) report(tables.quotas.at(plan.firstQuota + i), balanceOf(i), standing(i), nowNanoseconds);
  return result;
}

function limitOf(tables: Tables, quota: Quota, index: i32, subscription: Subscription | null): i64 {
  if (subscription == null) return quota.limit;
  for (let i = subscription.firstLimit; i < subscription.firstLimit + subscription.limitCount; i++) {
    const replacement = tables.limits.at(i);
    if (replacement.quota == index) return replacement.limit;
  }
  return quota.limit;
}

/** Lets go of a lease whose window is over. */
function look(quota: Quota, balance: Balance, state: Standing, limit: i64, now: i64): void {
  state.limit = limit;
  state.remaining = 0;
  if (quota.burst > 0) return;
  const nowSeconds = now / NANOSECONDS;
  const window = windowStart(quota.window, nowSeconds);
  if (window == balance.window) return;
  // A clock set back by a little spends what is left of the newer window (see openWindow).
  if (balance.window > window && balance.window - nowSeconds <= CLOCK_STEP_SECONDS) return;
  balance.window = window;
  balance.left = 0;
  balance.emptyForLimit = 0;
  state.remaining = UNKNOWN;
}

function isEmpty(quota: Quota, balance: Balance, limit: i64, cost: i64, now: i64): bool {
  if (maySpend(balance, limit, cost) || balance.emptyForLimit != identity(quota, limit)) return false;
  // Before the answer was given: the clock has been set back, and nothing is known.
  return now >= balance.emptySinceNanoseconds && now < balance.emptyUntilNanoseconds;
}

/** True when units at hand fit under the limit: what all have used, less what is still unspent here. */
function maySpend(balance: Balance, limit: i64, cost: i64): bool {
  return balance.left >= cost && balance.poolUsed - balance.left + cost <= limit;
}

/** What an answer "empty" was given for; another limit asks again. */
function identity(quota: Quota, limit: i64): i64 {
  return quota.burst > 0 ? quota.burst ^ quota.intervalNanoseconds << 20 : limit;
}

/** Leases for the windows first: a bucket's token is taken for good, so it comes last. */
function acquire(tables: Tables, shards: ShardStore, plan: Plan, cost: i64, now: i64): Charge {
  for (let i = 0; i < plan.quotaCount; i++) {
    const quota = tables.quotas.at(plan.firstQuota + i);
    const balance = balanceOf(i);
    const limit = standing(i).limit;
    if (quota.burst > 0 || maySpend(balance, limit, cost)) continue;
    // Units that were leased under a higher limit do not count here.
    const need = balance.left >= cost ? cost : cost - balance.left;
    lease(shards, balance.consumer, balance.meter, quota.window, limit, need, leaseSize(balance, cost, now), now / NANOSECONDS);
    if (!grant.available) return Charge.Unavailable;
    noteLease(balance, now);
    standing(i).remaining = 0;
    if (!maySpend(balance, limit, cost)) {
      setEmpty(quota, balance, limit, now, now + EMPTY_NANOSECONDS);
      refuse(i, quota, balance, now);
      return Charge.Exceeded;
    }
  }
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
    returnTokens(tables, shards, plan, i, cost, now);
    return grant.available ? Charge.Exceeded : Charge.Unavailable;
  }
  return Charge.Enough;
}

function setEmpty(quota: Quota, balance: Balance, limit: i64, now: i64, until: i64): void {
  balance.emptySinceNanoseconds = now;
  balance.emptyForLimit = identity(quota, limit);
  balance.emptyUntilNanoseconds = until;
}

function nextToken(quota: Quota, balance: Balance, cost: i64): i64 {
  return balance.fullAtNanoseconds + (cost - quota.burst) * quota.intervalNanoseconds;
}

/** A later bucket refused: the tokens of the buckets before it go back. */
function returnTokens(tables: Tables, shards: ShardStore, plan: Plan, before: i32, cost: i64, now: i64): void {
  const available = grant.available;
  for (let i = 0; i < before; i++) {
    const quota = tables.quotas.at(plan.firstQuota + i);
    if (quota.burst == 0) continue;
    const balance = balanceOf(i);
    putBack(shards, balance.consumer, balance.meter, cost * quota.intervalNanoseconds, now / NANOSECONDS);
    balance.fullAtNanoseconds -= cost * quota.intervalNanoseconds;
  }
  grant.available = available;
}

/** The first quota that refuses gives the reply its name, the longest wait its time. */
function refuse(index: i32, quota: Quota, balance: Balance, now: i64): void {
  if (exceededQuota < 0) exceededQuota = index;
  const until = quota.burst > 0
    ? balance.emptyUntilNanoseconds
    : windowEnd(quota.window, balance.window) * NANOSECONDS;
  retryAfterSeconds = max(retryAfterSeconds, max<i64>(1, ceilSeconds(until - now)));
}

/**
 * A quota has refused: what about the others? The answer names all of them, and the caller should wait for the last. A
 * quota that this VM has not asked in its window is looked at once; nothing is charged.
 */
function askOthers(tables: Tables, shards: ShardStore, plan: Plan, cost: i64, now: i64): void {
  for (let i = 0; i < plan.quotaCount; i++) {
    const quota = tables.quotas.at(plan.firstQuota + i);
    const balance = balanceOf(i);
    if (quota.burst > 0 || i == exceededQuota) continue;
    if (standing(i).remaining == UNKNOWN) {
      const used = usedOf(shards, balance.consumer, balance.meter, quota.window, now / NANOSECONDS);
      if (used == UNKNOWN) continue;
      balance.poolUsed = used;
      standing(i).remaining = 0;
    }
    if (standing(i).limit - balance.poolUsed + balance.left < cost) refuse(i, quota, balance, now);
  }
}

function spend(count: i32, cost: i64): void {
  for (let i = 0; i < count; i++) {
    const balance = balanceOf(i);
    // Only spending keeps a lease: a refused request must not hold units back from other workers.
    balance.idleSweeps = 0;
    // A bucket's token left the pool when it was taken; its balance is always 0.
    if (balance.left >= cost) balance.left -= cost;
  }
}
