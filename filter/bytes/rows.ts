/**
 * A growable array of plain records, laid one after the other. `T` is an @unmanaged class; `at` returns a pointer to the
 * record in place, valid until the next `add`.
 */
export class Rows<T> {
  private base: usize = 0;
  private capacity: i32 = 0;
  count: i32 = 0;

  // @ts-ignore: decorator
  @inline
  at(index: i32): T {
    return changetype<T>(this.base + <usize>index * offsetof<T>());
  }

  /** A new record of zero bytes at the end. */
  add(): T {
    if (this.count == this.capacity) this.grow();
    const record = this.base + <usize>this.count * offsetof<T>();
    memory.fill(record, 0, offsetof<T>());
    this.count++;
    return changetype<T>(record);
  }

  /** Makes room for `count` records in all, so that adding them moves nothing. */
  reserve(count: i32): void {
    if (count > this.capacity) this.resize(count);
  }

  private grow(): void {
    this.resize(max(4, this.capacity * 2));
  }

  private resize(capacity: i32): void {
    this.capacity = capacity;
    const bytes = <usize>this.capacity * offsetof<T>();
    this.base = this.base == 0 ? heap.alloc(bytes) : heap.realloc(this.base, bytes);
  }

  /** Gives back the unused end once nothing more is added. */
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
}
