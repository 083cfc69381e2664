import { allocate } from "../bytes/arena";
import { View, lengthOf, pointerOf, view } from "../bytes/view";
import { Identity, ShardStore, cellAt, cellCount, setCellCount } from "../shared/shard";
import { Census } from "./census";

/**
 * What each VM of this Envoy has in flight of a counter: a cell for each VM and counter, next to the others of the counter in a shard (see
 * shared/shard). A VM writes its own cells only, and all cells of a shard change together, by compare-and-swap: so a request that is
 * counted has seen all others.
 *
 *   0  consumer id  u64      16  VM     u64
 *   8  meter id     u64      24  count  i64   requests in flight, above 0
 */
@unmanaged
class FlightCell extends Identity {
  vm: u64;
  count: i64;
}

/** Bytes per cell and number of shards: these may never change (see `ShardStore`). */
export const FLIGHT_CELL_BYTES: i32 = <i32>offsetof<FlightCell>();
export const FLIGHT_SHARD_COUNT: u32 = 256;

export function shardOf(store: ShardStore, consumerId: u64, meter: u64): u32 {
  return (<u32>(consumerId ^ rotl<u64>(meter, 17))) & (store.shardCount - 1);
}

/** How many requests of a counter other VMs have in flight. */
export function inFlightElsewhere(shard: View, consumerId: u64, meter: u64, own: u64, census: Census): i64 {
  let sum: i64 = 0;
  for (let i = 0, count = cellCount(shard); i < count; i++) {
    const cell = cellOf(shard, i);
    if (cell.consumerId == consumerId && cell.meter == meter && cell.vm != own && census.isAlive(cell.vm))
      sum += cell.count;
  }
  return sum;
}

/** A copy of the shard in which this VM's cell of the counter says `count`, without the cells of VMs that are gone. */
export function withCount(shard: View, consumerId: u64, meter: u64, own: u64, count: i64, census: Census): View {
  const start = allocate(lengthOf(shard) + FLIGHT_CELL_BYTES);
  const header = cellAt(shard, FLIGHT_CELL_BYTES, 0) - pointerOf(shard);
  memory.copy(start, pointerOf(shard), header);
  let to = start + header;
  for (let i = 0, cells = cellCount(shard); i < cells; i++) {
    const cell = cellOf(shard, i);
    if (cell.vm == own ? cell.consumerId == consumerId && cell.meter == meter : !census.isAlive(cell.vm)) continue;
    memory.copy(to, changetype<usize>(cell), FLIGHT_CELL_BYTES);
    to += FLIGHT_CELL_BYTES;
  }
  if (count > 0) {
    const cell = changetype<FlightCell>(to);
    cell.consumerId = consumerId;
    cell.meter = meter;
    cell.vm = own;
    cell.count = count;
    to += FLIGHT_CELL_BYTES;
  }
  setCellCount(start, <i32>((to - start - header) / FLIGHT_CELL_BYTES));
  return view(start, <i32>(to - start));
}

/** All requests in flight that the shard counts. */
export function inFlightInShard(shard: View, census: Census): i64 {
  let sum: i64 = 0;
  for (let i = 0, count = cellCount(shard); i < count; i++) {
    const cell = cellOf(shard, i);
    if (census.isAlive(cell.vm)) sum += cell.count;
  }
  return sum;
}

// @ts-ignore: decorator
@inline
function cellOf(shard: View, index: i32): FlightCell {
  return changetype<FlightCell>(cellAt(shard, FLIGHT_CELL_BYTES, index));
}
