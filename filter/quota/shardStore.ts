import { View } from "../bytes/view";

/**
 * Where cells are kept in shards: memory that other threads read and write too, with compare-and-swap. The binding
 * implements it over the host's shared data, tests over plain memory. The number of shards and the size of a cell are
 * fixed for ever: other ones would lose every counter.
 */
export abstract class ShardStore {
  /** `shardCount` is a power of two. */
  constructor(
    readonly shardCount: u32,
    readonly cellBytes: i32,
  ) {}

  /** The shard's bytes, the caller's to change until the next callback, or ABSENT when it cannot be read. */
  abstract read(shard: u32): View;

  /** Stores the shard if nobody has since it was read. */
  abstract write(shard: u32, bytes: View): WriteResult;
}

export const enum WriteResult {
  Stored,
  Conflict,
  Failed,
}
