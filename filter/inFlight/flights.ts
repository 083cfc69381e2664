import { resetArena } from "../bytes/arena";
import { ABSENT, View } from "../bytes/view";
import { Charge } from "../quota/attempt";
import { MAX_ATTEMPTS, ShardStore, WriteResult, isShard } from "../shared/shard";
import { Census } from "./census";
import { expectEnd, forgetEnd } from "./expected";
import { Pair, PairTable } from "./pairTable";
import { FLIGHT_CELL_BYTES, inFlightElsewhere, inFlightInShard, shardOf, withCount } from "./shard";

/** What this VM has in flight of one counter: `first` is the consumer's id, `second` the meter. */
@unmanaged
class FlightCounter extends Pair {
  count: i64;
  /** Shared data says something else, because it could not be written. */
  isBehind: u64;
}

/** A stream that is counted: `first` is its number. */
@unmanaged
class Flight extends Pair {
  consumerId: u64;
  meter: u64;
  /** The address of its `Flights`, which live as long as the VM. */
  owner: usize;
  padding: u32;
}

/** All counted streams of this VM, whatever policy counts them: a stream that ends does not say whose it was. */
const streams: PairTable = new PairTable(offsetof<Flight>());

/** Counters that one `settle` writes at most. */
const MAX_SETTLED = 256;

/**
 * The requests of one policy that this VM has in flight, where plans limit how many there may be. How many a VM has is known in the VM
 * itself; shared data repeats it, so that all VMs of this Envoy hold a limit together (see ./shard).
 */
export class Flights {
  private readonly counters: PairTable = new PairTable(offsetof<FlightCounter>());
  private behind: i32 = 0;
  /** What `take` has counted last. */
  private takenId: u64 = 0;
  private takenMeter: u64 = 0;

  constructor(
    readonly store: ShardStore,
    readonly census: Census,
  ) {}

  /** Counts one more request in flight, unless the limit is reached. `hold` must follow when it is `Enough`. */
  take(consumerId: u64, meter: u64, limit: i64, now: i64): Charge {
    const vm = this.census.enlist(now);
    if (vm == 0) return Charge.Unavailable;
    const number = shardOf(this.store, consumerId, meter);
    const known = this.counters.find(consumerId, meter);
    const own: i64 = known == 0 ? 0 : changetype<FlightCounter>(known).count;
    for (let i = 0; i < MAX_ATTEMPTS; i++) {
      const shard = this.read(number);
      if (shard == ABSENT) break;
      if (own + inFlightElsewhere(shard, consumerId, meter, vm, this.census) >= limit) return Charge.Busy;
      const result = this.store.write(number, withCount(shard, consumerId, meter, vm, own + 1, this.census));
      if (result == WriteResult.Conflict) continue;
      if (result == WriteResult.Failed) break;
      this.takenId = consumerId;
      this.takenMeter = meter;
      this.setCount(changetype<FlightCounter>(this.counters.open(consumerId, meter)), own + 1, false);
      return Charge.Enough;
    }
    return Charge.Unavailable;
  }

  /** The request just counted is this stream's, until it ends. */
  hold(streamId: u32): void {
    const flight = changetype<Flight>(streams.open(streamId, 0));
    flight.consumerId = this.takenId;
    flight.meter = this.takenMeter;
    flight.owner = changetype<usize>(this);
    expectEnd();
  }

  /** Counts one request less. */
  release(consumerId: u64, meter: u64): void {
    const found = this.counters.find(consumerId, meter);
    if (found == 0) return;
    const counter = changetype<FlightCounter>(found);
    this.setCount(counter, counter.count - 1, !this.write(consumerId, meter, counter.count - 1));
  }

  /** After other VMs took this one for dead, they no longer count what it has: all of it has to be written again. */
  forgetWritten(): void {
    for (let slot: u32 = 0; slot < this.counters.slots; slot++) {
      const found = this.counters.inSlot(slot);
      if (found != 0) this.setCount(changetype<FlightCounter>(found), changetype<FlightCounter>(found).count, true);
    }
  }

  /** Writes what could not be written before, a bounded part of it. To be called with nothing of value in the arena, which it resets. */
  settle(): void {
    let slot: u32 = 0;
    for (let left = MAX_SETTLED; left > 0 && this.behind > 0 && slot < this.counters.slots; slot++) {
      const found = this.counters.inSlot(slot);
      if (found == 0) continue;
      const counter = changetype<FlightCounter>(found);
      if (counter.isBehind == 0) continue;
      left--;
      resetArena();
      if (!this.write(counter.first, counter.second, counter.count)) return;
      // The record that closes the gap of a removed one is found by the next call.
      this.setCount(counter, counter.count, false);
    }
  }

  /** How many requests this VM has in flight by its own count. */
  get ownCount(): i64 {
    let sum: i64 = 0;
    for (let slot: u32 = 0; slot < this.counters.slots; slot++) {
      const found = this.counters.inSlot(slot);
      if (found != 0) sum += changetype<FlightCounter>(found).count;
    }
    return sum;
  }

  /** Requests in flight on this Envoy of all counters in a shard. */
  inShard(shard: View): i64 {
    return isShard(shard, FLIGHT_CELL_BYTES) ? inFlightInShard(shard, this.census) : 0;
  }

  /** Writes this VM's count of a counter; false when that failed. */
  private write(consumerId: u64, meter: u64, count: i64): bool {
    const vm = this.census.own();
    if (vm == 0) return false;
    const number = shardOf(this.store, consumerId, meter);
    for (let i = 0; i < MAX_ATTEMPTS; i++) {
      const shard = this.read(number);
      if (shard == ABSENT) return false;
      const result = this.store.write(number, withCount(shard, consumerId, meter, vm, count, this.census));
      if (result != WriteResult.Conflict) return result == WriteResult.Stored;
    }
    return false;
  }

  private read(number: u32): View {
    const shard = this.store.read(number);
    return shard != ABSENT && isShard(shard, FLIGHT_CELL_BYTES) ? shard : ABSENT;
  }

  /** Removes the counter once it counts nothing and nothing is left to be written. */
  private setCount(counter: FlightCounter, count: i64, isBehind: bool): void {
    this.behind += (isBehind ? 1 : 0) - <i32>counter.isBehind;
    counter.count = max<i64>(0, count);
    counter.isBehind = isBehind ? 1 : 0;
    if (count <= 0 && !isBehind) this.counters.remove(changetype<usize>(counter));
  }
}

/** A stream has ended, or was answered: it no longer counts. Nothing happens for one that is not counted. */
export function land(streamId: u32): void {
  const found = streams.find(streamId, 0);
  if (found == 0) return;
  const flight = changetype<Flight>(found);
  const owner = changetype<Flights>(flight.owner);
  const consumerId = flight.consumerId;
  const meter = flight.meter;
  streams.remove(found);
  forgetEnd();
  owner.release(consumerId, meter);
}
