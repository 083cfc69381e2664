import { NONE } from "../bytes/rows";
import { hasSecret, salt, sip, sipHigh } from "../bytes/sip";
import { View, lengthOf, pointerOf } from "../bytes/view";

/**
 * Which keys were right lately, so that SHA-256 is computed for the first of a caller's requests and not for each. A slot holds no
 * key, only a hash of it under a secret of this VM. It is as good as the key's digest: 128 bits that nobody can aim at.
 */
@unmanaged
class Slot {
  low: u64;
  high: u64;
  /** Of the first and last bytes; 0 where the slot is free. Tells most other keys apart without a hash of the whole. */
  mark: u32;
  number: i32;
}

const MOST_SLOTS: u32 = 4096;
/** A slot in use is taken over by every fourth key that finds it so: what many keys at random cost one another stays small. */
const PATIENCE: u32 = 4;

export class Remembered {
  private base: usize = 0;
  private mask: u32 = 0;
  private refused: u32 = 0;
  private mark: u32 = 0;

  /** Forgets everything, and makes room for `count` keys, within a bound. */
  reset(count: i32): void {
    this.free();
    if (count == 0) return;
    let size: u32 = 4;
    while (size < <u32>count * 2 && size < MOST_SLOTS) size *= 2;
    const bytes = <usize>size * offsetof<Slot>();
    this.base = heap.alloc(bytes);
    memory.fill(this.base, 0, bytes);
    this.mask = size - 1;
  }

  /** The number of the key, or NONE where its digest must be looked up. */
  find(key: View): i32 {
    if (this.base == 0) return NONE;
    this.mark = markOf(key);
    const slot = this.slot();
    if (slot.mark != this.mark) return NONE;
    const differences = (sip(pointerOf(key), lengthOf(key)) ^ slot.low) | (sipHigh ^ slot.high);
    return differences == 0 ? slot.number : NONE;
  }

  /** Keeps the number of the key that `find` was called for last. */
  keep(key: View, number: i32): void {
    if (this.base == 0 || !hasSecret) return;
    const slot = this.slot();
    if (slot.mark != 0 && ++this.refused % PATIENCE != 0) return;
    slot.low = sip(pointerOf(key), lengthOf(key));
    slot.high = sipHigh;
    slot.mark = this.mark;
    slot.number = number;
  }

  private slot(): Slot {
    return changetype<Slot>(this.base + <usize>((this.mark >> 1) & this.mask) * offsetof<Slot>());
  }

  free(): void {
    if (this.base != 0) heap.free(this.base);
    this.base = 0;
  }
}

/** Of the first and last eight bytes, and the length; never 0. */
function markOf(key: View): u32 {
  const length = lengthOf(key);
  const first = pointerOf(key);
  let bits = salt() + length;
  if (length >= 8) bits ^= load<u64>(first) ^ rotl<u64>(load<u64>(first + length - 8), 29);
  else for (let i = 0; i < length; i++) bits = rotl<u64>(bits, 8) ^ load<u8>(first + i);
  bits *= 0x9e3779b97f4a7c15;
  return (<u32>(bits >> 32)) | 1;
}
