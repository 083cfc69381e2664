import {
  Cell,
  MAX_ATTEMPTS,
  ShardStore,
  WriteResult,
  openCell,
  readCell,
  wasFull,
  wasRead,
  writeCell,
} from "../shared/shard";
import { Calendar } from "../tables/quota";
import { CLOCK_STEP_SECONDS, NANOSECONDS, ceilSeconds, windowEnd, windowStart } from "../time/window";
import {
  Attempt,
  Balance,
  Bill,
  Charge,
  EMPTY_NANOSECONDS,
  UNKNOWN,
  forget,
  leaseSize,
  noteLease,
  refuse,
  setEmpty,
} from "./attempt";
import { endOf, startOf } from "./calendar";
import { Charged, chargedTo } from "./charged";

/**
 * A quota that this Envoy counts per window, by itself. Its counter is a cell in the pool. The cell keeps the counts of two
 * windows, the newest and the one before it, so that no count is lost when the clock is set back or one reading is wildly wrong.
 * A window is identified by its first second.
 *
 *   0  consumer id   u64      24  used           i64    units charged in the newest window
 *   8  meter id      u64      32  older window   i64 s
 *   16 window        i64 s    40  older used     i64
 *                             48  over at        i64 s
 */
@unmanaged
export class WindowCell extends Cell {
  windowSeconds: i64;
  used: i64;
  olderWindowSeconds: i64;
  olderUsed: i64;
  overAtSeconds: i64;
}

/** Bytes per cell and shards per pool: these may never change (see `ShardStore`). */
export const CELL_BYTES: i32 = <i32>offsetof<WindowCell>();
export const SHARD_COUNT: u32 = 1024;

/** One lease takes at most this fraction (1/16) of what remains in the pool. */
const LARGEST_PART: i64 = 16;


@unmanaged
class LocalBalance extends Balance {
  /** The lease's window, and its end: the first second after it. */
  windowSeconds: i64;
  windowEndSeconds: i64;
}

// @ts-ignore: decorator
@inline
function asLocal(balance: Balance): LocalBalance {
  return changetype<LocalBalance>(balance);
}

/** Units that this VM has leased in the window and not spent. */
export function leasedIn(balance: Balance, windowSeconds: i64): i64 {
  return asLocal(balance).windowSeconds == windowSeconds ? balance.left : 0;
}

/** Drops a lease whose window is over; true when what is left is enough. */
export function look(attempt: Attempt, cost: i64, now: i64): bool {
  const balance = asLocal(attempt.balance);
  const nowSeconds = now / NANOSECONDS;
  attempt.isKnown = true;
  if (nowSeconds >= balance.windowEndSeconds || nowSeconds < balance.windowSeconds) changeWindow(attempt, nowSeconds);
  return maySpend(balance, attempt.limit, cost);
}

function changeWindow(attempt: Attempt, nowSeconds: i64): void {
  const balance = asLocal(attempt.balance);
  // After a small step back of the clock, requests go on spending from the newer window (see openWindow).
  if (nowSeconds < balance.windowSeconds && balance.windowSeconds - nowSeconds <= CLOCK_STEP_SECONDS) return;
  const present = startOf(attempt.quota.window, nowSeconds);
  setWindow(balance, present, endOf(attempt.quota.window, present));
  attempt.isKnown = false;
}

/** Moves the balance to another window; units left over from the old one are dropped. */
function setWindow(balance: LocalBalance, windowSeconds: i64, windowEndSeconds: i64): void {
  forget(balance);
  balance.windowSeconds = windowSeconds;
  balance.windowEndSeconds = windowEndSeconds;
}

/** True when there are units left here and spending them stays within the limit: used by all, less what is unspent here. */
function maySpend(balance: Balance, limit: i64, cost: i64): bool {
  return balance.left >= cost && balance.usedUnits - balance.left + cost <= limit;
}

/**
 * Takes a lease if the balance is not enough: at least what the request needs, at most what the recent rate calls for. The lease
 * is charged in the pool before any of it is spent, so the limit holds whatever happens to the lease.
 */
