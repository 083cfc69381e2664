import { ABSENT, View } from "../bytes/view";
import { Cell, charge, openWindow, usedIn } from "./cell";
import { ShardStore, SHARD_COUNT, WriteResult } from "./ledger";
import { addCell, findCell, isShard, lastCell, touch } from "./shard";
import { WindowKind } from "../tables/record";
import { windowEnd, windowStart } from "./window";

/** Part of what remains in the pool that one lease may take at most. */
const LARGEST_PART: i64 = 16;

/** Others can win the race for a shard only so often; then the store is broken. */
const MAX_ATTEMPTS = 256;

/** Outcome of the last `lease` or `take` (one at a time, nothing allocated). */
export class Grant {
  /** False when the store failed: nothing is known and nothing was charged. */
  available: bool = false;
  /** Units charged, 0 when fewer remain than were needed. */
  units: i64 = 0;
  /** Units that remain in the pool after the charge. */
  remaining: i64 = 0;
  /** The window charged, by its first second. */
  window: i64 = 0;
}

export const grant: Grant = new Grant();

/**
 * Charges up to `want` units, at least `need`, of the window that holds `nowSeconds`: charged before anybody spends them,
 * so the limit holds whatever becomes of them. The answer is in `grant`.
 */
export function lease(
  shards: ShardStore, consumer: u64, meter: u64, kind: WindowKind, limit: i64, need: i64, want: i64, nowSeconds: i64,
): void {
  const shardNumber = shardOf(consumer, meter);
  grant.available = false;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    let shard = shards.read(shardNumber);
    if (shard == ABSENT || !isShard(shard)) return;
    let cell = findCell(shard, consumer, meter);
    if (cell == null) {
      shard = addCell(shard, consumer, meter, nowSeconds);
      cell = lastCell(shard);
    }
    const window = openWindow(cell, windowStart(kind, nowSeconds), nowSeconds);
    const left = limit - usedIn(cell, window);
    grant.window = window;
    grant.units = left < need ? 0 : max(need, min(want, left / LARGEST_PART));
    grant.remaining = max(<i64>0, left - grant.units);
    if (grant.units == 0) {
      grant.available = true;
      return;
    }
    charge(cell, window, grant.units);
    cell.overAtSeconds = windowEnd(kind, cell.window);
    if (stored(shards, shardNumber, shard, nowSeconds)) return;
  }
}

/** What nobody has been asked about. */
export const UNKNOWN: i64 = -1;

/** Units that remain in the window that holds `nowSeconds`, without charging any; UNKNOWN when the store cannot be read. */
export function remainingOf(shards: ShardStore, consumer: u64, meter: u64, kind: WindowKind, limit: i64, nowSeconds: i64): i64 {
  const shard = shards.read(shardOf(consumer, meter));
  if (shard == ABSENT || !isShard(shard)) return UNKNOWN;
  const cell = findCell(shard, consumer, meter);
  // Opening the window changes only this copy, which is not stored.
  return cell == null ? limit : max<i64>(0, limit - usedIn(cell, openWindow(cell, windowStart(kind, nowSeconds), nowSeconds)));
}

/** Gives back `units` of a lease from `window` that were not spent. */
export function giveBack(shards: ShardStore, consumer: u64, meter: u64, window: i64, units: i64, nowSeconds: i64): void {
  const shardNumber = shardOf(consumer, meter);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const shard = shards.read(shardNumber);
    if (shard == ABSENT || !isShard(shard)) return;
    const cell = findCell(shard, consumer, meter);
    if (cell == null) return;
    charge(cell, window, -units);
    if (stored(shards, shardNumber, shard, nowSeconds)) return;
  }
}

/** Writes the shard; true ends the caller's loop, with `grant.available` saying whether it was stored. */
export function stored(shards: ShardStore, shardNumber: u32, shard: View, nowSeconds: i64): bool {
  touch(shard, nowSeconds);
  const result = shards.write(shardNumber, shard);
  grant.available = result == WriteResult.Stored;
  return result != WriteResult.Conflict;
}

export function shardOf(consumer: u64, meter: u64): u32 {
  return <u32>(consumer ^ rotl<u64>(meter, 17)) & SHARD_COUNT - 1;
}
