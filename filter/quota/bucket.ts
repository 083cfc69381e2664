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
import { Quota } from "../tables/quota";
import { CLOCK_STEP_SECONDS, NANOSECONDS, ceilDivide, ceilSeconds, nominalSeconds } from "../time/window";
import { Attempt, Balance, Bill, Charge, UNKNOWN, refuse, setEmpty } from "./attempt";
import { Charged, chargedTo } from "./charged";

/**
 * A token bucket of this Envoy, by the generic cell rate algorithm (ITU-T I.371): one number, the arrival time, says when the
 * bucket will be full again. Each token moves it ahead by one interval, up to `burst` intervals ahead of now. Every request takes
 * its tokens from the pool: tokens held in leases would let more than `burst` through at once.
 *
 * The same 56 bytes as a window's cell:
 *
 *   0  consumer id   u64      24  depth           i64 ns   burst × interval of the quota that last took a token
 *   8  meter id      u64      32  older arrival   i64 ns   the arrival time before a jump of the clock
 *   16 arrival       i64 ns   40  interval        i64 ns   of the quota that last took a token
 *                             48  over at         i64 s
 */
@unmanaged
export class BucketCell extends Cell {
  arrivalNanoseconds: i64;
  depthNanoseconds: i64;
  olderArrivalNanoseconds: i64;
  intervalNanoseconds: i64;
  overAtSeconds: i64;
}


@unmanaged
class BucketBalance extends Balance {
  /** When the bucket will be full again; 0 until the cell has been read. */
  fullAtNanoseconds: i64;
}

// @ts-ignore: decorator
@inline
function asBucket(balance: Balance): BucketBalance {
  return changetype<BucketBalance>(balance);
}

/** Takes a request's tokens if they are there. */
export function acquire(pool: ShardStore, attempt: Attempt, bill: Bill, now: i64): Charge {
  const balance = asBucket(attempt.balance);
  const quota = attempt.quota;
  const interval = quota.intervalNanoseconds;
  const depth = quota.burst * interval;
  const nowSeconds = now / NANOSECONDS;
  for (let i = 0; i < MAX_ATTEMPTS; i++) {
    const found = openCell(pool, balance, nowSeconds);
    if (found == null) break;
    const cell = changetype<BucketCell>(found);
    const arrival = arrivalTime(cell, interval, now);
    const next = arrival + bill.cost * interval;
    if (next - now > depth) {
      balance.fullAtNanoseconds = arrival;
      // Where answers settle, another worker may give tokens back at any time.
      if (!quota.isSettled) setEmpty(balance, identity(quota), bill.cost, now, next - depth);
      refuse(bill, attempt, next - depth, now);
      return Charge.Exceeded;
    }
    // When the clock has moved past the arrival time, the old time is kept as well: the reading may be wildly wrong.
    if (isSet(cell.arrivalNanoseconds) && arrival > cell.arrivalNanoseconds)
      cell.olderArrivalNanoseconds = cell.arrivalNanoseconds;
    cell.arrivalNanoseconds = next;
    cell.depthNanoseconds = depth;
    cell.intervalNanoseconds = interval;
    cell.overAtSeconds = next / NANOSECONDS + 1;
    const result = writeCell(pool, nowSeconds);
    if (result == WriteResult.Conflict) continue;
    if (result == WriteResult.Failed) break;
    balance.fullAtNanoseconds = next;
    return Charge.Enough;
  }
  return Charge.Unavailable;
}

/**
 * The bucket's current arrival time, in intervals of the quota that asks: tokens that were used under another limit still
 * count. A time too far ahead to come from a correct clock is replaced by the one before it.
 */
// @ts-ignore: decorator
@inline
function arrivalTime(cell: BucketCell, interval: i64, now: i64): i64 {
  const latest = now + cell.depthNanoseconds + CLOCK_STEP_SECONDS * NANOSECONDS;
  const present = cell.arrivalNanoseconds;
  const older = cell.olderArrivalNanoseconds;
  // The larger of the plausible ones: the other was computed while the clock was far ahead or far behind.
  if (present > latest || (older > present && older <= latest)) {
    cell.arrivalNanoseconds = older > latest ? 0 : older;
    cell.olderArrivalNanoseconds = present;
  }
  const arrival = cell.arrivalNanoseconds;
  if (arrival <= now) return now;
  if (cell.intervalNanoseconds == interval || cell.intervalNanoseconds == 0) return arrival;
  return now + <i64>ceil((<f64>(arrival - now) * <f64>interval) / <f64>cell.intervalNanoseconds);
}

/** A slot that was never used holds 0, or the lowest number when an older module made the cell. */
function isSet(arrival: i64): bool {
  return arrival > 0;
}

/** Tells one limit and burst from another, so that after an edit the cell is read again. */
export function identity(quota: Quota): i64 {
  return quota.burst ^ (quota.intervalNanoseconds << 20);
}

/** When there will be enough tokens for the refused request, in nanoseconds. */
export function refusedUntil(attempt: Attempt): i64 {
  return attempt.balance.emptyUntilNanoseconds;
}

