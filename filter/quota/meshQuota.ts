import { note } from "../rateLimitService/ask";
import { draw, refused, runsLow, unknown } from "../rateLimitService/draw";
import { Count, Tally } from "../rateLimitService/tally";
import { FailureMode, Plan, Quota } from "../tables/record";
import { Tables } from "../tables/tables";
import { Balance } from "./balance";
import { Bill, Charge, Patience, acquireWindow } from "./charge";
import { Counters } from "./counters";
import { EMPTY_NANOSECONDS, isEmpty, look, maySpend, setEmpty } from "./held";
import { leaseSize, noteLease } from "./lease";
import { UNKNOWN, grant } from "./pool";
import { refuse, refuseForNow } from "./refusal";
import { MAX_STANDINGS, balanceOf, setBalance, standing } from "./standing";

/** Tells the counter of a local share from the rate limit service's. */
const LOCAL_METER: u64 = 0x6c6f63616c;

/** How each quota of the request at hand is counted. */
const enum Mode {
  Counted,
  Uncounted,
  Shared,
  Denied,
}
const MODES: usize = memory.data(MAX_STANDINGS);

function modeOf(index: i32): Mode {
  return <Mode>load<u8>(MODES + index);
}

/** Leases for the quotas that the rate limit service counts. All are looked at before one makes the request wait, so it waits once. */
export function acquireMesh(tables: Tables, counters: Counters, plan: Plan, bill: Bill, now: i64): Charge {
  let result = Charge.Enough;
  for (let i = 0; i < plan.quotaCount; i++) {
    store<u8>(MODES + i, Mode.Counted);
    const quota = tables.quotas.at(plan.firstQuota + i);
    if (!quota.mesh) continue;
    const one = acquireOne(tables, counters, quota, bill, i, now);
    if (one == Charge.Exceeded || one == Charge.Unavailable) return one;
    if (one == Charge.Wait) result = one;
  }
  return result;
}

function acquireOne(tables: Tables, counters: Counters, quota: Quota, bill: Bill, index: i32, now: i64): Charge {
  const balance = balanceOf(index);
  const state = standing(index);
  if (maySpend(balance, state.limit, bill.cost)) return Charge.Enough;
  const need = bill.cost - balance.left;
  draw(counters, balance.consumer, balance.meter, state.limit, need, leaseSize(balance, bill.cost, now), now);
  if (!grant.available) return fallBack(tables, counters, quota, bill, index, now);
  if (grant.units > 0) {
    noteLease(balance, now);
    state.remaining = 0;
    if (runsLow) noteCounter(quota, balance, state.limit, bill, index, false);
    return Charge.Enough;
  }
  if (refused) {
    balance.window = grant.window;
    balance.poolUsed = grant.used + balance.left;
    state.remaining = 0;
    setEmpty(quota, balance, state.limit, now, now + EMPTY_NANOSECONDS);
    refuse(index, quota, balance, now);
    return Charge.Exceeded;
  }
  if (unknown || bill.patience == Patience.Unanswered || counters.outage.isDown(now))
    return fallBack(tables, counters, quota, bill, index, now);
  if (bill.patience == Patience.Contended) {
    state.remaining = UNKNOWN;
    refuseForNow(index);
    return Charge.Exceeded;
  }
  noteCounter(quota, balance, state.limit, bill, index, true);
  return Charge.Wait;
}

function noteCounter(quota: Quota, balance: Balance, limit: i64, bill: Bill, index: i32, dry: bool): void {
  const counter = note(dry);
  counter.consumerId = balance.consumer;
  counter.meter = balance.meter;
  counter.limit = limit;
  counter.api = bill.api;
  counter.plan = bill.plan;
  counter.quota = index;
  counter.consumer = bill.consumer;
  counter.window = quota.window;
}

/** The rate limit service does not answer: what the policy wants then. */
function fallBack(tables: Tables, counters: Counters, quota: Quota, bill: Bill, index: i32, now: i64): Charge {
  const state = standing(index);
  state.remaining = UNKNOWN;
  if (quota.failureMode == FailureMode.Deny) {
    store<u8>(MODES + index, Mode.Denied);
    return Charge.Unavailable;
  }
  if (quota.failureMode == FailureMode.Allow) {
    store<u8>(MODES + index, Mode.Uncounted);
    return Charge.Enough;
  }
  store<u8>(MODES + index, Mode.Shared);
  const meshed = balanceOf(index);
  const balance = counters.balances.open(meshed.consumer, meshed.meter ^ LOCAL_METER);
  setBalance(index, balance);
  look(quota, balance, state, quota.localShare, now);
  if (!isEmpty(quota, balance, state.limit, bill.cost, now))
    return acquireWindow(counters, quota, index, bill.cost, now);
  refuse(index, quota, balance, now);
  return Charge.Exceeded;
}

/** Counts the failure modes that decided the request. */
export function countModes(tally: Tally, quotaCount: i32, result: Charge): void {
  if (result == Charge.Wait) return;
  for (let i = 0; i < quotaCount; i++) {
    const mode = modeOf(i);
    if (mode == Mode.Counted) continue;
    if (mode == Mode.Denied) tally.add(Count.DeniedUnavailable, 1);
    else if (mode == Mode.Shared) tally.add(Count.LocalShare, 1);
    else if (result == Charge.Enough) tally.add(Count.AllowedUnavailable, 1);
    store<u8>(MODES + i, Mode.Counted);
  }
}
