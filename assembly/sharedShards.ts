import {
  ABSENT,
  CELL_BYTES,
  SHARD_COUNT,
  STOCK_BYTES,
  STOCK_SHARD_COUNT,
  ShardStore,
  View,
  WriteResult,
  begin,
  emptyShard,
  end,
  literal,
  resetArena,
  writeNumber,
  writeView,
} from "../filter/index";
import { Status, lastCas, setSharedData, sharedData } from "./host";

const PREFIX = literal("tollgate/1/");
const READY = literal("ready");
/** What follows the policy's name in the keys of its pool and of its stocks. */
const POOL = literal("/");
const STOCKS = literal("/stock/");

/**
 * Shards of one policy in the host's shared data: `tollgate/1/<policy>/<shard>` for its pool, `tollgate/1/<policy>/stock/<shard>`
 * for its stocks. The set of keys never changes, because the host cannot delete one, and they are made before any request,
 * because the host lets two creators both win.
 */
export class SharedShards extends ShardStore {
  constructor(
    private readonly policy: View,
    private readonly place: View,
    shardCount: u32,
    cellBytes: i32,
  ) {
    super(shardCount, cellBytes);
  }

  read(shard: u32): View {
    return sharedData(this.key(shard));
  }

  write(shard: u32, bytes: View): WriteResult {
    const cas = lastCas();
    const status = setSharedData(this.key(shard), bytes, cas);
    return status == Status.Ok
      ? WriteResult.Stored
      : status == Status.CasMismatch
        ? WriteResult.Conflict
        : WriteResult.Failed;
  }

  /**
   * Makes the shards that are not there. Called while the policy is configured: the main thread's VM comes first, so
   * worker threads find them all. Resets the arena. False when the host does not keep what it is given.
   */
  create(): bool {
    if (sharedData(this.readyKey()) != ABSENT) return true;
    for (let i: u32 = 0; i < this.shardCount; i++) {
      resetArena();
      const key = this.key(i);
      if (sharedData(key) == ABSENT && setSharedData(key, emptyShard(), 0) != Status.Ok) return false;
    }
    resetArena();
    return setSharedData(this.readyKey(), READY, 0) == Status.Ok;
  }

  private key(shard: u32): View {
    this.beginKey();
    writeNumber(shard);
    return end();
  }

  /** Its value is the module's to use (see stockScan), once the shards are there. */
  readyKey(): View {
    this.beginKey();
    writeView(READY);
    return end();
  }

  private beginKey(): void {
    begin(64);
    writeView(PREFIX);
    writeView(this.policy);
    writeView(this.place);
  }
}

export function poolOf(policy: View): SharedShards {
  return new SharedShards(policy, POOL, SHARD_COUNT, CELL_BYTES);
}

export function stocksOf(policy: View): SharedShards {
  return new SharedShards(policy, STOCKS, STOCK_SHARD_COUNT, STOCK_BYTES);
}
