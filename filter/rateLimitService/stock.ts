import { View } from "../bytes/view";
import { Cell, cellAt, cellCount, isShard } from "../shared/shard";
import { LONGEST_WINDOW_NANOSECONDS, NANOSECONDS, isAhead } from "../time/window";

/**
 * The stock of one counter: the units that the rate limit service has granted to this Envoy and that no worker has taken yet,
 * and what is known about the counter there. A cell in shards of its own:
 *
 *   0   consumer id   u64     48  used         i64   units used at the service at its last answer, by all Envoys
 *   8   meter id      u64     56  last units   i64   units of the last grant
 *   16  ends at       i64 ns  64  answered at  i64 ns  time of the last grant
 *   24  held          i64     72  held then    i64   units held right after it
 *   32  granted       i64     80  decline      i64   units a second that other Envoys used between the last two answers
 *   40  limit         i64     88  share        i64   this Envoy's part of what is used, in 1/1024
 *                             96  asked at     i64 ns  a call is under way since then; 0 without one
 *                             104 refused until i64 ns
 *                             112 refused for  i64   the policy's limit that the refusal was given for; 0: the service knows none
 *                             120 paused until i64 ns  not to be asked before
 *                             128 over at      i64 s
 */
@unmanaged
export class Stock extends Cell {
  /** End of the window that the units belong to. */
  endsAtNanoseconds: i64;
  held: i64;
  granted: i64;
  limit: i64;
  used: i64;
  lastUnits: i64;
  answeredAtNanoseconds: i64;
  heldThen: i64;
  declinePerSecond: i64;
  share: i64;
  askedAtNanoseconds: i64;
  refusedUntilNanoseconds: i64;
  refusedForLimit: i64;
  pausedUntilNanoseconds: i64;
  overAtSeconds: i64;
}

/** Bytes of a stock, and its shards: fixed for ever. */
export const STOCK_BYTES: i32 = <i32>offsetof<Stock>();
export const STOCK_SHARD_COUNT: u32 = 256;

/** `share` of an Envoy that is alone. */
export const WHOLE_SHARE: i64 = 1024;
/** No refusal is believed for longer, and no pause is longer. */
const MAX_REFUSAL_NANOSECONDS: i64 = 60 * NANOSECONDS;
/** Older answers say nothing about what remains now. */
const MAX_AGE_NANOSECONDS: i64 = 60 * NANOSECONDS;

// @ts-ignore: decorator
@inline
export function asStock(cell: Cell): Stock {
  return changetype<Stock>(cell);
}

/** True while the window that the stock knows goes on. */
export function isOpen(stock: Stock, now: i64): bool {
  return isAhead(stock.endsAtNanoseconds, now, LONGEST_WINDOW_NANOSECONDS);
}

/** Units that a worker may take. None outlives its window. */
export function heldIn(stock: Stock, now: i64): i64 {
  return isOpen(stock, now) ? stock.held : 0;
}

/** True while the service has said that nothing is left, for this limit. */
export function isRefused(stock: Stock, limit: i64, now: i64): bool {
  return stock.refusedForLimit == limit && isAhead(stock.refusedUntilNanoseconds, now, MAX_REFUSAL_NANOSECONDS);
}

/** True while it is believed that the service knows no limit for the counter: its configuration and the policy differ. */
export function isUnknown(stock: Stock, now: i64): bool {
  return isRefused(stock, 0, now);
}

/** True while the service is not to be asked, although it has refused nothing. */
export function isPaused(stock: Stock, now: i64): bool {
  return isAhead(stock.pausedUntilNanoseconds, now, MAX_REFUSAL_NANOSECONDS);
}

/** True while somebody in this Envoy waits for an answer about the counter. A call that was lost is over at some time. */
export function isAsked(stock: Stock, now: i64, lifetimeNanoseconds: i64): bool {
  const age = now - stock.askedAtNanoseconds;
  return stock.askedAtNanoseconds != 0 && age >= 0 && age < lifetimeNanoseconds;
}

/**
 * Units that remain at the service, going by its last answer: less what other Envoys will have taken since at their last pace.
 * -1 without an answer in this window.
 */
export function remainingIn(stock: Stock, now: i64): i64 {
  if (!isOpen(stock, now)) return -1;
  const age = min(max<i64>(0, now - stock.answeredAtNanoseconds), MAX_AGE_NANOSECONDS);
  return max<i64>(0, stock.limit - stock.used - (stock.declinePerSecond * (age / 1_000_000)) / 1000);
}

/** Units held of all counters in a shard of stocks. */
export function heldInShard(shard: View, now: i64): i64 {
  if (!isShard(shard, STOCK_BYTES)) return 0;
  let held: i64 = 0;
  for (let i = 0, count = cellCount(shard); i < count; i++)
    held += heldIn(changetype<Stock>(cellAt(shard, STOCK_BYTES, i)), now);
  return held;
}

/*
 * How many units to ask the service for, and when.
 *
 * An ask covers what this Envoy used of the counter in the last half second, or the requests that wait for it if they are
 * more, and is at most twice the last grant. It is also at most an eighth of this Envoy's share of what remains: if every Envoy
 * asks at once, all asks together are an eighth of what remains, so none is refused for being too large. (The service counts
 * a refused ask all the same: its units are lost to everybody.) Near the limit, and for a counter of which nothing is known,
 * an ask is 1.
 */
const HORIZON_NANOSECONDS: i64 = NANOSECONDS / 2;
const PART: i64 = 8;
const MAX_ASK: i64 = 1 << 20;
const MAX_PAUSE_NANOSECONDS: i64 = 3600 * NANOSECONDS;
/** Grants of this size or more are followed by the next before they are used up. */
const BUSY_UNITS: i64 = 8;
/** While this much remains for all, one unit more in each Envoy does not matter, and even a quiet caller need not wait. */
const PLENTY_UNITS: i64 = 1024;

/** Units to ask for when `demand` requests want some, at least 1. `limit` is the policy's; the service's own may be smaller. */
export function askSize(stock: Stock, held: i64, limit: i64, demand: i64, now: i64): i64 {
  const remaining = remainingIn(stock, now);
  // A new window begins whole; nobody has been refused yet.
  const base = remaining < 0 ? min(limit, stock.limit > 0 ? stock.limit : limit) : remaining;
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
