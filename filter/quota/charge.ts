import { wasFull } from "../shared/shard";
import {
  Attempt,
  Balance,
  Bill,
  Charge,
  Patience,
  attemptAt,
  hide,
  isEmpty,
  quotaNumberOf,
  refuse,
  standingAt,
} from "./attempt";
import * as Local from "./local";
import * as Mesh from "./mesh";
import { NONE } from "../bytes/rows";
import { Consumer, Subscription } from "../tables/consumer";
import { FLIGHT_BIT, FailureMode, Per, Plan, Quota, QuotaKind, QuotaList } from "../tables/quota";
import { Tables } from "../tables/tables";
import * as Bucket from "./bucket";
import { draft } from "./charged";
import { groupOf, narrowed } from "./counter";
import { Counters, storeOf } from "./counters";
import { addressId, crowdId, makeAddressRoom } from "./visitors";
import { SETTLES, decision, holdFlight } from "../decision/decision";

/** What stands for the plan and the consumer of a request without a key: no quotas, and one id for all such callers. */
const NO_PLAN: Plan = changetype<Plan>(memory.data(offsetof<Plan>(), 8));
const NOBODY: Consumer = changetype<Consumer>(memory.data(offsetof<Consumer>(), 8));

/**
 * Says who the next request without a key comes from: a visitor, or, with 0, anybody. Known to nobody else, as visitors are counted in counters
 * of their own.
 */
export function nameNobody(visitorId: u64): void {
  NOBODY.id = visitorId;
}

/**
 * Charges a request to all quotas of its plan, or to none. First it looks at every balance. If none is known to be empty, it
 * takes leases for those that need one. Units are spent only once every quota has enough.
 */
export function charge(tables: Tables, counters: Counters, plan: Plan, bill: Bill, now: i64): Charge {
  const consumer = tables.consumers.at(bill.consumer);
  const count = plan.quotaCount;
  open(counters, count, bill);
  let enough = true;
  for (let i = 0; i < count; i++) {
    const attempt = attemptAt(i);
    beginAttempt(tables, counters, plan.firstQuota + i, consumer, bill, attempt, i, 0);
    if (!tryFirst(attempt, bill, now)) enough = false;
  }
  const result = acquireLacking(counters, plan.meshCount > 0, count, enough, bill, now);
  return conclude(counters, count, result, bill, now);
}

/**
 * Charges the quotas of plan and operation that are in force, and then those that are only observed, as `observed` says with a bit for each. The
 * first refuse and spend as if there were no others. The others count only what has passed those, all or none, in counters of their own,
 * and never make a request wait; what they come to is in `bill.observed`. Requests in flight are counted last, as a quota that ends with the
 * request.
 */
export function chargeObserving(tables: Tables, counters: Counters, observed: u32, bill: Bill, now: i64): Charge {
  const plan = bill.plan == NONE ? NO_PLAN : tables.plans.at(bill.plan);
  const own: QuotaList = bill.operation == NONE ? NO_PLAN : tables.operations.at(bill.operation);
  const count = plan.quotaCount + own.quotaCount;
  bill.planCount = plan.quotaCount;
  bill.quotaCount = count;
  if (plan.addressCount > 0) makeAddressRoom(tables, counters, plan.addressCount, now);
  open(counters, count, bill);
  const result = chargeSome(tables, counters, plan, own, ~observed, 0, bill, now);
  if (result == Charge.Enough && observed != 0) {
    // What is only observed is charged next, and to the same records.
    if (decision.remarks >= SETTLES) draft(counters, bill.quotaCount - popcnt(<i32>(observed & ~FLIGHT_BIT)));
    if (bill.patience != Patience.Unanswered) bill.patience = Patience.None;
    bill.isObserving = true;
    bill.observed = chargeSome(tables, counters, plan, own, observed, OBSERVED_METER, bill, now);
    bill.isObserving = false;
  }
  for (let rest = observed & ~FLIGHT_BIT; rest != 0; rest &= rest - 1)
    hide(standingAt(<i32>ctz(rest)), result == Charge.Enough);
  return result;
}

function chargeSome(
  tables: Tables,
  counters: Counters,
  plan: Plan,
  own: QuotaList,
  which: u32,
  otherMeter: u64,
  bill: Bill,
  now: i64,
): Charge {
  const consumer = bill.consumer == NONE ? NOBODY : tables.consumers.at(bill.consumer);
  const planCount = plan.quotaCount;
  let count = 0;
  let enough = true;
  for (let i = 0; i < bill.quotaCount; i++) {
    if (((which >> i) & 1) == 0) continue;
    const attempt = attemptAt(count++);
    const number = i < planCount ? plan.firstQuota + i : own.firstQuota + i - planCount;
    beginAttempt(tables, counters, number, consumer, bill, attempt, i, otherMeter);
    if (!tryFirst(attempt, bill, now)) enough = false;
  }
  let result = acquireLacking(counters, plan.meshCount + own.meshCount > 0, count, enough, bill, now);
  if (plan.flightLimit > 0 && result == Charge.Enough && (which & FLIGHT_BIT) != 0) {
    result = takeFlight(tables, counters, plan, consumer.id, bill, otherMeter, now);
    if (result != Charge.Enough) returnTokens(counters, count, bill.cost, now);
  }
  return conclude(counters, count, result, bill, now);
}

