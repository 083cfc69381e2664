import { UNKNOWN } from "../quota/pool";
import { Stock, WHOLE_SHARE, remainingIn } from "./stock";

/**
 * How many units to ask the rate limit service for, and when.
 *
 * An ask covers what this Envoy used of the counter in the last half second, and is at most twice the last grant, unless
 * more requests wait for it. It is also
 * at most an eighth of this Envoy's share of what remains: if every Envoy asks at once, all asks together are an eighth of
 * what remains, so none is refused for having been too large. (The rate limit service counts a refused ask all the same: its units are
 * lost to everybody.) Near the limit, and for a counter of which nothing is known, it is 1.
 */
const HORIZON_NANOSECONDS: i64 = 500_000_000;
const PART: i64 = 8;
const MAX_ASK: i64 = 1 << 20;
const MAX_PAUSE_NANOSECONDS: i64 = 3600 * 1_000_000_000;
/** Grants of this size or more are followed by the next before they are used up. */
const BUSY_UNITS: i64 = 8;
/** While this much remains for all, one unit more in each Envoy does not matter, and even a quiet caller need not wait. */
const PLENTY_UNITS: i64 = 1024;

/** Units to ask for when `demand` requests want some, at least 1. `limit` is the policy's, in case the rate limit service has not said its own yet. */
export function askSize(stock: Stock, held: i64, limit: i64, demand: i64, now: i64): i64 {
  const remaining = remainingIn(stock, now);
  // A new window begins whole; nobody has been refused yet.
  const base = remaining == UNKNOWN ? min(limit, stock.limit > 0 ? stock.limit : limit) : remaining;
  // Divided first: limits go up to 2^53.
  const cap = (base / PART / WHOLE_SHARE) * stock.share + (((base / PART) % WHOLE_SHARE) * stock.share) / WHOLE_SHARE;
  return max<i64>(1, min(min(max(wanted(stock, held, now), demand), cap), MAX_ASK));
}

/** By the pace at which the last grant went. */
function wanted(stock: Stock, held: i64, now: i64): i64 {
  const spent = stock.heldThen - held;
  const took = now - stock.answeredAtNanoseconds;
  if (spent <= 0 || took >= MAX_PAUSE_NANOSECONDS) return 0;
  // In microseconds, so that the product stays far below 2^63.
  return min(stock.lastUnits * 2, (spent * (HORIZON_NANOSECONDS / 1000)) / max<i64>(1, took / 1000));
}

/** True when the next grant should be asked for although `held` units are there. */
export function isLow(stock: Stock, held: i64, now: i64): bool {
  if (stock.lastUnits == 0 || held * 2 > stock.lastUnits) return false;
  return stock.lastUnits >= BUSY_UNITS || remainingIn(stock, now) >= PLENTY_UNITS;
}
