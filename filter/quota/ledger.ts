import { View } from "../bytes/view";

/** Shards of a pool. Fixed for ever: another number would move every counter. */
export const SHARD_COUNT: u32 = 1024;

/**
 * Where a pool keeps its shards: memory that other threads read and write too, with compare-and-swap. The binding
 * implements it over the host's shared data, tests over plain memory.
 */
export abstract class ShardStore {
  /** The shard's bytes, the caller's to change until the next callback, or ABSENT when it cannot be read. */
  abstract read(shard: u32): View;

  /** Stores the shard if nobody has since it was read. */
  abstract write(shard: u32, bytes: View): WriteResult;
}

export const enum WriteResult { Stored, Conflict, Failed }