/** Counts one more request of the caller in flight, if there may be one. */
function takeFlight(
  tables: Tables,
  counters: Counters,
  plan: Plan,
  consumerId: u64,
  bill: Bill,
  otherMeter: u64,
  now: i64,
): Charge {
  const flights = counters.flights;
  if (flights == null) return Charge.Unavailable;
  let meter = plan.flightMeter ^ otherMeter;
  if (plan.flightPer != Per.Consumer) {
    if (plan.flightPer < Per.Group) meter ^= narrowed(tables, plan.flightPer, QuotaKind.Local, bill.api);
    else if (plan.flightPer == Per.Group) consumerId = groupOf(tables, bill.consumer, consumerId);
    else {
      meter ^= holderOf(bill, consumerId);
      consumerId = addressId;
    }
  }
  const result = flights.take(consumerId, meter, plan.flightLimit, now);
  if (result == Charge.Enough) holdFlight();
  return result;
}

export function open(counters: Counters, quotaCount: i32, bill: Bill): void {
  const start = changetype<usize>(bill);
  // `exceeded` is NONE and `observed` Enough; then `notedCount` is 0 and `dryIndex` NONE.
  store<i64>(start, 0xffffffff, offsetof<Bill>("exceeded"));
  bill.retryAfterSeconds = 0;
  store<i64>(start, 0xffffffff << 32, offsetof<Bill>("notedCount"));
  // Two per quota: a mesh quota may fall back on a local balance.
  counters.balances.reserve(quotaCount * 2);
}

/** True when what is here is enough. */
// @ts-ignore: decorator
@inline
function tryFirst(attempt: Attempt, bill: Bill, now: i64): bool {
  if (look(attempt, bill.cost, now)) return true;
  if (isKnownEmpty(attempt, bill.cost, now)) refuse(bill, attempt, refusedUntil(attempt), now);
  return false;
}

/** Acquires what the first `count` attempts lack. */
// @ts-ignore: decorator
@inline
function acquireLacking(counters: Counters, hasMesh: bool, count: i32, enough: bool, bill: Bill, now: i64): Charge {
  if (enough) return Charge.Enough;
  return bill.exceeded == NONE ? acquire(counters, hasMesh, count, bill, now) : Charge.Exceeded;
}

/** Spends from all of the first `count` attempts or from none. */
// @ts-ignore: decorator
@inline
function conclude(counters: Counters, count: i32, result: Charge, bill: Bill, now: i64): Charge {
  if (result == Charge.Exceeded) lookAtOthers(counters, count, bill, now);
  for (let i = 0; i < count; i++) {
    const attempt = attemptAt(i);
    if (result == Charge.Enough) spend(attempt, bill.cost);
    report(attempt, now);
  }
  return result;
}

/**
 * Distinguishes the counters of observed quotas: what is only observed takes nothing from a counter that is in force, with another plan or
 * on another API, and leaves nothing in it.
 */
const OBSERVED_METER: u64 = 0x6f62736572766564;

/** Finds the balance and the limit of a quota, which is the request's at `index`. */
// @ts-ignore: decorator
@inline
export function beginAttempt(
  tables: Tables,
  counters: Counters,
  number: i32,
  consumer: Consumer,
  bill: Bill,
  attempt: Attempt,
  index: i32,
  otherMeter: u64,
): void {
  const quota = tables.quotas.at(number);
  attempt.quota = quota;
  attempt.kind = quota.kind;
  attempt.standing = standingAt(index);
  if (bill.subscription != NONE) return beginSubscribed(tables, counters, number, consumer, bill, attempt, otherMeter);
  attempt.balance =
    quota.per == Per.Consumer
      ? counters.balances.open(consumer.id, quota.meter ^ otherMeter, quota.kind)
      : openOther(tables, counters, quota, quota.meter ^ otherMeter, consumer, bill);
  attempt.limit = quota.limit;
}

/** The same for a subscription, which may have counters of its plan's own and other limits. */
function beginSubscribed(
  tables: Tables,
  counters: Counters,
  number: i32,
  consumer: Consumer,
  bill: Bill,
  attempt: Attempt,
  otherMeter: u64,
): void {
  const quota = attempt.quota;
  const subscription = tables.subscriptions.at(bill.subscription);
  const meter = (subscription.ownCounters ? quota.ownMeter : quota.meter) ^ otherMeter;
  attempt.balance =
    quota.per == Per.Consumer
      ? counters.balances.open(consumer.id, meter, quota.kind)
      : openOther(tables, counters, quota, meter, consumer, bill);
  attempt.limit = quota.limit;
  if (subscription.limitCount > 0) replaceLimit(tables, subscription, number, attempt);
}

