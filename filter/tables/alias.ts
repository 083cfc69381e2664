import { NONE, Rows, Slots } from "../bytes/rows";
import { Name, View, equals, lengthOf, pointerOf, spread, viewOf } from "../bytes/view";

/** How callers may say who they are, in the order of the contract's CREDENTIALS, and from 1 on: four bits each are an API's list. */
export const enum Credential {
  None,
  Key,
  Workload,
  Token,
}

export const CREDENTIAL_BITS: u32 = 4;

/** What an API takes that says nothing of it. */
export const KEYS_ONLY: u32 = 0;

/** True when the list of an API's credentials names this one. */
export function takes(credentials: u32, credential: Credential): bool {
  if (credentials == KEYS_ONLY) return credential == Credential.Key;
  for (let rest = credentials; rest != 0; rest >>= CREDENTIAL_BITS) {
    if ((rest & ((1 << CREDENTIAL_BITS) - 1)) == <u32>credential) return true;
  }
  return false;
}

/** The name that somebody else has for a consumer: the id in a workload's certificate. 8 bytes. */
@unmanaged
export class Alias {
  nameText: Name;
  /** Index of the consumer. */
  consumer: i32;

  get name(): View {
    return viewOf(this.nameText);
  }
}

/** All aliases, found by name. */
export class AliasIndex {
  readonly rows: Rows<Alias> = new Rows<Alias>();
  private readonly slots: Slots = new Slots();
  /** See `build`. */
  twin: i32 = NONE;

  /** Builds the index over all. Returns NONE, or the index of one with the name of an earlier one, which is then in `twin`. */
  build(): i32 {
    const count = this.rows.count;
    this.slots.reset(count);
    for (let i = 0; i < count; i++) {
      const name = this.rows.at(i).name;
      this.twin = this.find(name);
      if (this.twin != NONE) return i;
      this.slots.put(hashName(name), i);
    }
    return NONE;
  }

  /** The alias with this name, of at most 255 bytes, or NONE. */
  find(name: View): i32 {
    const slots = this.slots;
    for (let number = slots.first(hashName(name)); number != NONE; number = slots.next()) {
      if (equals(this.rows.at(number).name, name)) return number;
    }
    return NONE;
  }

  free(): void {
    this.rows.free();
    this.slots.free();
  }
}

/** FNV-1a, mixed once more. Names come from the policy's author, so collisions only cost time. */
export function hashName(name: View): u32 {
  let mixed: u32 = 0x811c9dc5;
  for (let i = 0, n = lengthOf(name); i < n; i++) mixed = (mixed ^ load<u8>(pointerOf(name) + i)) * 0x01000193;
  return spread(mixed);
}
