import { ABSENT, View, heldInShard, lengthOf, pointerOf, resetArena, view } from "../filter/index";
import { Status, lastCas, setGauge, setSharedData, sharedData } from "./host";
import { SharedShards } from "./sharedShards";

/**
 * The gauge of what this Envoy holds from the rate limit service: the sum over all stocks, a few shards at a tick, by whichever VM comes
 * first. Where the round stands is kept under the stocks' "ready" key, so the VMs go round together:
 *
 *   0  looked at  i64 ns     8  next shard  u32     16  held so far  i64
 */
const STATE_BYTES = 24;
const SHARDS_AT_ONCE: u32 = 16;
const PAUSE_NANOSECONDS: i64 = 200_000_000;
const STATE: usize = memory.data(STATE_BYTES, 8);

export function scanStocks(stocks: SharedShards, gauge: u32, now: i64): void {
  const kept = sharedData(stocks.readyKey());
  if (kept == ABSENT) return;
  const cas = lastCas();
  readState(kept);
  const pause = now - load<i64>(STATE);
  if (pause >= 0 && pause < PAUSE_NANOSECONDS) return;
  const first = load<u32>(STATE, 8);
  let held = load<i64>(STATE, 16);
  for (let i = first; i < first + SHARDS_AT_ONCE; i++) {
    resetArena();
    const shard = stocks.read(i);
    if (shard != ABSENT) held += heldInShard(shard, now);
  }
  const next = (first + SHARDS_AT_ONCE) & (stocks.shardCount - 1);
  store<i64>(STATE, now);
  store<u32>(STATE, next, 8);
  store<i64>(STATE, next == 0 ? 0 : held, 16);
  resetArena();
  const stored = setSharedData(stocks.readyKey(), view(STATE, STATE_BYTES), cas) == Status.Ok;
  if (stored && next == 0) setGauge(gauge, held);
}

/** A new key holds a text, which means: from the beginning. */
function readState(kept: View): void {
  memory.fill(STATE, 0, STATE_BYTES);
  if (lengthOf(kept) == STATE_BYTES && load<u32>(pointerOf(kept), 8) % SHARDS_AT_ONCE == 0)
    memory.copy(STATE, pointerOf(kept), STATE_BYTES);
}
