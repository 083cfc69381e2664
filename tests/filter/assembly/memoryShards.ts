import {
  ABSENT,
  ShardStore,
  View,
  WriteResult,
  allocate,
  emptyShard,
  lengthOf,
  pointerOf,
  view,
} from "../../../filter/index";

/** A pool in plain memory, for one reader and writer at a time: reads copy, as the host does. */
export class MemoryShards extends ShardStore {
  private readonly shards: StaticArray<View>;

  constructor(shardCount: u32, cellBytes: i32, mostCells: i32 = i32.MAX_VALUE) {
    super(shardCount, cellBytes, mostCells);
    this.shards = new StaticArray<View>(<i32>shardCount);
  }

  read(shard: u32): View {
    const kept = this.shards[<i32>shard];
    if (kept == ABSENT) return emptyShard();
    const copy = allocate(lengthOf(kept));
    memory.copy(copy, pointerOf(kept), lengthOf(kept));
    return view(copy, lengthOf(kept));
  }

  write(shard: u32, bytes: View): WriteResult {
    const kept = this.shards[<i32>shard];
    if (kept != ABSENT) heap.free(pointerOf(kept));
    const copy = heap.alloc(lengthOf(bytes));
    memory.copy(copy, pointerOf(bytes), lengthOf(bytes));
    this.shards[<i32>shard] = view(copy, lengthOf(bytes));
    return WriteResult.Stored;
  }
}