/**
 * The balance of the counter that the last charge has charged for one of the plan's quotas, in the store of that quota; valid as
 * `Balances.open` says.
 */
export function balanceOf(tables: Tables, counters: Counters, quota: Quota, bill: Bill): Balance {
  const consumer = bill.consumer == NONE ? NOBODY : tables.consumers.at(bill.consumer);
  const isOwn: bool = bill.subscription != NONE && tables.subscriptions.at(bill.subscription).ownCounters;
  const meter = isOwn ? quota.ownMeter : quota.meter;
  counters.balances.reserve(1);
  return quota.per == Per.Consumer
    ? counters.balances.open(consumer.id, meter, quota.kind)
    : openOther(tables, counters, quota, meter, consumer, bill);
}

/** The balance of a quota that does not count per consumer. */
function openOther(
  tables: Tables,
  counters: Counters,
  quota: Quota,
  meter: u64,
  consumer: Consumer,
  bill: Bill,
): Balance {
  const per = quota.per;
  if (per < Per.Group)
    return counters.balances.open(consumer.id, meter ^ narrowed(tables, per, quota.kind, bill.api), quota.kind);
  if (per == Per.Group) return counters.balances.open(groupOf(tables, bill.consumer, consumer.id), meter, quota.kind);
  return storeOf(counters, quota).balances.open(addressId, meter ^ holderOf(bill, consumer.id), quota.kind);
}

/**
 * What tells one consumer's counters of an address from another's. The address stands in the consumer's place, as of callers without a key, who
 * have nothing to be told apart by: where there is no place for one more, its crowd takes that place.
 */
function holderOf(bill: Bill, consumerId: u64): u64 {
  return bill.consumer == NONE ? 0 : consumerId;
}

/** Sets the subscription's own limit where it has one for the quota; of a bucket its own size. */
function replaceLimit(tables: Tables, subscription: Subscription, number: i32, attempt: Attempt): void {
  for (let i = subscription.firstLimit; i < subscription.firstLimit + <i32>subscription.limitCount; i++) {
    const replacement = tables.limits.at(i);
    if (replacement.quota != number) continue;
    if (attempt.kind == QuotaKind.Bucket) attempt.quota = tables.quotas.at(<i32>replacement.limit);
    else attempt.limit = replacement.limit;
    return;
  }
}

/**
 * Acquires what the balances lack, one kind of quota after the other: leases from this Envoy's pool first, then units from the
 * rate limit service, for which the request may have to wait. Tokens are spent as soon as they are taken, so buckets come last.
 */
function acquire(counters: Counters, hasMesh: bool, count: i32, bill: Bill, now: i64): Charge {
  let result = acquireAll(QuotaKind.Local, counters, count, bill, now);
  if (result == Charge.Enough && hasMesh) result = acquireAll(QuotaKind.Mesh, counters, count, bill, now);
  if (result == Charge.Enough) result = acquireAll(QuotaKind.Bucket, counters, count, bill, now);
  if (result != Charge.Wait && hasMesh) Mesh.countFailureModes(counters.service.tally, bill, count, result);
  return result;
}

/** Acquires for all quotas of a kind. When one makes the request wait, the others are acquired too, so that it waits only once. */
function acquireAll(kind: QuotaKind, counters: Counters, count: i32, bill: Bill, now: i64): Charge {
  let result = Charge.Enough;
  for (let i = 0; i < count; i++) {
    const attempt = attemptAt(i);
    if (attempt.kind != kind) continue;
    const store = storeOf(counters, attempt.quota);
    let one = acquireOne(store, attempt, bill, now);
    if (one == Charge.Enough) continue;
    if (one == Charge.Wait) result = one;
    else {
      if (one == Charge.Unavailable && wasFull()) {
        one = joinCrowd(store, attempt, bill, now);
        if (one == Charge.Enough) continue;
      }
      if (one == Charge.Unavailable) bill.exceeded = quotaNumberOf(attempt);
      if (kind == QuotaKind.Bucket) returnTokens(counters, i, bill.cost, now);
      return one;
    }
  }
  return result;
}

function acquireOne(counters: Counters, attempt: Attempt, bill: Bill, now: i64): Charge {
  if (attempt.kind == QuotaKind.Local) return Local.acquire(counters.pool, attempt, bill, now);
  if (attempt.kind == QuotaKind.Bucket) return Bucket.acquire(counters.pool, attempt, bill, now);
  const result = Mesh.acquire(counters.service, attempt, bill, now);
  return result == Charge.Unavailable ? fallBack(counters, attempt, bill, now) : result;
}

