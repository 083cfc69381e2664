import { View } from "../bytes/view";
import { Cell } from "../quota/cell";
import { UNKNOWN } from "../quota/pool";
import { cellAt, cellCount, isShard } from "../quota/shard";

/**
 * The stock of one counter: units that the rate limit service has granted to this Envoy and that no worker has taken yet, with what is
 * known of the counter there. Kept like a cell, in shards of its own.
 *
 *   0   consumer id   u64     48  used         i64   units used at the rate limit service at its last answer, by all Envoys
 *   8   meter id      u64     56  last units   i64   units of the last grant
 *   16  ends at       i64 ns  64  answered at  i64 ns  time of the last grant
 *   24  held          i64     72  held then    i64   units held right after it
 *   32  granted       i64     80  decline      i64   units a second that other Envoys used between the last two answers
 *   40  limit         i64     88  share        i64   this Envoy's part of what is used, in 1/1024
 *                             96  asked at     i64 ns  a call is under way since then; 0 without one
 *                             104 refused until i64 ns
 *                             112 refused for  i64   the policy's limit that the refusal was given for; 0: the rate limit service knows none
 *                             120 paused until i64 ns not to be asked before
 *                             128 over at      i64 s
 */
@unmanaged
export class Stock {
  consumer: u64;
  meter: u64;
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
export const STOCK_BYTES: i32 = 136;
export const STOCK_SHARD_COUNT: u32 = 256;

/** `share` of an Envoy that is alone. */
export const WHOLE_SHARE: i64 = 1024;
const NANOSECONDS: i64 = 1_000_000_000;
/** No window's end lies further ahead; one that does was computed with another clock. */
const MAX_AHEAD_NANOSECONDS: i64 = 32 * 86400 * NANOSECONDS;
/** No refusal is believed for longer, and no pause is longer; one that is was set before the clock went back. */
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
  return now < stock.endsAtNanoseconds && stock.endsAtNanoseconds - now < MAX_AHEAD_NANOSECONDS;
}

/** Units that a worker may take. None outlives its window. */
export function heldIn(stock: Stock, now: i64): i64 {
  return isOpen(stock, now) ? stock.held : 0;
}

/** True while the rate limit service has said that nothing is left, for this limit. */
export function isRefused(stock: Stock, limit: i64, now: i64): bool {
  return stock.refusedForLimit == limit && isAhead(stock.refusedUntilNanoseconds, now);
}

/** True while it is believed that the rate limit service knows no limit for the counter: its configuration and the policy differ. */
export function isUnknown(stock: Stock, now: i64): bool {
  return stock.refusedForLimit == 0 && isAhead(stock.refusedUntilNanoseconds, now);
}

/** True while the rate limit service is not to be asked, although it has refused nothing. */
export function isPaused(stock: Stock, now: i64): bool {
  return isAhead(stock.pausedUntilNanoseconds, now);
}

function isAhead(time: i64, now: i64): bool {
  return now < time && time - now <= MAX_REFUSAL_NANOSECONDS;
}

/**
 * Units that remain at the rate limit service, as far as its last answer says: less what other Envoys will have taken since at their
 * last pace. UNKNOWN without an answer in this window.
 */
export function remainingIn(stock: Stock, now: i64): i64 {
  if (!isOpen(stock, now)) return UNKNOWN;
  const age = min(max<i64>(0, now - stock.answeredAtNanoseconds), MAX_AGE_NANOSECONDS);
  return max<i64>(0, stock.limit - stock.used - (stock.declinePerSecond * (age / 1_000_000)) / 1000);
}

/** True while somebody in this Envoy waits for an answer about the counter. A call that was lost is over at some time. */
export function isAsked(stock: Stock, now: i64, lifetimeNanoseconds: i64): bool {
  return (
    stock.askedAtNanoseconds != 0 &&
    stock.askedAtNanoseconds <= now &&
    now - stock.askedAtNanoseconds < lifetimeNanoseconds
  );
}

/** Units held of all counters in a shard of stocks. */
export function heldInShard(shard: View, now: i64): i64 {
  if (!isShard(shard, STOCK_BYTES)) return 0;
  let held: i64 = 0;
  for (let i = 0, count = cellCount(shard); i < count; i++)
    held += heldIn(changetype<Stock>(cellAt(shard, STOCK_BYTES, i)), now);
  return held;
}
