/** How every record of the table begins: with its two numbers, which are not both 0. */
@unmanaged
export class Pair {
  first: u64;
  second: u64;
}

const FIRST_CAPACITY: u32 = 64;

/**
 * Records of one size, each known by a pair of numbers: a hash table by open addressing, at most half full. It grows with what it holds
 * and keeps its memory.
 */
export class PairTable {
  private base: usize = 0;
  private capacity: u32 = 0;
  count: i32 = 0;

  constructor(private readonly recordBytes: usize) {}

  /** The record, valid until the next `open` or `remove`; 0 when there is none. */
  find(first: u64, second: u64): usize {
    if (this.count == 0) return 0;
    const record = this.search(first, second);
    return isFree(record) ? 0 : record;
  }

  /** The record, made if there is none: then all that follows its two numbers is zero. */
  open(first: u64, second: u64): usize {
    if (<u32>(this.count + 1) * 2 > this.capacity) this.grow();
    const record = this.search(first, second);
    if (!isFree(record)) return record;
    const pair = changetype<Pair>(record);
    pair.first = first;
    pair.second = second;
    this.count++;
    return record;
  }

  /** Removes a record and closes the gap in its probe sequence. */
  remove(record: usize): void {
    const mask = this.capacity - 1;
    let gap = <u32>((record - this.base) / this.recordBytes);
    for (let slot = (gap + 1) & mask; !isFree(this.at(slot)); slot = (slot + 1) & mask) {
      const home = this.home(changetype<Pair>(this.at(slot)));
      // It may move unless its home slot lies between the gap and itself.
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue;
      memory.copy(this.at(gap), this.at(slot), this.recordBytes);
      gap = slot;
    }
    memory.fill(this.at(gap), 0, this.recordBytes);
    this.count--;
  }

  /** Size of the table in slots, used or free. */
  get slots(): u32 {
    return this.capacity;
  }

  /** The record in a slot, or 0. */
  inSlot(slot: u32): usize {
    return isFree(this.at(slot)) ? 0 : this.at(slot);
  }

  private search(first: u64, second: u64): usize {
    KEY.first = first;
    KEY.second = second;
    let slot = this.home(KEY);
    while (!isFree(this.at(slot))) {
      const pair = changetype<Pair>(this.at(slot));
      if (pair.first == first && pair.second == second) break;
      slot = (slot + 1) & (this.capacity - 1);
    }
    return this.at(slot);
  }

  private grow(): void {
    const base = this.base;
    const capacity = this.capacity;
    this.capacity = capacity == 0 ? FIRST_CAPACITY : capacity * 2;
    const bytes = <usize>this.capacity * this.recordBytes;
    this.base = heap.alloc(bytes);
    memory.fill(this.base, 0, bytes);
    for (let i: u32 = 0; i < capacity; i++) {
      const old = base + <usize>i * this.recordBytes;
      const pair = changetype<Pair>(old);
      if (!isFree(old)) memory.copy(this.search(pair.first, pair.second), old, this.recordBytes);
    }
    if (base != 0) heap.free(base);
  }

  // @ts-ignore: decorator
  @inline
  private at(slot: u32): usize {
    return this.base + <usize>slot * this.recordBytes;
  }

  /** Streams' numbers count up: multiplied, they are spread over the table. */
  // @ts-ignore: decorator
  @inline
  private home(pair: Pair): u32 {
    return (<u32>(((pair.first ^ rotl<u64>(pair.second, 29)) * 0x9e3779b97f4a7c15) >> 32)) & (this.capacity - 1);
  }
}

const KEY: Pair = changetype<Pair>(memory.data(offsetof<Pair>(), 8));

// @ts-ignore: decorator
@inline
function isFree(record: usize): bool {
  return (changetype<Pair>(record).first | changetype<Pair>(record).second) == 0;
}
