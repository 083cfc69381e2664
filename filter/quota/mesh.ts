import { Counter } from "../rateLimitService/call";
import { Draw, draw, drawn, owe, putBack } from "../rateLimitService/draw";
import { Count, ServiceState, Tally } from "../rateLimitService/service";
import { NONE } from "../bytes/rows";
import { MAX_QUOTAS } from "../config/contract";
import { decision } from "../decision/decision";
import { FailureMode, QuotaKind } from "../tables/quota";
import { LONGEST_WINDOW_NANOSECONDS, ceilSeconds, isAhead, nominalSeconds } from "../time/window";
import {
  Attempt,
  Balance,
  Bill,
  Charge,
  EMPTY_NANOSECONDS,
  Patience,
  UNKNOWN,
  attemptAt,
  forget,
  isOwn,
  leaseSize,
  noteLease,
  quotaNumberOf,
  refuse,
  setEmpty,
} from "./attempt";
import { Charged, chargedTo } from "./charged";

/**
 * A mesh-wide quota: the rate limit service counts it for all Envoys. Its balance is filled from this Envoy's stock of units that
 * the service has granted; a request that finds the stock empty waits until the service has answered.
 */
@unmanaged
class MeshBalance extends Balance {
  /** End of the lease's window, or of the refusal; 0 when nothing is known. */
  endsAtNanoseconds: i64;
  /** The highest number of a unit that is left (see `Stock`): a limit below it must not spend any. */
  topUnits: i64;
}

// @ts-ignore: decorator
@inline
function asMesh(balance: Balance): MeshBalance {
  return changetype<MeshBalance>(balance);
}

const NOTED: usize = memory.data(MAX_QUOTAS * offsetof<Counter>(), 8);

/** A counter that the last charge found empty or running low; `bill.notedCount` says how many there are. */
export function noted(index: i32): Counter {
  return changetype<Counter>(NOTED + <usize>index * offsetof<Counter>());
}

/** Units that this VM holds of the window that ends then. */
export function leasedUntil(balance: Balance, endsAtNanoseconds: i64): i64 {
  return asMesh(balance).endsAtNanoseconds == endsAtNanoseconds ? balance.left : 0;
}

/** Drops a lease whose window is over; true when what is left is enough. */
export function look(attempt: Attempt, cost: i64, now: i64): bool {
  const balance = asMesh(attempt.balance);
  attempt.fallback = NONE;
  attempt.isKnown = isAhead(balance.endsAtNanoseconds, now, LONGEST_WINDOW_NANOSECONDS);
  if (!attempt.isKnown) {
    balance.endsAtNanoseconds = 0;
    forget(balance);
  }
  return balance.left >= cost && balance.topUnits <= attempt.limit;
}

/** Takes a lease from this Envoy's stock if the balance is not enough. Unavailable means that the failure mode must decide. */
export function acquire(service: ServiceState, attempt: Attempt, bill: Bill, now: i64): Charge {
  const balance = asMesh(attempt.balance);
  const limit = attempt.limit;
  const cost = bill.cost;
  const usable = balance.topUnits <= limit ? balance.left : 0;
  if (usable >= cost) return Charge.Enough;
  const want = leaseSize(balance, cost, now);
  switch (draw(service, balance, limit, cost - usable, want, now)) {
    case Draw.Granted:
      // Numbers fall in a new window, or when the service has lost its counts.
      if (drawn.untilNanoseconds != balance.endsAtNanoseconds || usable < balance.left) balance.left = 0;
      balance.topUnits = balance.left > 0 ? max(balance.topUnits, drawn.topUnits) : drawn.topUnits;
      balance.endsAtNanoseconds = drawn.untilNanoseconds;
      noteLease(balance, drawn.units, drawn.usedUnits, now);
      attempt.isKnown = true;
      if (drawn.runsLow) note(bill, attempt, 1, false);
      return Charge.Enough;
    case Draw.Refused:
      balance.endsAtNanoseconds = drawn.untilNanoseconds;
      balance.usedUnits = drawn.usedUnits + balance.left;
      attempt.isKnown = true;
      setEmpty(balance, limit, cost, now, now + EMPTY_NANOSECONDS);
      refuse(bill, attempt, balance.endsAtNanoseconds, now);
      return Charge.Exceeded;
    case Draw.Dry:
      if (bill.patience == Patience.Unanswered || service.outage.isDown(now)) return Charge.Unavailable;
      if (bill.patience == Patience.Wait) {
        note(bill, attempt, cost - usable, true);
        return Charge.Wait;
      }
      if (bill.patience == Patience.None) {
        note(bill, attempt, cost - usable, false);
        attempt.isKnown = false;
        return Charge.Enough;
      }
      attempt.isKnown = false;
      // The service may have granted more units in a second.
      refuse(bill, attempt, now, now);
      return Charge.Exceeded;
    default:
      return Charge.Unavailable;
  }
}

