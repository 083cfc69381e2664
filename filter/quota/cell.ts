/**
 * A cell: the counter of one consumer and quota in the pool. It remembers two windows, the newest and the one before, so
 * that a clock that is set back, or read wildly wrong once, finds the count it left.
 *
 *   0  consumer id   u64      24  used           i64   units charged in the newest window
 *   8  meter id      u64      32  older window   i64
 *   16 window        i64      40  older used     i64
 *                             48  over at        i64   second after which the cell counts nothing any more
 *
 * A token bucket keeps its theoretical arrival time (GCRA, nanoseconds) in `window`, the one before a jump in `older window`,
 * and the depth and interval it was computed with in `used` and `older used`.
 */
/** Bytes of a cell, and shards of a pool: fixed for ever. */
export const CELL_BYTES: i32 = 56;
export const SHARD_COUNT: u32 = 1024;


@unmanaged
export class Cell {
  consumer: u64;
  meter: u64;
  window: i64;
  used: i64;
  olderWindow: i64;
  olderUsed: i64;
  overAtSeconds: i64;
}

/** What a clock may go back without a new window being opened for it. */
export const CLOCK_STEP_SECONDS: i64 = 60;

/** No window: what a new cell and an untouched older slot hold. */
export const NO_WINDOW: i64 = i64.MIN_VALUE;

export function clearWindows(cell: Cell): void {
  cell.window = NO_WINDOW;
  cell.olderWindow = NO_WINDOW;
}

/**
 * The window to charge when the clock says `window`: usually that one, but the cell's newest when the clock has been set
 * back by a little, so that a closed window is not opened again with a fresh count. Makes the cell ready for it.
 */
export function openWindow(cell: Cell, window: i64, nowSeconds: i64): i64 {
  if (window == cell.window || (window == cell.olderWindow && window != NO_WINDOW)) return window;
  if (window < cell.window && cell.window - nowSeconds <= CLOCK_STEP_SECONDS) return cell.window;
  // A newer window; or the clock is, or was, far off. Either way the one left may be asked for again.
  cell.olderWindow = cell.window;
  cell.olderUsed = cell.used;
  cell.window = window;
  cell.used = 0;
  return window;
}

export function usedIn(cell: Cell, window: i64): i64 {
  return window == cell.window ? cell.used : window == cell.olderWindow ? cell.olderUsed : 0;
}

/** Adds `units`, or takes them back when negative; a window that is no longer remembered is left alone. */
export function charge(cell: Cell, window: i64, units: i64): void {
  if (window == cell.window) cell.used = max(<i64>0, cell.used + units);
  else if (window == cell.olderWindow) cell.olderUsed = max(<i64>0, cell.olderUsed + units);
}
