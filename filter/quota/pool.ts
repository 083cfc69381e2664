import { WindowKind } from "../tables/record";
import { charge, openWindow, usedIn } from "./cell";
import { ShardStore, WriteResult } from "./shardStore";
import { MAX_ATTEMPTS, openCell, readCell, wasRead, writeCell } from "./store";
import { windowEnd, windowStart } from "./window";

/** Part of what remains in the pool that one lease may take at most. */
const LARGEST_PART: i64 = 16;

/** Outcome of the last `lease` or `take` (one at a time, nothing allocated). */
export class Grant {
  /** False when the store failed: nothing is known and nothing was charged. */
  available: bool = false;
  /** Units charged, 0 when fewer remain than were needed. */
  units: i64 = 0;
  /** Units used in the window after the charge. */
  used: i64 = 0;
  /** The window charged, by its first second. */
  window: i64 = 0;
}

export const grant: Grant = new Grant();

/**
 * Charges up to `want` units, at least `need`, of the window that holds `nowSeconds`: charged before anybody spends them,
 * so the limit holds whatever becomes of them. The answer is in `grant`.
 */
export function lease(
  shards: ShardStore,
  consumer: u64,
  meter: u64,
  kind: WindowKind,
  limit: i64,
  need: i64,
  want: i64,
  nowSeconds: i64,
): void {
  grant.available = false;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = openCell(shards, consumer, meter, nowSeconds);
    if (cell == null) return;
    const window = openWindow(cell, windowStart(kind, nowSeconds), nowSeconds);
    const used = usedIn(cell, window);
    const left = limit - used;
    grant.window = window;
    grant.units = left < need ? 0 : max(need, min(want, left / LARGEST_PART));
    grant.used = used + grant.units;
    if (grant.units > 0) {
      charge(cell, window, grant.units);
      cell.overAtSeconds = windowEnd(kind, cell.window);
    }
    if (settle(shards, nowSeconds)) return;
  }
}

/** Writes what was charged, if anything; true when the answer stands, false to try again. */
export function settle(shards: ShardStore, nowSeconds: i64): bool {
  const result = grant.units == 0 ? WriteResult.Stored : writeCell(shards, nowSeconds);
  grant.available = result == WriteResult.Stored;
  return result != WriteResult.Conflict;
}

/** What nobody has been asked about. */
export const UNKNOWN: i64 = -1;

/** Units used in the window that holds `nowSeconds`, without charging any; UNKNOWN when the store cannot be read. */
export function usedOf(shards: ShardStore, consumer: u64, meter: u64, kind: WindowKind, nowSeconds: i64): i64 {
  const cell = readCell(shards, consumer, meter);
  if (cell == null) return wasRead() ? 0 : UNKNOWN;
  // Opening the window changes only this copy, which is not stored.
  return usedIn(cell, openWindow(cell, windowStart(kind, nowSeconds), nowSeconds));
}

/** Gives back `units` of a lease from `window` that were not spent. */
export function giveBack(
  shards: ShardStore,
  consumer: u64,
  meter: u64,
  window: i64,
  units: i64,
  nowSeconds: i64,
): void {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = readCell(shards, consumer, meter);
    if (cell == null) return;
    charge(cell, window, -units);
    if (writeCell(shards, nowSeconds) != WriteResult.Conflict) return;
  }
}
