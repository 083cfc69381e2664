import { NONE } from "../bytes/rows";
import { clearNoted } from "../rateLimitService/ask";
import { Consumer, Plan, Quota, Subscription } from "../tables/record";
import { Tables } from "../tables/tables";
import { Counters } from "./counters";
import { EMPTY_NANOSECONDS, isEmpty, look, maySpend, setEmpty } from "./held";
import { leaseSize, noteLease } from "./lease";
import { acquireMesh, countModes } from "./meshQuota";
import { grant, lease } from "./pool";
import { clearRefusal, exceededQuota, lookAtOthers, refuse } from "./refusal";
import { balanceOf, report, setBalance, standing } from "./standing";
import { takeTokens } from "./tokens";

/**
 * Charges a request to all quotas of its plan, or to none. First every balance is looked at; only when none is known to be
 * empty are leases taken for those that need one; only when all have enough is any of them spent.
 */
const NANOSECONDS: i64 = 1_000_000_000;

export const enum Charge {
  Enough,
  Exceeded,
  Unavailable,
  /** Nothing is spent; the rate limit service must be asked, and the request decided again. */
  Wait,
}

/** What a request does about a counter of the mesh that is dry here. */
export const enum Patience {
  Wait,
  /** It has waited, and the rate limit service does answer, but others were quicker: it is told to come again in a second. */
  Contended,
  /** It has waited for an answer that did not come: the quota's failure mode decides. */
  Unanswered,
}

/** The request to charge, by positions in the tables. */
@unmanaged
export class Bill {
  api: i32;
  plan: i32;
  consumer: i32;
  /** Position of the subscription, or NONE. */
  subscription: i32;
  cost: i64;
  patience: Patience;
}

export function charge(tables: Tables, counters: Counters, bill: Bill, now: i64): Charge {
  clearRefusal();
  clearNoted();
  const plan = tables.plans.at(bill.plan);
  const consumer = tables.consumers.at(bill.consumer);
  const cost = bill.cost;
  // Twice: a quota of the mesh may be counted in a local balance instead.
  counters.balances.reserve(plan.quotaCount * 2);
  let enough = true;
  for (let i = 0; i < plan.quotaCount; i++) {
    if (!begin(tables, counters, plan, consumer, bill, i, now)) enough = false;
  }
  const result = enough
    ? Charge.Enough
    : exceededQuota >= 0
      ? Charge.Exceeded
      : acquire(tables, counters, plan, bill, now);
  if (result == Charge.Enough) spend(plan.quotaCount, cost);
  else if (result == Charge.Exceeded) lookAtOthers(tables, counters.pool, plan, cost, now);
  for (let i = 0; i < plan.quotaCount; i++)
    report(tables.quotas.at(plan.firstQuota + i), balanceOf(i), standing(i), now);
  return result;
}

/** Finds the quota's balance; true when it holds enough as it is. */
function begin(
  tables: Tables,
  counters: Counters,
  plan: Plan,
  consumer: Consumer,
  bill: Bill,
  index: i32,
  now: i64,
): bool {
  const quota = tables.quotas.at(plan.firstQuota + index);
  const meter = quota.perApi ? quota.meter ^ tables.apis.at(bill.api).id : quota.meter;
  const balance = counters.balances.open(consumer.id, meter);
  balance.mesh = quota.mesh;
  setBalance(index, balance);
  const limit = limitOf(tables, quota, plan.firstQuota + index, bill.subscription);
  look(quota, balance, standing(index), limit, now);
  if (maySpend(balance, limit, bill.cost)) return true;
  if (isEmpty(quota, balance, limit, bill.cost, now)) refuse(index, quota, balance, now);
  return false;
}

function limitOf(tables: Tables, quota: Quota, index: i32, subscriptionIndex: i32): i64 {
  if (subscriptionIndex == NONE) return quota.limit;
  const subscription: Subscription = tables.subscriptions.at(subscriptionIndex);
  for (let i = subscription.firstLimit; i < subscription.firstLimit + subscription.limitCount; i++) {
    const replacement = tables.limits.at(i);
    if (replacement.quota == index) return replacement.limit;
  }
  return quota.limit;
}

/** Leases for this Envoy's windows first, then the mesh's, which may mean to wait. A bucket's token is taken for good, so last. */
function acquire(tables: Tables, counters: Counters, plan: Plan, bill: Bill, now: i64): Charge {
  for (let i = 0; i < plan.quotaCount; i++) {
    const quota = tables.quotas.at(plan.firstQuota + i);
    if (quota.burst > 0 || quota.mesh) continue;
    const result = acquireWindow(counters, quota, i, bill.cost, now);
    if (result != Charge.Enough) return result;
  }
  let result = plan.hasMesh ? acquireMesh(tables, counters, plan, bill, now) : Charge.Enough;
  if (result == Charge.Enough) result = takeTokens(tables, counters.pool, plan, bill.cost, now);
  if (plan.hasMesh) countModes(counters.tally, plan.quotaCount, result);
  return result;
}

/** Takes a lease from this Envoy's pool if the balance does not do. */
export function acquireWindow(counters: Counters, quota: Quota, index: i32, cost: i64, now: i64): Charge {
  const balance = balanceOf(index);
  const limit = standing(index).limit;
  if (maySpend(balance, limit, cost)) return Charge.Enough;
  // Units that were leased under a higher limit do not count here.
  const need = balance.left >= cost ? cost : cost - balance.left;
  lease(
    counters.pool,
    balance.consumer,
    balance.meter,
    quota.window,
    limit,
    need,
    leaseSize(balance, cost, now),
    now / NANOSECONDS,
  );
  if (!grant.available) return Charge.Unavailable;
  noteLease(balance, now);
  standing(index).remaining = 0;
  if (maySpend(balance, limit, cost)) return Charge.Enough;
  setEmpty(quota, balance, limit, now, now + EMPTY_NANOSECONDS);
  refuse(index, quota, balance, now);
  return Charge.Exceeded;
}

function spend(count: i32, cost: i64): void {
  for (let i = 0; i < count; i++) {
    const balance = balanceOf(i);
    // Only spending keeps a lease: a refused request must not hold units back from other workers.
    balance.idleSweeps = 0;
    // A bucket's token left the pool when it was taken, and what a failure mode lets through is not counted: both have none.
    if (balance.left >= cost) balance.left -= cost;
  }
}
