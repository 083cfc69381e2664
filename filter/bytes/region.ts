import { Name } from "./name";
import { View, view, pointerOf, lengthOf } from "./view";

const CHUNK_BYTES: usize = 16 * 1024;

/** Texts that live as long as one set of tables: copied in one by one, freed together. Pointers never move. */
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

  /** Makes room for texts of `bytes` bytes in all. */
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