/** There is no place for one more visitor: its crowd's counter counts it. */
function joinCrowd(counters: Counters, attempt: Attempt, bill: Bill, now: i64): Charge {
  if (!bill.isObserving) counters.crowded++;
  attempt.balance = counters.balances.open(crowdId(attempt.quota.per), attempt.balance.meter, attempt.kind);
  if (look(attempt, bill.cost, now)) return Charge.Enough;
  if (!isKnownEmpty(attempt, bill.cost, now)) return acquireOne(counters, attempt, bill, now);
  refuse(bill, attempt, refusedUntil(attempt), now);
  return Charge.Exceeded;
}

/** Distinguishes the counter of a local share from the mesh-wide one. */
const LOCAL_METER: u64 = 0x6c6f63616c;

/** The rate limit service does not answer: the quota's failure mode decides. */
function fallBack(counters: Counters, attempt: Attempt, bill: Bill, now: i64): Charge {
  const mode = attempt.quota.failureMode;
  attempt.fallback = mode;
  attempt.isKnown = false;
  if (mode == FailureMode.Deny) return Charge.Unavailable;
  if (mode == FailureMode.Allow) return Charge.Enough;
  const meshed = attempt.balance;
  attempt.kind = QuotaKind.Local;
  attempt.limit = attempt.quota.localShare;
  attempt.balance = counters.balances.open(meshed.consumerId, meshed.meter ^ LOCAL_METER, QuotaKind.Local);
  if (look(attempt, bill.cost, now)) return Charge.Enough;
  if (!isKnownEmpty(attempt, bill.cost, now)) return Local.acquire(counters.pool, attempt, bill, now);
  refuse(bill, attempt, refusedUntil(attempt), now);
  return Charge.Exceeded;
}

/** Puts the tokens of earlier buckets back after a later one has refused. */
function returnTokens(counters: Counters, before: i32, cost: i64, now: i64): void {
  for (let i = 0; i < before; i++) {
    const attempt = attemptAt(i);
    if (attempt.kind == QuotaKind.Bucket) Bucket.giveBack(storeOf(counters, attempt.quota).pool, attempt, cost, now);
  }
}

/**
 * Checks the other local quotas after one has refused: the response reports all quotas, and the caller should wait for the last
 * of them. A counter that this VM has not read in the current window is read once; nothing is charged, and the rate limit service
 * is not called.
 */
function lookAtOthers(counters: Counters, count: i32, bill: Bill, now: i64): void {
  for (let i = 0; i < count; i++) {
    const attempt = attemptAt(i);
    if (attempt.kind != QuotaKind.Local || quotaNumberOf(attempt) == bill.exceeded) continue;
    const remaining = Local.remaining(storeOf(counters, attempt.quota).pool, attempt, now);
    if (attempt.isKnown && remaining < bill.cost) refuse(bill, attempt, refusedUntil(attempt), now);
  }
}

/** The only place where units are spent, for every quota of an allowed request, whatever its kind. */
function spend(attempt: Attempt, cost: i64): void {
  const balance = attempt.balance;
  // Only spending keeps a lease alive: refused requests must not keep its units from other workers.
  balance.idleSweeps = 0;
  // Nothing is left for a bucket, whose token was spent when it was taken, nor where a failure mode allows without counting.
  if (balance.left >= cost) balance.left -= cost;
}

/* Dispatch by kind of quota. */

/** Drops a lease whose window is over; true when what is left is enough. */
function look(attempt: Attempt, cost: i64, now: i64): bool {
  if (attempt.kind == QuotaKind.Local) return Local.look(attempt, cost, now);
  return attempt.kind == QuotaKind.Mesh && Mesh.look(attempt, cost, now);
}

/** True while the counter is known to be empty for such a request and need not be read again. */
function isKnownEmpty(attempt: Attempt, cost: i64, now: i64): bool {
  const emptyFor = attempt.kind == QuotaKind.Bucket ? Bucket.identity(attempt.quota) : attempt.limit;
  return isEmpty(attempt.balance, emptyFor, cost, now);
}

/** When a refused request may be tried again, in nanoseconds. */
function refusedUntil(attempt: Attempt): i64 {
  if (attempt.kind == QuotaKind.Local) return Local.refusedUntil(attempt);
  return attempt.kind == QuotaKind.Mesh ? Mesh.refusedUntil(attempt) : Bucket.refusedUntil(attempt);
}

/** Writes the quota's standing. */
function report(attempt: Attempt, now: i64): void {
  if (attempt.kind == QuotaKind.Local) Local.report(attempt, now);
  else if (attempt.kind == QuotaKind.Mesh) Mesh.report(attempt, now);
  else Bucket.report(attempt, now);
}