export function acquire(pool: ShardStore, attempt: Attempt, bill: Bill, now: i64): Charge {
  const balance = asLocal(attempt.balance);
  const limit = attempt.limit;
  const cost = bill.cost;
  if (maySpend(balance, limit, cost)) return Charge.Enough;
  // Units leased under a higher limit cannot be used under this one.
  const need = balance.left >= cost ? cost : cost - balance.left;
  const want = leaseSize(balance, cost, now);
  const nowSeconds = now / NANOSECONDS;
  const present = startOf(attempt.quota.window, nowSeconds);
  for (let i = 0; i < MAX_ATTEMPTS; i++) {
    const found = openCell(pool, balance, nowSeconds);
    if (found == null) return Charge.Unavailable;
    const cell = changetype<WindowCell>(found);
    const window = openWindow(cell, present, nowSeconds);
    if (cell.overAtSeconds == 0) cell.overAtSeconds = endOf(attempt.quota.window, window);
    const used = usedIn(cell, window);
    const left = limit - used;
    const units = left < need ? 0 : max(need, min(want, left / LARGEST_PART));
    if (units > 0) {
      addUnits(cell, window, units);
      const result = writeCell(pool, nowSeconds);
      if (result == WriteResult.Conflict) continue;
      if (result == WriteResult.Failed) return Charge.Unavailable;
    }
    if (window != balance.windowSeconds) {
      const end = window == cell.windowSeconds ? cell.overAtSeconds : endOf(attempt.quota.window, window);
      setWindow(balance, window, end);
    }
    noteLease(balance, units, used + units, now);
    attempt.isKnown = true;
    if (maySpend(balance, limit, cost)) return Charge.Enough;
    setEmpty(balance, limit, cost, now, now + EMPTY_NANOSECONDS);
    refuse(bill, attempt, refusedUntil(attempt), now);
    return Charge.Exceeded;
  }
  return Charge.Unavailable;
}

/** The first second after the window of the balance. */
export function endsAtSeconds(balance: Balance): i64 {
  return asLocal(balance).windowEndSeconds;
}

/** When a refused request may be tried again, in nanoseconds. */
export function refusedUntil(attempt: Attempt): i64 {
  return asLocal(attempt.balance).windowEndSeconds * NANOSECONDS;
}

/**
 * Units left in the counter and in this balance; UNKNOWN when the pool cannot be read. Reads the pool at most once per window
 * and charges nothing.
 */
export function remaining(pool: ShardStore, attempt: Attempt, now: i64): i64 {
  const balance = attempt.balance;
  if (!attempt.isKnown) {
    const nowSeconds = now / NANOSECONDS;
    const cell = readCell(pool, balance);
    if (!wasRead()) return UNKNOWN;
    balance.usedUnits =
      cell == null ? 0 : usedAt(changetype<WindowCell>(cell), startOf(attempt.quota.window, nowSeconds), nowSeconds);
    attempt.isKnown = true;
  }
  return attempt.limit - balance.usedUnits + balance.left;
}

/** Opening the window changes only this copy of the cell, which is never stored. */
function usedAt(cell: WindowCell, window: i64, nowSeconds: i64): i64 {
  return usedIn(cell, openWindow(cell, window, nowSeconds));
}

export function report(attempt: Attempt, now: i64): void {
  const balance = asLocal(attempt.balance);
  const standing = attempt.standing;
  standing.limit = attempt.limit;
  standing.remaining = attempt.isKnown ? max<i64>(0, attempt.limit - balance.usedUnits + balance.left) : UNKNOWN;
  standing.windowSeconds = <u32>(balance.windowEndSeconds - balance.windowSeconds);
  standing.resetSeconds = <u32>max<i64>(0, ceilSeconds(balance.windowEndSeconds * NANOSECONDS - now));
}

/** Returns units to the pool that were leased and not spent. */
export function giveBack(pool: ShardStore, balance: Balance, now: i64): void {
  for (let i = 0; i < MAX_ATTEMPTS; i++) {
    const cell = readCell(pool, balance);
    if (cell == null) return;
    addUnits(changetype<WindowCell>(cell), asLocal(balance).windowSeconds, -balance.left);
    if (writeCell(pool, now / NANOSECONDS) != WriteResult.Conflict) return;
  }
}

/**
 * Settles a request: `more` units are taken, or with a number below 0 given back. They are given back only to the window from which they came,
 * and taken from the one that is now open. A lease of this VM serves as far as a lease goes; the rest is a matter of the pool, whose count may
 * pass the limit by it.
 */
