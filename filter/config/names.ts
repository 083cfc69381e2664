import { NONE, Rows, Slots } from "../bytes/rows";
import { Name, View, equals, lengthOf, nameInPlace, pointerOf, spread, viewOf } from "../bytes/view";
import { Tables } from "../tables/tables";
import { Reader } from "./reader";

/** Names that a config has defined so far, for finding duplicates and resolving references. */
export class Names {
  readonly apis: NameIndex = new NameIndex();
  readonly plans: NameIndex = new NameIndex();
  readonly consumers: NameIndex = new NameIndex();
  readonly zones: NameIndex = new NameIndex();

  free(): void {
    this.apis.free();
    this.plans.free();
    this.consumers.free();
    this.zones.free();
  }
}


@unmanaged
class Entry {
  name: Name;
}

/** The names of records in order, while a config is decoded: finds duplicates and resolves references in constant time. */
export class NameIndex {
  private readonly entries: Rows<Entry> = new Rows<Entry>();
  private readonly slots: Slots = new Slots();

  /** Makes room for `count` names. */
  reserve(count: i32): void {
    this.entries.reserve(count);
    this.index(count);
  }

  /** Adds the name of the next record, a string of the document. False when another record has it already. */
  add(name: View): bool {
    if (this.find(name) != NONE) return false;
    if (this.entries.count >= this.slots.capacity) this.index(max(16, this.slots.capacity * 2));
    this.slots.put(hash(name), this.entries.count);
    this.entries.add().name = nameInPlace(name);
    return true;
  }

  /** Number of the record with this name, or NONE. */
  find(name: View): i32 {
    for (let number = this.slots.first(hash(name)); number != NONE; number = this.slots.next()) {
      if (equals(viewOf(this.entries.at(number).name), name)) return number;
    }
    return NONE;
  }

  free(): void {
    this.entries.free();
    this.slots.free();
  }

  private index(capacity: i32): void {
    this.slots.reset(capacity);
    for (let i = 0; i < this.entries.count; i++) this.slots.put(hash(viewOf(this.entries.at(i).name)), i);
  }
}

/** FNV-1a, mixed once more. Names come from the policy's author, so collisions only cost time. */
function hash(name: View): u32 {
  let mixed: u32 = 0x811c9dc5;
  for (let i = 0, n = lengthOf(name); i < n; i++) mixed = (mixed ^ load<u8>(pointerOf(name) + i)) * 0x01000193;
  return spread(mixed);
}

/** Sets the indexes of references; fails by `rule` with the first that names nothing. */
export function resolve(
  reader: Reader,
  tables: Tables,
  index: NameIndex,
  first: i32,
  count: i32,
  rule: View,
  api: i32,
  owner: i32,
): void {
  for (let i = 0; i < count; i++) {
    const reference = tables.references.at(first + i);
    reference.index = index.find(reference.name);
    if (reference.index == NONE) return reader.fail(rule, api, owner, i, reference.name);
  }
}
