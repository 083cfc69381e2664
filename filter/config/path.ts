import { writeFormat } from "../bytes/format";
import { View, ABSENT, lengthOf, literal, slice } from "../bytes/view";
import { writeByte, writeView } from "../bytes/writer";

const MAX_DEPTH = 16;
/** Of a field name, which may be anything. */
const MAX_SHOWN_BYTES = 64;
const INDEX: u64 = 1 << 63;

/** Where in the plugin config the reader stands, e.g. `apis[0].routes[1].name`; written only for a problem. */
export class FieldPath {
  private segments: StaticArray<u64> = new StaticArray<u64>(MAX_DEPTH);
  private depth: i32 = 0;

  push(): void {
    if (this.depth < MAX_DEPTH) this.segments[this.depth] = ABSENT;
    this.depth++;
  }

  pop(): void {
    this.depth--;
  }

  setField(name: View): void {
    if (this.depth <= MAX_DEPTH) this.segments[this.depth - 1] = name;
  }

  setIndex(index: i32): void {
    if (this.depth <= MAX_DEPTH) this.segments[this.depth - 1] = INDEX | (<u64>index);
  }

  /** Appends the place to the text being written; false when it is the document itself. */
  write(): bool {
    let some = false;
    for (let i = 0, n = min(this.depth, MAX_DEPTH); i < n; i++) {
      const segment = this.segments[i];
      if (segment == ABSENT) continue;
      if (segment & INDEX) writeFormat(literal("[%d]"), <i32>segment);
      else {
        if (some) writeByte(0x2e);
        writeView(slice(segment, 0, min(lengthOf(segment), MAX_SHOWN_BYTES)));
      }
      some = true;
    }
    return some;
  }
}