/** A bucket reports its size as the limit, and the time until it is full as the reset. */
// @ts-ignore: decorator
@inline
export function report(attempt: Attempt, now: i64): void {
  const fullAt = asBucket(attempt.balance).fullAtNanoseconds;
  const quota = attempt.quota;
  const standing = attempt.standing;
  const wait = max<i64>(0, fullAt - now);
  standing.limit = quota.burst;
  standing.remaining = fullAt == 0 ? UNKNOWN : max<i64>(0, quota.burst - ceilDivide(wait, quota.intervalNanoseconds));
  standing.windowSeconds = <u32>ceilDivide(quota.burst * nominalSeconds(quota.window), quota.limit);
  // The interval was rounded up by less than a nanosecond per token, which must not add a second.
  standing.resetSeconds = <u32>ceilSeconds(max<i64>(0, wait - quota.burst));
}

/** Reads the bucket and takes nothing from it. */
export function read(pool: ShardStore, attempt: Attempt, now: i64): void {
  const balance = asBucket(attempt.balance);
  const cell = readCell(pool, balance);
  if (cell != null)
    balance.fullAtNanoseconds = arrivalTime(changetype<BucketCell>(cell), attempt.quota.intervalNanoseconds, now);
  else if (wasRead()) balance.fullAtNanoseconds = now;
}

/** Puts a request's tokens back because a later bucket has refused. */
export function giveBack(pool: ShardStore, attempt: Attempt, cost: i64, now: i64): void {
  const balance = asBucket(attempt.balance);
  const nanoseconds = cost * attempt.quota.intervalNanoseconds;
  balance.fullAtNanoseconds -= nanoseconds;
  for (let i = 0; i < MAX_ATTEMPTS; i++) {
    const cell = readCell(pool, balance);
    if (cell == null) return;
    changetype<BucketCell>(cell).arrivalNanoseconds -= nanoseconds;
    if (writeCell(pool, now / NANOSECONDS) != WriteResult.Conflict) return;
  }
}

/** However many tokens a bucket owes, it owes none after this time. */
const LONGEST_DEBT_NANOSECONDS: i64 = 366 * 86400 * NANOSECONDS;

/**
 * Settles a request: `more` tokens are taken, even if the bucket then owes some, or with a number below 0 given back. Those of the request that
 * have flowed back in the meantime are not given back as well: then the bucket is as if the request had never taken the others.
 */
export function correct(pool: ShardStore, known: Balance | null, charged: Charged, more: i64, now: i64): void {
  const interval = charged.from;
  const returned = more < 0 ? min(-more * interval, charged.until - now) : 0;
  if (more < 0 && returned <= 0) return;
  const fullAt = more < 0 ? flowBack(pool, charged, returned, now) : owe(pool, charged, more, now);
  if (fullAt == 0) return;
  if (known != null) {
    asBucket(known).fullAtNanoseconds = fullAt;
    known.emptyFor = 0;
  }
  const wait = max<i64>(0, fullAt - now);
  charged.remaining = max<i64>(0, charged.limit - ceilDivide(wait, interval));
  charged.resetSeconds = <u32>ceilSeconds(max<i64>(0, wait - charged.limit));
}

/** Gives back; returns when the bucket will be full, or 0. */
function flowBack(pool: ShardStore, charged: Charged, nanoseconds: i64, now: i64): i64 {
  for (let i = 0; i < MAX_ATTEMPTS; i++) {
    const found = readCell(pool, chargedTo(charged));
    if (found == null) return 0;
    const cell = changetype<BucketCell>(found);
    const interval = cell.intervalNanoseconds;
    // An edit may have changed how long a token takes.
    cell.arrivalNanoseconds -=
      interval == charged.from || interval == 0
        ? nanoseconds
        : <i64>((<f64>nanoseconds * <f64>interval) / <f64>charged.from);
    const fullAt = cell.arrivalNanoseconds;
    const result = writeCell(pool, now / NANOSECONDS);
    if (result != WriteResult.Conflict) return result == WriteResult.Stored ? fullAt : 0;
  }
  return 0;
}

/** Takes tokens whether they are there or not; returns when the bucket will be full, or 0. */
function owe(pool: ShardStore, charged: Charged, tokens: i64, now: i64): i64 {
  const interval = charged.from;
  const nowSeconds = now / NANOSECONDS;
  const time = tokens > LONGEST_DEBT_NANOSECONDS / interval ? LONGEST_DEBT_NANOSECONDS : tokens * interval;
  for (let i = 0; i < MAX_ATTEMPTS; i++) {
    const found = openCell(pool, chargedTo(charged), nowSeconds);
    if (found == null) break;
    const cell = changetype<BucketCell>(found);
    const arrival = arrivalTime(cell, interval, now);
    const next = max(arrival, min(arrival + time, now + LONGEST_DEBT_NANOSECONDS));
    if (isSet(cell.arrivalNanoseconds) && arrival > cell.arrivalNanoseconds)
      cell.olderArrivalNanoseconds = cell.arrivalNanoseconds;
    cell.arrivalNanoseconds = next;
    // A time this far ahead is no mistake of a clock.
    cell.depthNanoseconds = max(charged.beyond, next - now);
    cell.intervalNanoseconds = interval;
    cell.overAtSeconds = next / NANOSECONDS + 1;
    const result = writeCell(pool, nowSeconds);
    if (result == WriteResult.Conflict) continue;
    return result == WriteResult.Stored ? next : 0;
  }
  wasFull();
  return 0;
}
