import { View } from "../bytes/view";
import { Cell, cellAt, cellCount, isShard } from "../shared/shard";
import { LONGEST_WINDOW_NANOSECONDS, NANOSECONDS, isAhead } from "../time/window";

/**
 * The stock of one counter: the units that the rate limit service has granted to this Envoy and no worker has taken yet, and what
 * is known about the counter at the service. A cell in shards of its own:
 *
 *   0   consumer id   u64     48  used         i64   units used by all Envoys, as of the service's last answer
 *   8   meter id      u64     56  last units   i64   units of the last grant
 *   16  ends at       i64 ns  64  answered at  i64 ns  time of the last grant
 *   24  held          i64     72  held after   i64   units held right after it
 *   32  granted       i64     80  decline      i64   units a second that other Envoys used between the last two answers
 *   40  limit         i64     88  share        i64   this Envoy's share of what is used, in 1/1024
 *                             96  asked at     i64 ns  when the call under way was made; 0 without one
 *                             104 refused until i64 ns
 *                             112 refused for  i64   the highest limit known to be used up; 0: the service has no limit for it
 *                             120 paused until i64 ns  no call before then
 *                             128 top          i64   the highest number of a unit held
 *                             136 over at      i64 s
 *
 * `limit` is the service's own, which is higher than any plan's. The service's count numbers the units: those of a call that it has
 * counted up to `used` are the last ones up to that number, and no other call has any of them. So a plan's limit is kept when only
 * units are spent whose number is within it, whoever else counts there, and with whichever limit.
 */
@unmanaged
export class Stock extends Cell {
  /** End of the window that the units belong to. */
  endsAtNanoseconds: i64;
  /** Below 0 where answers have cost more than was here: the next grants pay for it. */
  held: i64;
  granted: i64;
  limit: i64;
  used: i64;
  lastUnits: i64;
  answeredAtNanoseconds: i64;
  heldAfterGrant: i64;
  declinePerSecond: i64;
  share: i64;
  askedAtNanoseconds: i64;
  refusedUntilNanoseconds: i64;
  refusedForLimit: i64;
  pausedUntilNanoseconds: i64;
  topUnits: i64;
  overAtSeconds: i64;
}

/** Bytes per stock, and number of shards: these may never change (see `ShardStore`). */
export const STOCK_BYTES: i32 = <i32>offsetof<Stock>();
export const STOCK_SHARD_COUNT: u32 = 256;

/** The `share` of an Envoy that alone uses a counter. */
export const WHOLE_SHARE: i64 = 1024;
/** A refusal holds for about this long, because the service may have lost its counts. */
export const REFUSAL_NANOSECONDS: i64 = 30 * NANOSECONDS;
/** Refusals and pauses that seem to last longer were noted before the clock was set back, and are ignored. */
const MAX_REFUSAL_NANOSECONDS: i64 = 60 * NANOSECONDS;
/** The estimate of what others have used since the last answer is not extended beyond this age. */
const MAX_AGE_NANOSECONDS: i64 = 60 * NANOSECONDS;

// @ts-ignore: decorator
@inline
export function asStock(cell: Cell): Stock {
  return changetype<Stock>(cell);
}

/** True while the stock's window has not ended. */
export function isOpen(stock: Stock, now: i64): bool {
  return isAhead(stock.endsAtNanoseconds, now, LONGEST_WINDOW_NANOSECONDS);
}

/** Units that expire with their window. */
export function heldIn(stock: Stock, now: i64): i64 {
  return isOpen(stock, now) ? stock.held : 0;
}

/** Those of them that a worker may take within this limit: none if any was granted under a higher one. */
export function heldWithin(stock: Stock, limit: i64, now: i64): i64 {
  return stock.topUnits <= limit ? heldIn(stock, now) : 0;
}

/** True while this limit is known to be used up. */
export function isRefused(stock: Stock, limit: i64, now: i64): bool {
  if (limit <= stock.refusedForLimit && isAhead(stock.refusedUntilNanoseconds, now, MAX_REFUSAL_NANOSECONDS))
    return true;
  const age = now - stock.answeredAtNanoseconds;
  return isSpent(stock, limit, now) && age >= 0 && age < REFUSAL_NANOSECONDS;
}

/** True when the service's last answer in this window, however old it is, leaves nothing of the limit. */
export function isSpent(stock: Stock, limit: i64, now: i64): bool {
  return limit <= max(stock.used, stock.refusedForLimit) && isOpen(stock, now);
}

/** True while the service is taken to have no limit for the counter: its configuration and the policy differ. */
export function isUnknown(stock: Stock, now: i64): bool {
  return stock.refusedForLimit == 0 && isAhead(stock.refusedUntilNanoseconds, now, MAX_REFUSAL_NANOSECONDS);
}

