import { ABSENT, View } from "../bytes/view";
import { Cell } from "./cell";
import { addCell, findCell, isShard, lastCell, touch } from "./shard";
import { ShardStore, WriteResult } from "./shardStore";

/**
 * One cell between its read and its write. Shards are read and written whole; a write that lost the race to another
 * thread is told so, and the caller reads again, at most `MAX_ATTEMPTS` times: then the store is broken.
 */
export const MAX_ATTEMPTS = 256;

let shard: View = ABSENT;
let shardNumber: u32 = 0;

/** The counter's cell, or null when it has none or the store cannot be read (see `wasRead`). The caller may change it. */
export function readCell(shards: ShardStore, consumer: u64, meter: u64): Cell | null {
  shardNumber = (<u32>(consumer ^ rotl<u64>(meter, 17))) & (shards.shardCount - 1);
  const bytes = shards.read(shardNumber);
  shard = bytes != ABSENT && isShard(bytes, shards.cellBytes) ? bytes : ABSENT;
  return shard == ABSENT ? null : findCell(shard, shards.cellBytes, consumer, meter);
}

/** The counter's cell, made if it has none; null only when the store cannot be read. */
export function openCell(shards: ShardStore, consumer: u64, meter: u64, nowSeconds: i64): Cell | null {
  const cell = readCell(shards, consumer, meter);
  if (cell != null || shard == ABSENT) return cell;
  shard = addCell(shard, shards.cellBytes, consumer, meter, nowSeconds);
  return lastCell(shard, shards.cellBytes);
}

/** True when the last read found a shard. */
export function wasRead(): bool {
  return shard != ABSENT;
}

/** Writes the shard of the last read cell, with its changes. */
export function writeCell(shards: ShardStore, nowSeconds: i64): WriteResult {
  touch(shard, nowSeconds);
  return shards.write(shardNumber, shard);
}
