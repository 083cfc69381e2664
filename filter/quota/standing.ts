import { Quota } from "../tables/record";
import { Balance } from "./balance";
import { UNKNOWN } from "./pool";
import { nominalSeconds, windowEnd } from "./window";

/** What is known of one quota after a request, for the answer. 24 bytes. */
@unmanaged
export class Standing {
  limit: i64;
  /** Units left, or UNKNOWN when this VM has not asked the pool in this window yet. */
  remaining: i64;
  resetSeconds: u32;
  windowSeconds: u32;
}

export const MAX_STANDINGS = 8;
const STANDINGS: usize = memory.data(MAX_STANDINGS * 24, 8);
const BALANCES: usize = memory.data(MAX_STANDINGS * 4, 8);
const NANOSECONDS: i64 = 1_000_000_000;

/** The standings of the last charge, one after the other in the plan's order. */
export function standings(): usize {
  return STANDINGS;
}

/** The standing of the plan's quota `index`. */
export function standing(index: i32): Standing {
  return changetype<Standing>(STANDINGS + <usize>index * offsetof<Standing>());
}

/** The balance that the request at hand spends from for the plan's quota `index`. */
export function balanceOf(index: i32): Balance {
  return changetype<Balance>(load<usize>(BALANCES + <usize>index * 4));
}

export function setBalance(index: i32, balance: Balance): void {
  store<usize>(BALANCES + <usize>index * 4, changetype<usize>(balance));
}

/** Completes a standing whose limit is set, and whose `remaining` is UNKNOWN or not. */
export function report(quota: Quota, balance: Balance, state: Standing, now: i64): void {
  if (quota.burst > 0) return reportBucket(quota, balance, state, now);
  if (balance.mesh) reportWindow(state, nominalSeconds(quota.window), balance.window, now);
  else {
    const over = windowEnd(quota.window, balance.window);
    reportWindow(state, over - balance.window, over * NANOSECONDS, now);
  }
  if (state.remaining != UNKNOWN) state.remaining = max<i64>(0, state.limit - balance.poolUsed + balance.left);
}

function reportWindow(state: Standing, windowSeconds: i64, endsAtNanoseconds: i64, now: i64): void {
  state.windowSeconds = <u32>windowSeconds;
  state.resetSeconds = <u32>max<i64>(0, ceilSeconds(endsAtNanoseconds - now));
}

/** A bucket's limit is its size; it resets when it is full again. */
function reportBucket(quota: Quota, balance: Balance, state: Standing, now: i64): void {
  const wait = max<i64>(0, balance.fullAtNanoseconds - now);
  state.limit = quota.burst;
  state.windowSeconds = <u32>ceilDivide(quota.burst * nominalSeconds(quota.window), quota.limit);
  // The interval was rounded up by less than a nanosecond for each token; that must not make another second.
  state.resetSeconds = <u32>ceilSeconds(max<i64>(0, wait - quota.burst));
  state.remaining =
    balance.fullAtNanoseconds == 0 ? UNKNOWN : max<i64>(0, quota.burst - ceilDivide(wait, quota.intervalNanoseconds));
}

export function ceilSeconds(nanoseconds: i64): i64 {
  return ceilDivide(nanoseconds, NANOSECONDS);
}

function ceilDivide(value: i64, by: i64): i64 {
  return (value + by - 1) / by;
}
