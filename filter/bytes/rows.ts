import { Name, View, lengthOf, pointerOf, view } from "./view";

const CHUNK_BYTES: usize = 16 * 1024;

/** Memory for strings and records that live as long as one set of tables and are freed together. Nothing in it moves. */
export class Region {
  private chunk: usize = 0;
  private next: usize = 0;
  private end: usize = 0;

  /** A copy of `v` that lives until `free`. */
  keep(v: View): View {
    const length = lengthOf(v);
    const pointer = this.allocate(length);
    memory.copy(pointer, pointerOf(v), length);
    return view(pointer, length);
  }

  /** A copy of `v`, of at most 255 bytes, as a name that lives until `free`. */
  keepName(v: View): Name {
    const length = lengthOf(v);
    const pointer = this.allocate(length + 1);
    store<u8>(pointer, <u8>length);
    memory.copy(pointer + 1, pointerOf(v), length);
    return <Name>pointer;
  }

  allocate(bytes: usize): usize {
    if (bytes > this.end - this.next) this.grow(bytes);
    const pointer = this.next;
    this.next += bytes;
    return pointer;
  }

  /** Makes room for `bytes` bytes in total. */
  reserve(bytes: usize): void {
    if (bytes > this.end - this.next) this.addChunk(bytes);
  }

  private grow(bytes: usize): void {
    this.addChunk(max(bytes, CHUNK_BYTES));
  }

  private addChunk(size: usize): void {
    const chunk = heap.alloc(size + 8);
    store<usize>(chunk, this.chunk);
    this.chunk = chunk;
    this.next = chunk + 8;
    this.end = this.next + size;
  }

  free(): void {
    while (this.chunk != 0) {
      const previous = load<usize>(this.chunk);
      heap.free(this.chunk);
      this.chunk = previous;
    }
    this.next = 0;
    this.end = 0;
  }
}

/** The absent index. */
export const NONE: i32 = -1;

/** What all `Rows` have in common. It knows only the size of its records, so its code is compiled once, not per record type. */
class Storage {
  protected base: usize = 0;
  private capacity: i32 = 0;
  count: i32 = 0;

  constructor(private readonly recordBytes: usize) {}

  /** Makes room for `count` records in total, so that adding them moves nothing. */
  reserve(count: i32): void {
    if (count > this.capacity) this.resize(count);
  }

  /** Frees unused capacity; to be called once nothing more is added. */
  shrink(): void {
    if (this.count == this.capacity) return;
    if (this.count == 0) this.free();
    else this.resize(this.count);
  }

  free(): void {
    if (this.base != 0) heap.free(this.base);
    this.base = 0;
    this.capacity = 0;
    this.count = 0;
  }

  /** Address of a new, zeroed record at the end. */
  protected append(): usize {
    if (this.count == this.capacity) this.resize(max(4, this.capacity * 2));
    const record = this.base + <usize>this.count * this.recordBytes;
    memory.fill(record, 0, this.recordBytes);
    this.count++;
    return record;
  }

  private resize(capacity: i32): void {
    this.capacity = capacity;
    const bytes = <usize>capacity * this.recordBytes;
    this.base = this.base == 0 ? heap.alloc(bytes) : heap.realloc(this.base, bytes);
  }
}

/**
 * A growable array of contiguous records. `T` is an @unmanaged class; `at` returns a pointer to the record in place, valid until
 * the next `add`.
 */
export class Rows<T> extends Storage {
  constructor() {
    super(offsetof<T>());
  }

  // @ts-ignore: decorator
  @inline
  at(index: i32): T {
    return changetype<T>(this.base + <usize>index * offsetof<T>());
  }

  // @ts-ignore: decorator
  @inline
  add(): T {
    return changetype<T>(this.append());
  }
}

/**
 * A hash index: record numbers by the hash of the records' key. Open addressing, at most two thirds full.
 *
 *   a slot:  tag (the hash's last bits) │ number + 1; all zero is free
 *
 * The tags rule out nearly all slots of other records, so a search rarely reads a wrong record. Sixteen slots share a cache line,
 * and a probe sequence seldom leaves it.
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

  /** The number of the first record that may have this hash, or NONE; `next` returns the others. */
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

  /** The hash's first bits, scaled to the size, which need not be a power of two. */
  // @ts-ignore: decorator
  @inline
  private home(hash: u32): u32 {
    return <u32>((<u64>hash * <u64>this.size) >> 32);
  }
}
