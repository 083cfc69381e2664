import { Identity } from "../shared/shard";
import { QuotaKind } from "../tables/record";
import { NANOSECONDS } from "../time/window";

/**
 * A balance: what this VM knows of one counter, and its lease. `left` units may be spent without asking, as far as the limit
 * allows: another plan with a higher limit may share the counter, or an edit may have lowered it.
 *
 *   0   consumer id     u64      40  leased at     i64 ns  64  empty until  i64 ns
 *   8   meter id        u64      48  empty for     i64     72  idle sweeps  i32
 *   16  left            i64      56  empty since   i64 ns  76  kind         i32
 *   24  used units      i64                                80  16 bytes of the kind's own
 *   32  lease units     i64
 */
@unmanaged
export class Balance extends Identity {
  /** Units leased and not spent. */
  left: i64;
  /** Units used of the limit when the counter last answered, those of this lease included. */
  usedUnits: i64;
  /** Units of the last lease. */
  leaseUnits: i64;
  leasedAtNanoseconds: i64;
  /** What the last answer "empty" was given for: it says nothing about another limit. 0 without one. */
  emptyFor: i64;
  emptySinceNanoseconds: i64;
  /** When the counter may be asked again. */
  emptyUntilNanoseconds: i64;
  /** Sweeps since units were last leased or spent. */
  idleSweeps: i32;
  kind: QuotaKind;
}

/** Each kind of quota adds at most two numbers of its own. */
const BALANCE_BYTES: usize = offsetof<Balance>() + 2 * sizeof<i64>();

/** How long "empty" is believed: leases of others may have come back since. */
export const EMPTY_NANOSECONDS: i64 = NANOSECONDS / 4;

export function setEmpty(balance: Balance, emptyFor: i64, now: i64, until: i64): void {
  balance.emptySinceNanoseconds = now;
  balance.emptyFor = emptyFor;
  balance.emptyUntilNanoseconds = until;
}

/** True while the counter need not be asked again. */
export function isEmpty(balance: Balance, emptyFor: i64, now: i64): bool {
  if (balance.emptyFor != emptyFor) return false;
  // Before the answer was given: the clock has been set back, and nothing is known.
  return now >= balance.emptySinceNanoseconds && now < balance.emptyUntilNanoseconds;
}

/** Another window has begun: nothing is known of it. */
export function forget(balance: Balance): void {
  balance.left = 0;
  balance.emptyFor = 0;
}

/*
 * A lease covers what the VM used of the counter in the last quarter second, at most twice the lease before it and at most
 * a small part of what remains; so it is 1 near the limit and for quiet consumers.
 */
const LEASE_NANOSECONDS: i64 = NANOSECONDS / 4;
const MAX_LEASE: i64 = 1 << 20;
/** A lease that lasted longer says nothing about the present rate. */
const MAX_LASTED_NANOSECONDS: i64 = 3600 * NANOSECONDS;

/** Units to ask for, given how fast the last lease went. */
export function leaseSize(balance: Balance, cost: i64, now: i64): i64 {
  const spent = balance.leaseUnits;
  if (spent <= 0) return cost;
  const lasted = now - balance.leasedAtNanoseconds;
  const doubled = min(spent * 2, MAX_LEASE);
  if (lasted <= 0) return max(cost, doubled);
  if (lasted >= MAX_LASTED_NANOSECONDS) return cost;
  // In microseconds, so that the product stays far below 2^63.
  const used = (spent * (LEASE_NANOSECONDS / 1000)) / max<i64>(1, lasted / 1000);
  return max(cost, min(doubled, used));
}

/** Books a lease of `units`, 0 of them when the counter has refused. */
export function noteLease(balance: Balance, units: i64, usedUnits: i64, now: i64): void {
  balance.left += units;
  balance.usedUnits = usedUnits;
  balance.leaseUnits = units;
  balance.leasedAtNanoseconds = now;
  balance.idleSweeps = 0;
}

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

  /**
   * The balance of a counter, of zeros if there was none. A meter is of one kind only. Valid until the next `reserve` or
   * sweep.
   */
  open(consumerId: u64, meter: u64, kind: QuotaKind): Balance {
    let slot = this.home(consumerId, meter);
    while (true) {
      const balance = this.at(slot);
      if (balance.consumerId == consumerId && balance.meter == meter) return balance;
      if (isFree(balance)) {
        balance.consumerId = consumerId;
        balance.meter = meter;
        balance.kind = kind;
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
      const home = this.home(balance.consumerId, balance.meter);
      // It may move when its home does not lie between the gap and itself.
      if (((slot - home) & mask) >= ((slot - gap) & mask)) {
        memory.copy(changetype<usize>(this.at(gap)), changetype<usize>(balance), BALANCE_BYTES);
        gap = slot;
      }
      slot = (slot + 1) & mask;
    }
    memory.fill(changetype<usize>(this.at(gap)), 0, BALANCE_BYTES);
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

/** Ids are digests: two zeros do not happen. */
// @ts-ignore: decorator
@inline
function isFree(balance: Balance): bool {
  return (balance.consumerId | balance.meter) == 0;
}