/** True while no call may be made for the counter although the service has not refused. */
export function isPaused(stock: Stock, now: i64): bool {
  return isAhead(stock.pausedUntilNanoseconds, now, MAX_REFUSAL_NANOSECONDS);
}

/** True while a call of this Envoy is under way for the counter. A lost call counts until its lifetime is over. */
export function isAsked(stock: Stock, now: i64, lifetimeNanoseconds: i64): bool {
  const age = now - stock.askedAtNanoseconds;
  return stock.askedAtNanoseconds != 0 && age >= 0 && age < lifetimeNanoseconds;
}

/**
 * Units of the limit that probably remain at the service: what its last answer said, less what other Envoys have used since at their
 * last known rate. -1 without an answer in this window.
 */
export function remainingIn(stock: Stock, limit: i64, now: i64): i64 {
  if (!isOpen(stock, now)) return -1;
  const age = min(max<i64>(0, now - stock.answeredAtNanoseconds), MAX_AGE_NANOSECONDS);
  return max<i64>(0, min(limit, stock.limit) - stock.used - (stock.declinePerSecond * (age / 1_000_000)) / 1000);
}

/** The units held for all counters of a shard of stocks. */
export function heldInShard(shard: View, now: i64): i64 {
  if (!isShard(shard, STOCK_BYTES)) return 0;
  let held: i64 = 0;
  for (let i = 0, count = cellCount(shard); i < count; i++)
    held += max<i64>(0, heldIn(changetype<Stock>(cellAt(shard, STOCK_BYTES, i)), now));
  return held;
}

/*
 * How many units to ask the service for, and when.
 *
 * A call asks for what this Envoy used of the counter in the last half second, at most twice the last grant, or for as many units
 * as requests wait if that is more. It also asks for at most an eighth of this Envoy's share of what remains of the limit: when all
 * Envoys ask at once, they ask for an eighth of what remains together. (The service counts what it is asked for, also above the
 * limit: nobody may spend that.) Near the limit, and for a counter that nothing is known about, a call asks for 1, or for what one request
 * lacks if that may still be there.
 *
 * A quiet counter is asked for a few units ahead while plenty remains: at most AHEAD_UNITS, and at most 1/128 of this Envoy's share.
 */
const HORIZON_NANOSECONDS: i64 = NANOSECONDS / 2;
const PART: i64 = 8;
const MAX_ASK: i64 = 1 << 20;
const MAX_PAUSE_NANOSECONDS: i64 = 3600 * NANOSECONDS;
/** After a grant of at least this size, the next one is requested before it is used up. */
const BUSY_UNITS: i64 = 8;
/** While this much remains, holding a few more units in each Envoy does no harm, and spares even quiet consumers the wait. */
const PLENTY_UNITS: i64 = 1024;
const AHEAD_UNITS: i64 = 8;
const AHEAD_PART: i64 = 128;

/**
 * Units to ask for, at least 1, when `demand` requests wait, each for up to `need` units. `limit` is the policy's; the service's may be
 * smaller.
 */
export function askSize(stock: Stock, held: i64, limit: i64, demand: i64, need: i64, now: i64): i64 {
  const remaining = remainingIn(stock, limit, now);
  // Without an answer in this window, the whole limit is taken to remain.
  const base = remaining < 0 ? min(limit, stock.limit > 0 ? stock.limit : limit) : remaining;
  const ahead = base < PLENTY_UNITS ? 0 : min(AHEAD_UNITS, shareOf(stock, base / AHEAD_PART));
  const least = max<i64>(1, min(need - max<i64>(0, held), base));
  const most = min(shareOf(stock, base / PART), MAX_ASK);
  return max(least, min(max(max(wanted(stock, held, now), demand * need), ahead), most));
}

/** This Envoy's share of some units. Divided first: limits go up to 2^53. */
function shareOf(stock: Stock, units: i64): i64 {
  return (units / WHOLE_SHARE) * stock.share + ((units % WHOLE_SHARE) * stock.share) / WHOLE_SHARE;
}

/** What the rate at which the last grant was used calls for. */
function wanted(stock: Stock, held: i64, now: i64): i64 {
  const spent = stock.heldAfterGrant - held;
  const took = now - stock.answeredAtNanoseconds;
  if (spent <= 0 || took >= MAX_PAUSE_NANOSECONDS) return 0;
  // In microseconds, so that the product stays far below 2^63.
  return min(stock.lastUnits * 2, (spent * (HORIZON_NANOSECONDS / 1000)) / max<i64>(1, took / 1000));
}

/** True when the next grant should be requested although `held` units are left. */
export function isLow(stock: Stock, held: i64, limit: i64, now: i64): bool {
  if (stock.lastUnits == 0 || held * 2 > stock.lastUnits) return false;
  return stock.lastUnits >= BUSY_UNITS || remainingIn(stock, limit, now) >= PLENTY_UNITS;
}
