import { Balance } from "./attempt";
import { QuotaKind } from "../tables/quota";

/** Each kind of quota adds at most two numbers of its own to the record. */
const BALANCE_BYTES: usize = offsetof<Balance>() + 2 * sizeof<i64>();

const FIRST_CAPACITY: u32 = 64;

/**
 * The balances of one policy in one VM: a hash table by counter (open addressing) that survives policy edits. Sweeps remove
 * idle balances and the table shrinks, so its size follows the number of counters in use.
 */
export class Balances {
  private base: usize = 0;
  private capacity: u32 = 0;
  private sweepAt: u32 = 0;
  count: i32 = 0;

  /** Makes room for `more` new balances, so that `open` does not move any. */
  reserve(more: i32): void {
    if (this.capacity == 0) this.resize(FIRST_CAPACITY);
    else if (<u32>(this.count + more) * 4 > this.capacity * 3) this.resize(this.capacity * 2);
  }

  /**
   * The balance of a counter; a new one is all zeros. A meter belongs to one kind of quota only. Valid until the next `reserve`
   * or sweep.
   */
  open(consumerId: u64, meter: u64, kind: QuotaKind): Balance {
    let slot = this.home(consumerId, meter);
    while (true) {
      const balance = this.at(slot);
      if (balance.consumerId == consumerId && balance.meter == meter) return balance;
      if (isFree(balance)) {
        balance.consumerId = consumerId;
        balance.meter = meter;
        balance.kind = <i16>kind;
        this.count++;
        return balance;
      }
      slot = (slot + 1) & (this.capacity - 1);
    }
  }

  /** The balance of a counter, or null where this VM has none; valid as that of `open`. */
  find(consumerId: u64, meter: u64): Balance | null {
    if (this.capacity == 0) return null;
    let slot = this.home(consumerId, meter);
    while (!isFree(this.at(slot))) {
      const balance = this.at(slot);
      if (balance.consumerId == consumerId && balance.meter == meter) return balance;
      slot = (slot + 1) & (this.capacity - 1);
    }
    return null;
  }

  /** The next balance in this round over the table, or null after `steps` slots or at the end of the round. */
  next(steps: i32): Balance | null {
    if (this.sweepAt >= this.capacity) this.sweepAt = 0;
    for (let i = 0; i < steps && this.sweepAt < this.capacity; i++) {
      const balance = this.at(this.sweepAt++);
      if (!isFree(balance)) return balance;
    }
    return null;
  }

  /** Size of the table in slots, used or free. */
  get slots(): u32 {
    return this.capacity;
  }

  /** Slots not yet looked at in this round. */
  get roundLeft(): i32 {
    return <i32>(this.capacity - this.sweepAt);
  }

  /** Removes the balance that `next` returned last and closes the gap in its probe sequence. */
  removeLast(): void {
    let gap = this.sweepAt - 1;
    const mask = this.capacity - 1;
    let slot = (gap + 1) & mask;
    while (!isFree(this.at(slot))) {
      const balance = this.at(slot);
      const home = this.home(balance.consumerId, balance.meter);
      // It may move unless its home slot lies between the gap and itself.
      if (((slot - home) & mask) >= ((slot - gap) & mask)) {
        memory.copy(changetype<usize>(this.at(gap)), changetype<usize>(balance), BALANCE_BYTES);
        gap = slot;
      }
      slot = (slot + 1) & mask;
    }
    memory.fill(changetype<usize>(this.at(gap)), 0, BALANCE_BYTES);
    this.count--;
  }

  /** Halves the table when less than an eighth of it is used; to be called at the end of a round. */
  shrink(): void {
    if (this.capacity > FIRST_CAPACITY && <u32>this.count * 8 < this.capacity) this.resize(this.capacity / 2);
  }

  private resize(newCapacity: u32): void {
    const base = this.base;
    const capacity = this.capacity;
    this.capacity = newCapacity;
    this.base = heap.alloc(<usize>this.capacity * BALANCE_BYTES);
    this.sweepAt = 0;
    memory.fill(this.base, 0, <usize>this.capacity * BALANCE_BYTES);
    for (let i: u32 = 0; i < capacity; i++) {
      const old = changetype<Balance>(base + <usize>i * BALANCE_BYTES);
      if (isFree(old)) continue;
      let slot = this.home(old.consumerId, old.meter);
      while (!isFree(this.at(slot))) slot = (slot + 1) & (this.capacity - 1);
      memory.copy(changetype<usize>(this.at(slot)), changetype<usize>(old), BALANCE_BYTES);
    }
    if (base != 0) heap.free(base);
  }

  // @ts-ignore: decorator
  @inline
  private at(slot: u32): Balance {
    return changetype<Balance>(this.base + <usize>slot * BALANCE_BYTES);
  }

  // @ts-ignore: decorator
  @inline
  private home(consumerId: u64, meter: u64): u32 {
    return (<u32>(consumerId ^ rotl<u64>(meter, 29))) & (this.capacity - 1);
  }
}

/** Ids are digests, so both of them are never 0. */
// @ts-ignore: decorator
@inline
function isFree(balance: Balance): bool {
  return (balance.consumerId | balance.meter) == 0;
}
