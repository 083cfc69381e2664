import { allocate } from "../bytes/arena";
import { ABSENT, View, view, pointerOf, lengthOf } from "../bytes/view";
import { CLOCK_STEP_SECONDS } from "../time/window";

/**
 * Cells in memory that is shared with other threads. Keys of the host's shared data can never be deleted, so many cells share one
 * key, as a shard:
 *
 *   0  "TGP1"   u32      8   seen          i64 s   time of the last write
 *   4  count    u32      16  steady since  i64 s   time of the first write after the clock last jumped
 *                        24  cells         count × the store's cell size
 *
 * While one version of the module replaces another, both run in the same Envoy on the same data, so this layout may never change.
 */
@unmanaged
class ShardHeader {
  magic: u32;
  count: u32;
  seenSeconds: i64;
  steadySinceSeconds: i64;
}

const MAGIC: u32 = 0x31504754;
const HEADER_BYTES: i32 = <i32>offsetof<ShardHeader>();

/** What identifies a counter: digests of the consumer's name and of what is counted (see tables/counterId). */
@unmanaged
export class Identity {
  consumerId: u64;
  meter: u64;
}

/**
 * What all kinds of cells have in common: they begin with the counter's identity and end with the second after which the cell no
 * longer matters. Everything in between is zero in a new cell.
 */
@unmanaged
export class Cell extends Identity {}

/** A longer gap between two writes means either that nothing happened or that the clock jumped. */
const MAX_SILENCE_SECONDS: i64 = 3600;
/** How long the clock must have run steadily before expired cells are removed. */
const STEADY_SECONDS: i64 = 60;

/**
 * Where shards are kept: read as a whole, and written with compare-and-swap. The binding implements it over the host's shared
 * data, tests over plain memory. The number of shards and the size of a cell may never change: every counter would be lost.
 */
export abstract class ShardStore {
  /** `shardCount` is a power of two. Of a shard with `mostCells`, that many are for counters that anybody can make. */
  constructor(
    readonly shardCount: u32,
    readonly cellBytes: i32,
    readonly mostCells: i32 = i32.MAX_VALUE,
  ) {}

  /** A copy of the shard that the caller may change, valid until the next callback; ABSENT when it cannot be read. */
  abstract read(shard: u32): View;

  /** Stores the shard unless another thread has stored it since it was read. */
  abstract write(shard: u32, bytes: View): WriteResult;
}

export const enum WriteResult {
  Stored,
  /** Another thread has stored the shard in the meantime: read it again. */
  Conflict,
  Failed,
}

/** How often an update is tried after conflicts; more of them would mean that the store is broken. */
export const MAX_ATTEMPTS = 256;

/** The shard of the cell that is being updated, between its read and its write. */
let inHand: View = ABSENT;
let shardNumber: u32 = 0;

/** The counter's cell, or null when it has none or the store cannot be read (see `wasRead`). The caller may change it. */
export function readCell(shards: ShardStore, counter: Identity): Cell | null {
  shardNumber = (<u32>(counter.consumerId ^ rotl<u64>(counter.meter, 17))) & (shards.shardCount - 1);
  const bytes = shards.read(shardNumber);
  inHand = bytes != ABSENT && isShard(bytes, shards.cellBytes) ? bytes : ABSENT;
  return inHand == ABSENT ? null : findCell(inHand, shards.cellBytes, counter);
}

/** The counter's cell, made if it has none; null only when the store cannot be read. */
export function openCell(shards: ShardStore, counter: Identity, nowSeconds: i64): Cell | null {
  const cell = readCell(shards, counter);
  if (cell != null || inHand == ABSENT) return cell;
  const isFull = cellCount(inHand) >= shards.mostCells;
  const shard = addCell(inHand, shards.cellBytes, counter, nowSeconds, isFull ? 0 : MAX_SILENCE_SECONDS);
  if (isFull && cellCount(shard) > shards.mostCells && counter.consumerId > MOST_RESERVED_ID) {
    foundNoPlace = true;
    return null;
  }
  inHand = shard;
  return lastCell(inHand, shards.cellBytes);
}

/** Ids up to this one, which no digest has, always find a place. */
const MOST_RESERVED_ID: u64 = 256;
let foundNoPlace: bool = false;

/** True when the last cell was not made because its shard is full of counters whose windows are not over. Tells it once. */
export function wasFull(): bool {
  const full = foundNoPlace;
  foundNoPlace = false;
  return full;
}

/** True when the last read found a shard. */
export function wasRead(): bool {
  return inHand != ABSENT;
}

