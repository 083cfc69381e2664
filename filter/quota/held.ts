import { Quota } from "../tables/record";
import { Balance } from "./balance";
import { CLOCK_STEP_SECONDS } from "./cell";
import { UNKNOWN } from "./pool";
import { Standing } from "./standing";
import { windowStart } from "./window";

/** What a balance holds for a request, and what is known to be empty. */
const NANOSECONDS: i64 = 1_000_000_000;
/** How long "nothing is there" is believed: leases of others may have come back since. */
export const EMPTY_NANOSECONDS: i64 = 250_000_000;
/** A window's end that lies further ahead than this was computed before the clock went back. */
const MAX_AHEAD_NANOSECONDS: i64 = 32 * 86400 * NANOSECONDS;

/** Lets go of a lease whose window is over, and begins the quota's standing. */
export function look(quota: Quota, balance: Balance, state: Standing, limit: i64, now: i64): void {
  state.limit = limit;
  state.remaining = 0;
  if (quota.burst > 0) return;
  if (balance.mesh) {
    if (now < balance.window && balance.window - now < MAX_AHEAD_NANOSECONDS) return;
    balance.window = 0;
  } else {
    const nowSeconds = now / NANOSECONDS;
    const window = windowStart(quota.window, nowSeconds);
    if (window == balance.window) return;
    // A clock set back by a little spends what is left of the newer window (see openWindow).
    if (balance.window > window && balance.window - nowSeconds <= CLOCK_STEP_SECONDS) return;
    balance.window = window;
  }
  balance.left = 0;
  balance.emptyForLimit = 0;
  state.remaining = UNKNOWN;
}

export function isEmpty(quota: Quota, balance: Balance, limit: i64, cost: i64, now: i64): bool {
  if (maySpend(balance, limit, cost) || balance.emptyForLimit != identity(quota, limit)) return false;
  // Before the answer was given: the clock has been set back, and nothing is known.
  return now >= balance.emptySinceNanoseconds && now < balance.emptyUntilNanoseconds;
}

/**
 * True when units at hand fit under the limit: what all have used, less what is still unspent here. For a counter of the mesh
 * the rate limit service has seen to that.
 */
export function maySpend(balance: Balance, limit: i64, cost: i64): bool {
  return balance.left >= cost && (balance.mesh || balance.poolUsed - balance.left + cost <= limit);
}

export function setEmpty(quota: Quota, balance: Balance, limit: i64, now: i64, until: i64): void {
  balance.emptySinceNanoseconds = now;
  balance.emptyForLimit = identity(quota, limit);
  balance.emptyUntilNanoseconds = until;
}

/** What an answer "empty" was given for; another limit asks again. */
function identity(quota: Quota, limit: i64): i64 {
  return quota.burst > 0 ? quota.burst ^ (quota.intervalNanoseconds << 20) : limit;
}
