import { Rows } from "../bytes/rows";
import { Key, NONE } from "./record";

/**
 * All keys by digest. The index is a table of key numbers (plus one; 0 is free) with linear probing, addressed by the
 * digest's first bits, at most half full.
 */
export class Keyring {
  readonly keys: Rows<Key> = new Rows<Key>();
  private slots: usize = 0;
  private mask: u32 = 0;

  /**
   * Makes the index over all keys. Gives NONE, or the number of a key whose digest another key has already; `twin` is
   * then that other.
   */
  build(): i32 {
    const count = this.keys.count;
    let size: u32 = 16;
    while (size < <u32>count * 2) size *= 2;
    this.mask = size - 1;
    this.slots = heap.alloc(size * 4);
    memory.fill(this.slots, 0, size * 4);
    for (let i = 0; i < count; i++) {
      const digest = changetype<usize>(this.keys.at(i));
      const twin = this.find(digest);
      if (twin != NONE) {
        this.twin = twin;
        return i;
      }
      let slot = load<u32>(digest) & this.mask;
      while (load<u32>(this.slots + slot * 4) != 0) slot = slot + 1 & this.mask;
      store<u32>(this.slots + slot * 4, i + 1);
    }
    return NONE;
  }

  twin: i32 = NONE;

  /** The key whose whole digest equals the 32 bytes at `digest`, or NONE. */
  find(digest: usize): i32 {
    if (this.slots == 0) return NONE;
    let slot = load<u32>(digest) & this.mask;
    while (true) {
      const number = load<u32>(this.slots + slot * 4);
      if (number == 0) return NONE;
      if (memory.compare(changetype<usize>(this.keys.at(<i32>number - 1)), digest, 32) == 0) return <i32>number - 1;
      slot = slot + 1 & this.mask;
    }
  }

  free(): void {
    this.keys.free();
    if (this.slots != 0) heap.free(this.slots);
    this.slots = 0;
  }
}