/** Notes that the service should be asked about the counter. The request waits for the first one that is empty. */
function note(bill: Bill, attempt: Attempt, need: i64, isDry: bool): void {
  if (isDry && bill.dryIndex == NONE) bill.dryIndex = bill.notedCount;
  const counter = noted(bill.notedCount++);
  counter.consumerId = attempt.balance.consumerId;
  counter.meter = attempt.balance.meter;
  counter.limit = attempt.limit;
  counter.need = need;
  counter.api = bill.api;
  counter.plan = bill.plan;
  const number = quotaNumberOf(attempt);
  counter.operation = isOwn(number) ? bill.operation : NONE;
  counter.quota = isOwn(number) ? number - bill.planCount : number;
  counter.consumer = bill.consumer;
  counter.window = attempt.quota.window;
  counter.isObserved = bill.isObserving;
  counter.requested = decision.operation;
  counter.keyId = decision.keyId;
}

/** When a refused request may be tried again, in nanoseconds. */
export function refusedUntil(attempt: Attempt): i64 {
  return asMesh(attempt.balance).endsAtNanoseconds;
}

export function report(attempt: Attempt, now: i64): void {
  const balance = asMesh(attempt.balance);
  const standing = attempt.standing;
  standing.limit = attempt.limit;
  standing.remaining = attempt.isKnown ? max<i64>(0, attempt.limit - balance.usedUnits + balance.left) : UNKNOWN;
  standing.windowSeconds = <u32>nominalSeconds(attempt.quota.window);
  standing.resetSeconds = <u32>max<i64>(0, ceilSeconds(balance.endsAtNanoseconds - now));
}

/** Returns units to this Envoy's stock that were leased and not spent. */
export function giveBack(service: ServiceState, balance: Balance, now: i64): void {
  const endsAt = asMesh(balance).endsAtNanoseconds;
  if (putBack(service, balance, endsAt, balance.left, asMesh(balance).topUnits, now))
    service.tally.add(Count.ReturnedUnits, balance.left);
}

/**
 * Settles a request: with `more` below 0, units go back to this Envoy's stock as long as their window lasts. Others are taken from what this
 * VM holds, then from the stock, which may owe some: the next calls ask the service for them. What is owed when the window ends is not counted.
 */
export function correct(service: ServiceState, known: Balance | null, charged: Charged, more: i64, now: i64): void {
  const balance = known != null && asMesh(known).endsAtNanoseconds == charged.until ? known : null;
  let rest = more;
  if (more < 0) {
    if (!putBack(service, chargedTo(charged), charged.until, -more, charged.beyond, now)) return;
  } else {
    const isOpen = known != null && isAhead(asMesh(known).endsAtNanoseconds, now, LONGEST_WINDOW_NANOSECONDS);
    if (known != null && isOpen) {
      rest -= min(known.left, more);
      known.left -= more - rest;
    }
    if (rest > 0 && !owe(service, chargedTo(charged), rest, now)) rest = 0;
  }
  if (balance != null) {
    balance.usedUnits += rest;
    if (more < 0) balance.emptyFor = 0;
  }
  if (charged.remaining != UNKNOWN) charged.remaining = max<i64>(0, charged.remaining - more);
}

/** Counts, for metrics, the failure modes that decided the request. */
export function countFailureModes(tally: Tally, bill: Bill, quotaCount: i32, result: Charge): void {
  if (bill.isObserving) return;
  for (let i = 0; i < quotaCount; i++) {
    const attempt = attemptAt(i);
    if (attempt.quota.kind != QuotaKind.Mesh || attempt.fallback == NONE) continue;
    if (attempt.fallback == FailureMode.Deny) tally.add(Count.DeniedUnavailable, 1);
    else if (attempt.fallback == FailureMode.LocalShare) tally.add(Count.LocalShare, 1);
    else if (result == Charge.Enough) tally.add(Count.AllowedUnavailable, 1);
  }
}
