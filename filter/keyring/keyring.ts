import { NONE, Region, Rows, Slots } from "../bytes/rows";
import { sha256 } from "../bytes/sha256";
import { Name, View, lengthOf, pointerOf, viewOf } from "../bytes/view";
import { Terms } from "../tables/consumer";
import { Remembered } from "./remembered";

/** The digest of the current request's key; anything where it has none. */
export const KEY_DIGEST: usize = memory.data(32, 8);

/** 44 bytes, digest first. */
@unmanaged
export class Key {
  digest0: u64;
  digest1: u64;
  digest2: u64;
  digest3: u64;
  idText: Name;
  /** Index of the consumer in the tables that were decoded together with the key. */
  consumer: i32;
  term: i32;

  get id(): View {
    return viewOf(this.idText);
  }
}

/** What is looked at of a key beside its dates. */
@unmanaged
export class Guard {
  /** When the key's term really begins. */
  from: i64;
  /** Its own restriction and that of its consumer, by their indexes in the tables; or NONE. */
  own: i32;
  ofConsumer: i32;
}

/** All keys, indexed by the first bits of their digests. It refers to the tables only by the consumers' indexes. */
export class Keyring {
  readonly keys: Rows<Key> = new Rows<Key>();
  readonly terms: Terms = new Terms();
  readonly guards: Rows<Guard> = new Rows<Guard>();
  readonly names: Region = new Region();
  private readonly slots: Slots = new Slots();
  private readonly remembered: Remembered = new Remembered();
  /** See `build`. */
  twin: i32 = NONE;

  /** Makes room for `count` keys. */
  reserve(count: i32): void {
    this.keys.reserve(count);
    this.slots.reset(count);
  }

  /**
   * Builds the index over all keys. Returns NONE, or the index of a key with the same digest as an earlier one, which is then in
   * `twin`.
   */
  build(): i32 {
    const count = this.keys.count;
    if (this.slots.capacity < count) this.slots.reset(count);
    for (let i = 0; i < count; i++) {
      const digest = changetype<usize>(this.keys.at(i));
      this.twin = this.find(digest);
      if (this.twin != NONE) return i;
      this.slots.put(load<u32>(digest), i);
    }
    this.remembered.reset(count);
    return NONE;
  }

  /** The number of the key that a request has, or NONE; its digest is in `KEY_DIGEST` then. */
  identify(key: View): i32 {
    let number = this.remembered.find(key);
    if (number != NONE) {
      memory.copy(KEY_DIGEST, changetype<usize>(this.keys.at(number)), 32);
      return number;
    }
    sha256(pointerOf(key), lengthOf(key), KEY_DIGEST);
    number = this.find(KEY_DIGEST);
    if (number != NONE) this.remembered.keep(key, number);
    return number;
  }

  /** The key whose whole digest equals the 32 bytes at `digest`, or NONE. */
  find(digest: usize): i32 {
    const slots = this.slots;
    for (let number = slots.first(load<u32>(digest)); number != NONE; number = slots.next()) {
      if (sameDigest(changetype<usize>(this.keys.at(number)), digest)) return number;
    }
    return NONE;
  }

  /** The guard of the key `index`, made if it has none; it belongs to a term of the key's own. */
  guard(index: i32): Guard {
    const key = this.keys.at(index);
    key.term = this.terms.own(key.term);
    const term = this.terms.at(key.term);
    if (term.guard == 0) {
      const made = this.guards.add();
      made.own = NONE;
      made.ofConsumer = NONE;
      term.guard = this.guards.count;
    }
    return this.guards.at(term.guard - 1);
  }

  /** Frees unused capacity. */
  shrink(): void {
    this.keys.shrink();
    this.terms.shrink();
    this.guards.shrink();
  }

  free(): void {
    this.keys.free();
    this.terms.free();
    this.guards.free();
    this.names.free();
    this.slots.free();
    this.remembered.free();
  }
}

function sameDigest(a: usize, b: usize): bool {
  const differences =
    (load<u64>(a) ^ load<u64>(b)) |
    (load<u64>(a, 8) ^ load<u64>(b, 8)) |
    (load<u64>(a, 16) ^ load<u64>(b, 16)) |
    (load<u64>(a, 24) ^ load<u64>(b, 24));
  return differences == 0;
}
