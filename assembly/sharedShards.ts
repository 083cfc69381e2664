import {
  ABSENT,
  CELL_BYTES,
  FLIGHT_CELL_BYTES,
  FLIGHT_SHARD_COUNT,
  Flights,
  SHARD_COUNT,
  STOCK_BYTES,
  STOCK_SHARD_COUNT,
  ShardStore,
  VISITOR_CELLS,
  VISITOR_SHARD_COUNT,
  View,
  WriteResult,
  begin,
  emptyShard,
  end,
  heldInShard,
  lengthOf,
  literal,
  pointerOf,
  resetArena,
  view,
  writeNumber,
  writeView,
} from "../filter/index";
import { Status, lastCas, setGauge, setSharedData, sharedData } from "./host";

const PREFIX = literal("tollgate/1/");
const READY = literal("ready");
/** What follows the policy's name in the keys of pool and stocks. */
const POOL = literal("/");
/** Earlier modules keep stocks of another layout, of other counters of the service, under `/stock/`. */
const STOCKS = literal("/stocks/");
const VISITORS = literal("/visitors/");
const FLIGHTS = literal("/flights/");

/**
 * One policy's shards in the host's shared data: `tollgate/1/<policy>/<shard>` for its pool, `tollgate/1/<policy>/stocks/<shard>` for
 * its stocks, `tollgate/1/<policy>/visitors/<shard>` for callers without a key that have a plan, `tollgate/1/<policy>/flights/<shard>` for requests in
 * flight. The set of keys is fixed, because the host cannot delete keys. They are created before any request, because when
 * two threads create the same key, the host lets both succeed.
 */
export class SharedShards extends ShardStore {
  constructor(
    private readonly policy: View,
    private readonly place: View,
    shardCount: u32,
    cellBytes: i32,
    mostCells: i32 = i32.MAX_VALUE,
  ) {
    super(shardCount, cellBytes, mostCells);
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
   * Creates missing shards while the policy is configured. The main thread's VM is configured first, so worker threads find them
   * all. Resets the arena. False when the host does not store them.
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

  /** Exists once all shards do; after that, its value is free for other use (see scanStocks). */
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

export function visitorsOf(policy: View): SharedShards {
  return new SharedShards(policy, VISITORS, VISITOR_SHARD_COUNT, CELL_BYTES, VISITOR_CELLS);
}

export function flightsOf(policy: View): SharedShards {
  return new SharedShards(policy, FLIGHTS, FLIGHT_SHARD_COUNT, FLIGHT_CELL_BYTES);
}

export function stocksOf(policy: View): SharedShards {
  return new SharedShards(policy, STOCKS, STOCK_SHARD_COUNT, STOCK_BYTES);
}

/**
 * Keeps a gauge of what lies in all shards: a few of them per tick, by whichever VM ticks first. The state of the scan is kept under their
 * "ready" key, so that the VMs share one scan:
 *
 *   0  last step  i64 ns     8  next shard  u32     16  found so far  i64
 */
const STATE_BYTES = 24;
const SHARDS_AT_ONCE: u32 = 16;
const PAUSE_NANOSECONDS: i64 = 200_000_000;
const STATE: usize = memory.data(STATE_BYTES, 8);

/** The units that this Envoy holds from the rate limit service. */
export function scanStocks(stocks: SharedShards, gauge: u32, now: i64): void {
  scan(stocks, null, gauge, now);
}

/** The requests that this Envoy has in flight, of those that are counted. */
export function scanFlights(shards: SharedShards, flights: Flights, gauge: u32, now: i64): void {
  scan(shards, flights, gauge, now);
}

function scan(shards: SharedShards, flights: Flights | null, gauge: u32, now: i64): void {
  const kept = sharedData(shards.readyKey());
  if (kept == ABSENT) return;
  const cas = lastCas();
  readState(kept);
  const pause = now - load<i64>(STATE);
  if (pause >= 0 && pause < PAUSE_NANOSECONDS) return;
  const first = load<u32>(STATE, 8);
  let found = load<i64>(STATE, 16);
  for (let i = first; i < first + SHARDS_AT_ONCE; i++) {
    resetArena();
    const shard = shards.read(i);
    if (shard != ABSENT) found += flights == null ? heldInShard(shard, now) : flights.inShard(shard);
  }
  const next = (first + SHARDS_AT_ONCE) & (shards.shardCount - 1);
  store<i64>(STATE, now);
  store<u32>(STATE, next, 8);
  store<i64>(STATE, next == 0 ? 0 : found, 16);
  resetArena();
  const stored = setSharedData(shards.readyKey(), view(STATE, STATE_BYTES), cas) == Status.Ok;
  if (stored && next == 0) setGauge(gauge, found);
}

/** Zeros for a new key, which holds a string instead of a state: the scan begins at the first shard. */
function readState(kept: View): void {
  memory.fill(STATE, 0, STATE_BYTES);
  if (lengthOf(kept) == STATE_BYTES && load<u32>(pointerOf(kept), 8) % SHARDS_AT_ONCE == 0)
    memory.copy(STATE, pointerOf(kept), STATE_BYTES);
}
