import { Rows } from "../bytes/rows";
import { addressHigh, addressLow } from "../request/address";
import { findOf } from "./consumer";

/** From where a consumer may call, or a key may be used: address blocks and origins, contiguous in their rows. */
@unmanaged
export class Restriction {
  /** Whose it is; NONE for a key's own. */
  consumer: i32;
  firstAllowed: i32;
  allowedCount: i32;
  firstDenied: i32;
  deniedCount: i32;
  firstOrigin: i32;
  originCount: i32;
}

/** The same of a key, and what it is for. */
@unmanaged
export class KeyRestriction extends Restriction {
  /** The APIs on which it may be used, among `Tables.references`; none: on any. */
  firstApi: i32;
  apiCount: i32;
  /** A bit for each scope that it has if its consumer has it. */
  scopes: u64;
  /** The first second in which its holder is told that it ends soon; never reached where the policy does not want that. */
  warnFrom: i64;
}

/** A block of addresses that begin with the same bits; an IPv4 address in its IPv4-mapped form. */
@unmanaged
export class AddressBlock {
  high: u64;
  low: u64;
  /** A one for each of those bits. */
  highMask: u64;
  lowMask: u64;
}

/** Restrictions, and what they are made of. */
export class Restrictions {
  /** Those of consumers, in the consumers' order, and those of keys. */
  readonly ofConsumers: Rows<Restriction> = new Rows<Restriction>();
  readonly ofKeys: Rows<KeyRestriction> = new Rows<KeyRestriction>();
  readonly blocks: Rows<AddressBlock> = new Rows<AddressBlock>();

  /** The index of a consumer's, or NONE. */
  find(consumer: i32): i32 {
    return findOf<Restriction>(this.ofConsumers, consumer);
  }

  /** True when one of `count` blocks from `first` on holds the address that was read last. */
  holds(first: i32, count: i32): bool {
    for (let i = first; i < first + count; i++) {
      const block = this.blocks.at(i);
      const differences = ((addressHigh ^ block.high) & block.highMask) | ((addressLow ^ block.low) & block.lowMask);
      if (differences == 0) return true;
    }
    return false;
  }

  free(): void {
    this.ofConsumers.free();
    this.ofKeys.free();
    this.blocks.free();
  }
}
