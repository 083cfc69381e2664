import { NONE } from "../bytes/rows";

/**
 * A fixed number of records, taken and given back one by one. The memory is there from the first `take` on, so nothing is
 * allocated while requests wait. A free record holds the position of the next one in its first four bytes.
 */
export class Pool<T> {
  private base: usize = 0;
  private free: i32 = NONE;

  constructor(private readonly capacity: i32) {}

  // @ts-ignore: decorator
  @inline
  at(index: i32): T {
    return changetype<T>(this.base + <usize>index * offsetof<T>());
  }

  /** Position of a record of zero bytes, or NONE when all are in use. */
  take(): i32 {
    if (this.base == 0) this.open();
    const index = this.free;
    if (index == NONE) return NONE;
    const record = changetype<usize>(this.at(index));
    this.free = load<i32>(record);
    memory.fill(record, 0, offsetof<T>());
    return index;
  }

  giveBack(index: i32): void {
    store<i32>(changetype<usize>(this.at(index)), this.free);
    this.free = index;
  }

  private open(): void {
    this.base = heap.alloc(<usize>this.capacity * offsetof<T>());
    for (let i = this.capacity - 1; i >= 0; i--) this.giveBack(i);
  }
}
