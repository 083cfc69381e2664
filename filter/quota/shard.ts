import { allocate } from "../bytes/arena";
import { View, lengthOf, pointerOf, view } from "../bytes/view";
import { CELL_BYTES, CLOCK_STEP_SECONDS, Cell, clearWindows } from "./cell";

/**
 * One value of the pool: many cells under one key, because keys can never be deleted.
 *
 *   0  "TGP1"   u32      8   seen          i64   second of the last write
 *   4  count    u32      16  steady since  i64   second of the first write after the clock last jumped
 *                        24  cells         count × the store's cell size
 *
 * Every kind of cell begins with the consumer's id and the meter's, and ends with the second after which it counts nothing.
 */
const MAGIC: u32 = 0x31504754;
const HEADER_BYTES: i32 = 24;
/** A longer time between two writes may be silence, or a clock that jumped. */
const MAX_SILENCE_SECONDS: i64 = 3600;
/** How long the clock must have gone on evenly before cells are removed by it. */
const STEADY_SECONDS: i64 = 60;

/** A shard without cells. */
export function emptyShard(): View {
  const pointer = allocate(HEADER_BYTES);
  store<u32>(pointer, MAGIC);
  store<u32>(pointer, 0, 4);
  store<i64>(pointer, 0, 8);
  store<i64>(pointer, 0, 16);
  return view(pointer, HEADER_BYTES);
}

/** True when the bytes are a shard as this module writes it. */
export function isShard(bytes: View, cellBytes: i32): bool {
  const length = lengthOf(bytes);
  return (
    length >= HEADER_BYTES &&
    load<u32>(pointerOf(bytes)) == MAGIC &&
    <i64>load<u32>(pointerOf(bytes), 4) * cellBytes + HEADER_BYTES == <i64>length
  );
}

export function findCell(shard: View, cellBytes: i32, consumer: u64, meter: u64): Cell | null {
  const base = pointerOf(shard);
  const end = base + lengthOf(shard);
  for (let at = base + HEADER_BYTES; at < end; at += cellBytes) {
    if (load<u64>(at) == consumer && load<u64>(at, 8) == meter) return changetype<Cell>(at);
  }
  return null;
}

/** Marks the time of the write that follows. */
export function touch(shard: View, nowSeconds: i64): void {
  const header = pointerOf(shard);
  if (hasJumped(header, nowSeconds)) store<i64>(header, nowSeconds, 16);
  store<i64>(header, nowSeconds, 8);
}

function hasJumped(header: usize, nowSeconds: i64): bool {
  const silence = nowSeconds - load<i64>(header, 8);
  return silence < -CLOCK_STEP_SECONDS || silence > MAX_SILENCE_SECONDS;
}

/**
 * Whether a cell may go. A clock that is wrong by less than the silence makes no live cell look so old; one that is wrong by
 * more has jumped, and nothing is removed until it has gone on evenly for a while.
 */
function isOver(overAtSeconds: i64, nowSeconds: i64): bool {
  return overAtSeconds + MAX_SILENCE_SECONDS + CLOCK_STEP_SECONDS < nowSeconds;
}

/**
 * A copy of the shard with a new cell of zeros for the pair, at its end, in place of cells that count nothing any more. Their keys
 * cannot be removed from the host, so this is where memory comes back.
 */
export function addCell(shard: View, cellBytes: i32, consumer: u64, meter: u64, nowSeconds: i64): View {
  const from = pointerOf(shard);
  const pointer = allocate(lengthOf(shard) + cellBytes);
  memory.copy(pointer, from, HEADER_BYTES);
  let to = pointer + HEADER_BYTES;
  const clockIsSteady = !hasJumped(from, nowSeconds) && nowSeconds - load<i64>(from, 16) >= STEADY_SECONDS;
  const end = from + lengthOf(shard);
  for (let at = from + HEADER_BYTES; at < end; at += cellBytes) {
    if (clockIsSteady && isOver(load<i64>(at + cellBytes - 8), nowSeconds)) continue;
    memory.copy(to, at, cellBytes);
    to += cellBytes;
  }
  memory.fill(to, 0, cellBytes);
  store<u64>(to, consumer);
  store<u64>(to, meter, 8);
  if (cellBytes == CELL_BYTES) clearWindows(changetype<Cell>(to));
  to += cellBytes;
  store<u32>(pointer, <u32>((to - pointer - HEADER_BYTES) / cellBytes), 4);
  return view(pointer, <i32>(to - pointer));
}

/** The cell that `addCell` put last. */
export function lastCell(shard: View, cellBytes: i32): Cell {
  return changetype<Cell>(pointerOf(shard) + lengthOf(shard) - cellBytes);
}

export function cellCount(shard: View): i32 {
  return <i32>load<u32>(pointerOf(shard), 4);
}

export function cellAt(shard: View, cellBytes: i32, index: i32): usize {
  return pointerOf(shard) + HEADER_BYTES + <usize>index * cellBytes;
}