/** Writes the shard of the cell that was read last, with the caller's changes. */
export function writeCell(shards: ShardStore, nowSeconds: i64): WriteResult {
  touch(inHand, nowSeconds);
  return shards.write(shardNumber, inHand);
}

/** A shard without cells. */
export function emptyShard(): View {
  const pointer = allocate(HEADER_BYTES);
  memory.fill(pointer, 0, HEADER_BYTES);
  changetype<ShardHeader>(pointer).magic = MAGIC;
  return view(pointer, HEADER_BYTES);
}

/** True when the bytes are a shard as this module writes it. */
export function isShard(bytes: View, cellBytes: i32): bool {
  const length = lengthOf(bytes);
  return (
    length >= HEADER_BYTES &&
    headerOf(bytes).magic == MAGIC &&
    <i64>headerOf(bytes).count * cellBytes + HEADER_BYTES == <i64>length
  );
}

export function findCell(shard: View, cellBytes: i32, counter: Identity): Cell | null {
  const end = pointerOf(shard) + lengthOf(shard);
  for (let at = cellAt(shard, cellBytes, 0); at < end; at += cellBytes) {
    const cell = changetype<Cell>(at);
    if (cell.consumerId == counter.consumerId && cell.meter == counter.meter) return cell;
  }
  return null;
}

/** Records the time of the write that follows. */
export function touch(shard: View, nowSeconds: i64): void {
  const header = headerOf(shard);
  if (hasJumped(header, nowSeconds)) header.steadySinceSeconds = nowSeconds;
  header.seenSeconds = nowSeconds;
}

function hasJumped(header: ShardHeader, nowSeconds: i64): bool {
  const silence = nowSeconds - header.seenSeconds;
  return silence < -CLOCK_STEP_SECONDS || silence > MAX_SILENCE_SECONDS;
}

/**
 * Whether a cell may be removed; in a shard that is full, without grace. A clock that is wrong by less than MAX_SILENCE_SECONDS does not make a live cell look this old;
 * one that is wrong by more has jumped, and then nothing is removed until it has run steadily for a while.
 */
function isOver(overAtSeconds: i64, nowSeconds: i64, graceSeconds: i64): bool {
  return overAtSeconds + graceSeconds + CLOCK_STEP_SECONDS < nowSeconds;
}

/**
 * A copy of the shard with a new cell for the counter at its end and without expired cells, which is how their memory is
 * reclaimed.
 */
export function addCell(
  shard: View,
  cellBytes: i32,
  counter: Identity,
  nowSeconds: i64,
  graceSeconds: i64 = MAX_SILENCE_SECONDS,
): View {
  const from = pointerOf(shard);
  const pointer = allocate(lengthOf(shard) + cellBytes);
  memory.copy(pointer, from, HEADER_BYTES);
  let to = pointer + HEADER_BYTES;
  const header = headerOf(shard);
  const clockIsSteady = !hasJumped(header, nowSeconds) && nowSeconds - header.steadySinceSeconds >= STEADY_SECONDS;
  const end = from + lengthOf(shard);
  for (let at = from + HEADER_BYTES; at < end; at += cellBytes) {
    if (clockIsSteady && isOver(load<i64>(at + cellBytes - sizeof<i64>()), nowSeconds, graceSeconds)) continue;
    memory.copy(to, at, cellBytes);
    to += cellBytes;
  }
  memory.fill(to, 0, cellBytes);
  const cell = changetype<Cell>(to);
  cell.consumerId = counter.consumerId;
  cell.meter = counter.meter;
  to += cellBytes;
  changetype<ShardHeader>(pointer).count = <u32>((to - pointer - HEADER_BYTES) / cellBytes);
  return view(pointer, <i32>(to - pointer));
}

/** The cell that `addCell` appended. */
export function lastCell(shard: View, cellBytes: i32): Cell {
  return changetype<Cell>(pointerOf(shard) + lengthOf(shard) - cellBytes);
}

export function cellCount(shard: View): i32 {
  return <i32>headerOf(shard).count;
}

/** Sets the number of cells of a shard that is being put together at `start`. */
export function setCellCount(start: usize, count: i32): void {
  changetype<ShardHeader>(start).count = <u32>count;
}

/** Where the shard's cell `index` lies. */
// @ts-ignore: decorator
@inline
export function cellAt(shard: View, cellBytes: i32, index: i32): usize {
  return pointerOf(shard) + HEADER_BYTES + <usize>index * cellBytes;
}

// @ts-ignore: decorator
@inline
function headerOf(shard: View): ShardHeader {
  return changetype<ShardHeader>(pointerOf(shard));
}
