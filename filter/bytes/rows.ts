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

  private grow(): void {
    this.capacity = max(4, this.capacity * 2);
    const bytes = <usize>this.capacity * offsetof<T>();
    this.base = this.base == 0 ? heap.alloc(bytes) : heap.realloc(this.base, bytes);
  }

  /** Gives back the unused end once nothing more is added. */
  shrink(): void {
    if (this.count == 0 || this.count == this.capacity) return;
    this.capacity = this.count;
    this.base = heap.realloc(this.base, <usize>this.capacity * offsetof<T>());
  }

  free(): void {
    if (this.base != 0) heap.free(this.base);
    this.base = 0;
    this.capacity = 0;
    this.count = 0;
  }
}
