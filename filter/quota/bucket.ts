import { Cell, CLOCK_STEP_SECONDS, NO_WINDOW } from "./cell";
import { ShardStore, WriteResult } from "./shardStore";
import { grant, settle } from "./pool";
import { MAX_ATTEMPTS, openCell, readCell, writeCell } from "./store";

/**
 * Token buckets by the generic cell rate algorithm (ITU-T I.371): one number, the time at which the bucket would be full
 * again. A token moves it by the interval; it may be at most `burst` intervals ahead. A token is taken from the pool for
 * each request: tokens held in leases would let more than `burst` through at once.
 */
const NANOSECONDS: i64 = 1_000_000_000;

/** When the bucket that `take` looked at is full again, in nanoseconds since the epoch. */
export let fullAtNanoseconds: i64 = 0;

/** Takes `cost` tokens if they are there. The answer is in `grant`, with `window` 0. */
export function take(
  shards: ShardStore,
  consumer: u64,
  meter: u64,
  burst: i64,
  interval: i64,
  cost: i64,
  nowNanoseconds: i64,
): void {
  const nowSeconds = nowNanoseconds / NANOSECONDS;
  const depth = burst * interval;
  grant.available = false;
  grant.window = 0;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = openCell(shards, consumer, meter, nowSeconds);
    if (cell == null) return;
    const arrival = arrivalTime(cell, interval, nowNanoseconds);
    const next = arrival + cost * interval;
    const fits = next - nowNanoseconds <= depth;
    fullAtNanoseconds = fits ? next : arrival;
    grant.units = fits ? cost : 0;
    if (fits) {
      // Time that jumps ahead of a full bucket is kept beside the older time: it may have been a wild reading.
      if (cell.window != NO_WINDOW && arrival > cell.window) cell.olderWindow = cell.window;
      cell.window = next;
      cell.used = depth;
      cell.olderUsed = interval;
      cell.overAtSeconds = next / NANOSECONDS + 1;
    }
    if (settle(shards, nowSeconds)) return;
  }
}

/** Puts tokens back that a request took and then did not use. */
export function putBack(shards: ShardStore, consumer: u64, meter: u64, nanoseconds: i64, nowSeconds: i64): void {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = readCell(shards, consumer, meter);
    if (cell == null) return;
    cell.window -= nanoseconds;
    if (writeCell(shards, nowSeconds) != WriteResult.Conflict) return;
  }
}

/**
 * The bucket's present arrival time, in intervals of the quota that asks: tokens that were used under another limit count
 * on. A time that no present clock can have made gives way to the one before.
 */
function arrivalTime(cell: Cell, interval: i64, now: i64): i64 {
  const latest = now + cell.used + CLOCK_STEP_SECONDS * NANOSECONDS;
  // The larger of the two that can be: the other was computed with a clock far ahead, or far back.
  if (cell.window > latest || (cell.olderWindow > cell.window && cell.olderWindow <= latest)) {
    const given = cell.window;
    cell.window = cell.olderWindow > latest ? NO_WINDOW : cell.olderWindow;
    cell.olderWindow = given;
  }
  const ahead = cell.window - now;
  if (cell.window == NO_WINDOW || ahead <= 0) return now;
  if (cell.olderUsed == interval || cell.olderUsed == 0) return cell.window;
  return now + <i64>ceil((<f64>ahead * <f64>interval) / <f64>cell.olderUsed);
}
