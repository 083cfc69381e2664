import { NONE } from "./record";

/**
 * Numbers of records by a hash of what they are found by: open addressing, at most two thirds full.
 *
 *   a slot:  tag (the hash's last bits) │ number + 1; all zero is free
 *
 * Slots of other records show by their tags, so that a search reads a record only when it is, but for rare chance, the right
 * one. Sixteen slots share a cache line, and a chain seldom leaves it.
 */
export class Slots {
  private base: usize = 0;
  capacity: i32 = 0;
  private size: u32 = 0;
  private numberBits: u32 = 0;
  private cursor: u32 = 0;
  private tag: u32 = 0;

  /** Empties the index and makes room for `count` records. */
  reset(count: i32): void {
    this.free();
    this.capacity = count;
    this.size = <u32>count + ((<u32>count) >> 1) + 2;
    this.numberBits = 32 - clz(this.size);
    this.base = heap.alloc(<usize>this.size * 4);
    memory.fill(this.base, 0, <usize>this.size * 4);
  }

  /** The first record that may have this hash, or NONE; `next` gives the others. */
  first(hash: u32): i32 {
    if (this.size == 0) return NONE;
    this.cursor = this.home(hash);
    this.tag = hash << this.numberBits;
    return this.search();
  }

  next(): i32 {
    this.step();
    return this.search();
  }

  put(hash: u32, number: i32): void {
    this.cursor = this.home(hash);
    while (this.slot() != 0) this.step();
    store<u32>(this.base + <usize>this.cursor * 4, (hash << this.numberBits) | (<u32>(number + 1)));
  }

  free(): void {
    if (this.base != 0) heap.free(this.base);
    this.base = 0;
    this.capacity = 0;
    this.size = 0;
  }

  private search(): i32 {
    const numberMask: u32 = (1 << this.numberBits) - 1;
    for (let slot = this.slot(); slot != 0; slot = this.slot()) {
      if ((slot & ~numberMask) == this.tag) return <i32>(slot & numberMask) - 1;
      this.step();
    }
    return NONE;
  }

  // @ts-ignore: decorator
  @inline
  private slot(): u32 {
    return load<u32>(this.base + <usize>this.cursor * 4);
  }

  // @ts-ignore: decorator
  @inline
  private step(): void {
    if (++this.cursor == this.size) this.cursor = 0;
  }

  /** The hash's first bits, spread over a size that is no power of two. */
  // @ts-ignore: decorator
  @inline
  private home(hash: u32): u32 {
    return <u32>((<u64>hash * <u64>this.size) >> 32);
  }
}
