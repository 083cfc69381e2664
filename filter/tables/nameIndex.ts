import { View, equals, pointerOf, lengthOf } from "../bytes/view";
import { NONE } from "./record";

/** Names to numbers while a config is decoded: finds duplicates and resolves references in constant time. */
export class NameIndex {
  private slots: StaticArray<u64> = new StaticArray<u64>(32);
  private numbers: StaticArray<i32> = new StaticArray<i32>(32);
  private count: i32 = 0;

  /** False when the name is there already. */
  add(name: View, number: i32): bool {
    if (this.count * 2 >= this.slots.length) this.grow();
    const slot = this.slotOf(name);
    if (this.slots[slot] != 0) return false;
    this.slots[slot] = name;
    this.numbers[slot] = number;
    this.count++;
    return true;
  }

  find(name: View): i32 {
    const slot = this.slotOf(name);
    return this.slots[slot] == 0 ? NONE : this.numbers[slot];
  }

  private slotOf(name: View): i32 {
    const mask = this.slots.length - 1;
    // FNV-1a: names come from the policy's author; a bad spread only costs time.
    let hash: u32 = 0x811c9dc5;
    for (let i = 0, n = lengthOf(name); i < n; i++) hash = (hash ^ load<u8>(pointerOf(name) + i)) * 0x01000193;
    let slot = <i32>(hash & <u32>mask);
    while (this.slots[slot] != 0 && !equals(this.slots[slot], name)) slot = slot + 1 & mask;
    return slot;
  }

  private grow(): void {
    const slots = this.slots;
    const numbers = this.numbers;
    this.slots = new StaticArray<u64>(slots.length * 2);
    this.numbers = new StaticArray<i32>(slots.length * 2);
    for (let i = 0; i < slots.length; i++) {
      if (slots[i] == 0) continue;
      const slot = this.slotOf(slots[i]);
      this.slots[slot] = slots[i];
      this.numbers[slot] = numbers[i];
    }
  }
}
