/**
 * A balance: what this VM knows of one counter, and its lease. 96 bytes. A counter of the mesh has its window's end in
 * `window`, in nanoseconds.
 *
 * `left` units may be spent without asking, as far as the limit allows: another plan with a higher limit may share the
 * counter, or an edit may have lowered it. When the pool had nothing, `emptyUntil` says until when it need not be asked
 * again; that answer holds only for the limit it was given for.
 */
@unmanaged
export class Balance {
  consumer: u64;
  meter: u64;
  window: i64;
  left: i64;
  /** Units used in the pool at its last answer, those of this lease included. */
  poolUsed: i64;
  emptyUntilNanoseconds: i64;
  emptyForLimit: i64;
  emptySinceNanoseconds: i64;
  leasedAtNanoseconds: i64;
  leaseUnits: i64;
  /** A bucket's time of being full again; unused otherwise. */
  fullAtNanoseconds: i64;
  /** Sweeps since units were last leased or spent. */
  idleSweeps: i32;
  /** True when the lease comes from the stock, and goes back there. */
  mesh: bool;
}

const RECORD_BYTES: usize = offsetof<Balance>();
const FIRST_CAPACITY: u32 = 64;

/**
 * The balances of one policy in one VM: an open-addressing table by counter, which lives through policy edits. Sweeps
 * remove what is idle, and it shrinks, so it is as large as the counters in use.
 */
export class Balances {
  private base: usize = 0;
  private capacity: u32 = 0;
  private sweepAt: u32 = 0;
  count: i32 = 0;

  /** Makes room for `more` new balances, so that `open` moves nothing. */
  reserve(more: i32): void {
    if (this.capacity == 0) this.resize(FIRST_CAPACITY);
    else if (<u32>(this.count + more) * 4 > this.capacity * 3) this.resize(this.capacity * 2);
  }

  /** The balance of a counter, new and empty if there was none. Valid until the next `reserve` or `sweep`. */
  open(consumer: u64, meter: u64): Balance {
    let slot = this.home(consumer, meter);
    while (true) {
      const balance = this.at(slot);
      if (balance.consumer == consumer && balance.meter == meter) return balance;
      if (isFree(balance)) {
        balance.consumer = consumer;
        balance.meter = meter;
        balance.window = i64.MIN_VALUE;
        this.count++;
        return balance;
      }
      slot = (slot + 1) & (this.capacity - 1);
    }
  }

  /** The next used balance of the round, or null at the round's end or after `steps` slots. */
  next(steps: i32): Balance | null {
    if (this.sweepAt >= this.capacity) this.sweepAt = 0;
    for (let i = 0; i < steps && this.sweepAt < this.capacity; i++) {
      const balance = this.at(this.sweepAt++);
      if (!isFree(balance)) return balance;
    }
    return null;
  }

  /** Slots of the table, used or free. */
  get slots(): u32 {
    return this.capacity;
  }

  /** Slots not yet looked at in this round. */
  get roundLeft(): i32 {
    return <i32>(this.capacity - this.sweepAt);
  }

  /** Removes the balance that `next` gave last and closes the gap in its chain. */
  removeLast(): void {
    let gap = this.sweepAt - 1;
    const mask = this.capacity - 1;
    let slot = (gap + 1) & mask;
    while (!isFree(this.at(slot))) {
      const balance = this.at(slot);
      const home = this.home(balance.consumer, balance.meter);
      // It may move when its home does not lie between the gap and itself.
      if (((slot - home) & mask) >= ((slot - gap) & mask)) {
        memory.copy(changetype<usize>(this.at(gap)), changetype<usize>(balance), RECORD_BYTES);
        gap = slot;
      }
      slot = (slot + 1) & mask;
    }
    memory.fill(changetype<usize>(this.at(gap)), 0, RECORD_BYTES);
    this.count--;
  }

  /** Gives memory back when an eighth of the table would do; to be called at a round's end. */
  shrink(): void {
    if (this.capacity > FIRST_CAPACITY && <u32>this.count * 8 < this.capacity) this.resize(this.capacity / 2);
  }

  private resize(newCapacity: u32): void {
    const base = this.base;
    const capacity = this.capacity;
    this.capacity = newCapacity;
    this.base = heap.alloc(<usize>this.capacity * RECORD_BYTES);
    this.sweepAt = 0;
    memory.fill(this.base, 0, <usize>this.capacity * RECORD_BYTES);
    for (let i: u32 = 0; i < capacity; i++) {
      const old = changetype<Balance>(base + <usize>i * RECORD_BYTES);
      if (isFree(old)) continue;
      let slot = this.home(old.consumer, old.meter);
      while (!isFree(this.at(slot))) slot = (slot + 1) & (this.capacity - 1);
      memory.copy(changetype<usize>(this.at(slot)), changetype<usize>(old), RECORD_BYTES);
    }
    if (base != 0) heap.free(base);
  }

  // @ts-ignore: decorator
  @inline
  private at(slot: u32): Balance {
    return changetype<Balance>(this.base + <usize>slot * RECORD_BYTES);
  }

  // @ts-ignore: decorator
  @inline
  private home(consumer: u64, meter: u64): u32 {
    return (<u32>(consumer ^ rotl<u64>(meter, 29))) & (this.capacity - 1);
  }
}

/** Ids are digests: two zeros do not happen. */
// @ts-ignore: decorator
@inline
function isFree(balance: Balance): bool {
  return (balance.consumer | balance.meter) == 0;
}