export function correct(pool: ShardStore, known: Balance | null, charged: Charged, more: i64, now: i64): void {
  if (now / NANOSECONDS >= charged.until && (more < 0 || !enterNext(charged, now / NANOSECONDS))) return;
  const balance = known != null && asLocal(known).windowSeconds == charged.from ? known : null;
  if (balance != null) more = settleLease(balance, charged.limit, more);
  const used = more == 0 ? UNKNOWN : settleInPool(pool, charged, more, now / NANOSECONDS);
  if (balance != null) {
    if (used != UNKNOWN) balance.usedUnits = used;
    // This VM need not wait to look again.
    if (more < 0) balance.emptyFor = 0;
    charged.remaining = max<i64>(0, charged.limit - balance.usedUnits + balance.left);
  } else if (used != UNKNOWN) charged.remaining = max<i64>(0, charged.limit - used);
  charged.windowSeconds = <u32>(charged.until - charged.from);
  charged.resetSeconds = <u32>max<i64>(0, ceilSeconds(charged.until * NANOSECONDS - now));
}

/** The window that is open once the request's is over; false where a calendar says of none. */
function enterNext(charged: Charged, nowSeconds: i64): bool {
  if (charged.window >= Calendar.Year) {
    charged.from = windowStart(charged.window, nowSeconds);
    charged.until = windowEnd(charged.window, charged.from);
    return true;
  }
  charged.from = charged.until;
  charged.until = charged.beyond;
  return nowSeconds < charged.until;
}

/** Settles as much as a lease can; returns what is left to the pool. */
function settleLease(balance: Balance, limit: i64, more: i64): i64 {
  if (more < 0) {
    if (balance.left - more > (limit - balance.usedUnits) / LARGEST_PART) return more;
    balance.left -= more;
    balance.emptyFor = 0;
    return 0;
  }
  const own = min(balance.left, more);
  balance.left -= own;
  return more - own;
}

/** Settles in the pool; returns what is used of the window then, or UNKNOWN. */
function settleInPool(pool: ShardStore, charged: Charged, more: i64, nowSeconds: i64): i64 {
  const counter = chargedTo(charged);
  for (let i = 0; i < MAX_ATTEMPTS; i++) {
    const found = more < 0 ? readCell(pool, counter) : openCell(pool, counter, nowSeconds);
    if (found == null) break;
    const cell = changetype<WindowCell>(found);
    const window = more < 0 ? charged.from : openWindow(cell, charged.from, nowSeconds);
    if (cell.overAtSeconds == 0) cell.overAtSeconds = charged.until;
    addUnits(cell, window, more);
    const used = usedIn(cell, window);
    const result = writeCell(pool, nowSeconds);
    if (result == WriteResult.Conflict) continue;
    return result == WriteResult.Stored ? used : UNKNOWN;
  }
  // Where there is no place for a visitor's counter, nothing can be taken from it.
  wasFull();
  return UNKNOWN;
}

/**
 * The window to charge when the clock says `window`: usually that one, but the cell's newest when the clock was set back by a
 * little, so that a closed window does not start again from zero, and until its end when an edit has moved the windows. Prepares
 * the cell for it; the end of one that begins is 0 until the caller sets it.
 */
export function openWindow(cell: WindowCell, window: i64, nowSeconds: i64): i64 {
  if (window == cell.windowSeconds || window == cell.olderWindowSeconds) return window;
  if (
    window < cell.windowSeconds
      ? cell.windowSeconds - nowSeconds <= CLOCK_STEP_SECONDS
      : nowSeconds < cell.overAtSeconds
  )
    return cell.windowSeconds;
  // Either a new window begins, or the clock is or was far off and may return to the window it left: keep that one's count.
  cell.olderWindowSeconds = cell.windowSeconds;
  cell.olderUsed = cell.used;
  cell.windowSeconds = window;
  cell.used = 0;
  cell.overAtSeconds = 0;
  return window;
}

export function usedIn(cell: WindowCell, window: i64): i64 {
  return window == cell.windowSeconds ? cell.used : window == cell.olderWindowSeconds ? cell.olderUsed : 0;
}

/** Adds `units`, which may be negative, to a window's count; does nothing if the cell no longer has that window. */
export function addUnits(cell: WindowCell, window: i64, units: i64): void {
  if (window == cell.windowSeconds) cell.used = max(<i64>0, cell.used + units);
  else if (window == cell.olderWindowSeconds) cell.olderUsed = max(<i64>0, cell.olderUsed + units);
}
