import {
  ABSENT, SHARD_COUNT, ShardStore, View, WriteResult, begin, emptyShard, end, literal, resetArena, writeNumber, writeView,
} from "../filter/index";
import { Status, lastCas, setSharedData, sharedData } from "./host";

const PREFIX = literal("tollgate/1/");
const READY = literal("/ready");
const SLASH = literal("/");

/**
 * The pool of one policy in the host's shared data: `tollgate/1/<policy>/<shard>`. The set of keys never changes, because
 * the host cannot delete one, and they are made before any request, because the host lets two creators both win.
 */
export class SharedPool extends ShardStore {
  constructor(private readonly policy: View) {
    super();
  }

  read(shard: u32): View {
    return sharedData(this.key(shard));
  }

  write(shard: u32, bytes: View): WriteResult {
    const cas = lastCas();
    const status = setSharedData(this.key(shard), bytes, cas);
    return status == Status.Ok ? WriteResult.Stored : status == Status.CasMismatch ? WriteResult.Conflict : WriteResult.Failed;
  }

  /**
   * Makes the shards that are not there. Called while the policy is configured: the main thread's VM comes first, so
   * worker threads find them all. Resets the arena. False when the host does not keep what it is given.
   */
  create(): bool {
    if (sharedData(this.readyKey()) != ABSENT) return true;
    for (let i: u32 = 0; i < SHARD_COUNT; i++) {
      resetArena();
      const key = this.key(i);
      if (sharedData(key) == ABSENT && setSharedData(key, emptyShard(), 0) != Status.Ok) return false;
    }
    resetArena();
    return setSharedData(this.readyKey(), READY, 0) == Status.Ok;
  }

  private key(shard: u32): View {
    begin(64);
    writeView(PREFIX);
    writeView(this.policy);
    writeView(SLASH);
    writeNumber(shard);
    return end();
  }

  private readyKey(): View {
    begin(64);
    writeView(PREFIX);
    writeView(this.policy);
    writeView(READY);
    return end();
  }
}
