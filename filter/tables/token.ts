import { NONE, Rows, Slots } from "../bytes/rows";
import { Name, View, equals, viewOf } from "../bytes/view";
import { hashName } from "./alias";

/** An issuer of tokens, and what their claims mean. Audiences are contiguous in `Tables.values`. */
@unmanaged
export class Issuer {
  /** What the policy calls it. */
  name: View;
  /** The claim `iss` of its tokens. */
  issuer: View;
  firstAudience: i32;
  /** 0: tokens for any audience count. */
  audienceCount: i32;
  /** Names of claims; ABSENT where the policy takes nothing from one. */
  consumerClaim: View;
  planClaim: View;
  scopesClaim: View;
  /** The upstream sees the token. */
  forwards: bool;
}

/** Who owns tokens of an issuer. 12 bytes. */
@unmanaged
export class Subject {
  nameText: Name;
  consumer: i32;
  /** Index of the issuer; until everything is read, its name in the document. */
  issuer: i32;

  get name(): View {
    return viewOf(this.nameText);
  }
}

/** All issuers, and all subjects by issuer and name. */
export class Tokens {
  readonly issuers: Rows<Issuer> = new Rows<Issuer>();
  readonly subjects: Rows<Subject> = new Rows<Subject>();
  private readonly slots: Slots = new Slots();
  /** See `build`. */
  twin: i32 = NONE;

  /** The index of the issuer that the policy calls so, or NONE. */
  named(name: View): i32 {
    for (let i = 0; i < this.issuers.count; i++) if (equals(this.issuers.at(i).name, name)) return i;
    return NONE;
  }

  /** The index of the issuer of tokens with this claim `iss`, or NONE. */
  issuing(issuer: View): i32 {
    for (let i = 0; i < this.issuers.count; i++) if (equals(this.issuers.at(i).issuer, issuer)) return i;
    return NONE;
  }

  /** Builds the index over all subjects. Returns NONE, or the index of one that an earlier one is too, which is then in `twin`. */
  build(): i32 {
    const count = this.subjects.count;
    this.slots.reset(count);
    for (let i = 0; i < count; i++) {
      const subject = this.subjects.at(i);
      this.twin = this.find(subject.issuer, subject.name);
      if (this.twin != NONE) return i;
      this.slots.put(hash(subject.issuer, subject.name), i);
    }
    return NONE;
  }

  /** The subject with this name, of at most 255 bytes, among those of the issuer; or NONE. */
  find(issuer: i32, name: View): i32 {
    const slots = this.slots;
    for (let number = slots.first(hash(issuer, name)); number != NONE; number = slots.next()) {
      const subject = this.subjects.at(number);
      if (subject.issuer == issuer && equals(subject.name, name)) return number;
    }
    return NONE;
  }

  free(): void {
    this.issuers.free();
    this.subjects.free();
    this.slots.free();
  }
}

function hash(issuer: i32, name: View): u32 {
  return hashName(name) ^ (<u32>issuer * 0x85ebca6b);
}
