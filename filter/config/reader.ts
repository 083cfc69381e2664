import { allocate, begin, end, writeByte, writeFormat, writeView } from "../bytes/arena";
import { ABSENT, View, equals, lengthOf, literal, slice, startsWith, view } from "../bytes/view";
import { INVALID_INTEGER, integerEnd, isUtf8, readEscape, readInteger } from "./scalar";

const DOCUMENT = literal("plugin config: ");
const COLON = literal(": ");
const TRUE = literal("true");
const FALSE = literal("false");

/** A string of one byte. */
function single(byte: u8): View {
  const pointer = allocate(1);
  store<u8>(pointer, byte);
  return view(pointer, 1);
}

/**
 * A strict JSON pull reader: the decoder asks for an object, a field, a string. So nothing is skipped, nesting is only as deep as the
 * decoder goes, and the first problem is recorded with its place in the document. After a failure every call reports the end, so
 * decoders need no checks of their own.
 *
 * The reader unescapes strings in place, so it overwrites the document that it is given.
 */
export class Reader {
  private readonly path: FieldPath = new FieldPath();
  private first: bool = true;
  /** Name of the field that `nextField` stopped at. */
  field: View = ABSENT;
  /** The first problem, in the arena; ABSENT while there is none. */
  problem: View = ABSENT;

  constructor(
    private position: usize,
    private readonly documentEnd: usize,
  ) {}

  get failed(): bool {
    return this.problem != ABSENT;
  }

  /** Records the first problem; `rule`, with its values filled in, says what must hold at this place. */
  fail(rule: View, a: u64 = 0, b: u64 = 0, c: u64 = 0, d: u64 = 0): void {
    if (this.failed) return;
    begin();
    writeView(DOCUMENT);
    if (this.path.write()) writeView(COLON);
    writeFormat(rule, a, b, c, d);
    this.problem = end();
  }

  beginObject(): bool {
    return this.open(0x7b, literal("must be an object"));
  }

  /** Moves to the next field of the open object; false at its end. */
  nextField(): bool {
    if (!this.separator(0x7d)) return false;
    this.field = ABSENT;
    this.path.setField(ABSENT);
    const name = this.string();
    if (this.failed || !this.expect(0x3a)) return false;
    this.field = name;
    this.path.setField(name);
    return true;
  }

  beginArray(): bool {
    return this.open(0x5b, literal("must be a list"));
  }

  /** Moves to item `index` of the open list; false at its end. */
  nextItem(index: i32): bool {
    if (!this.separator(0x5d)) return false;
    this.path.setIndex(index);
    return true;
  }

  /** The part of the document that is still to be read. */
  rest(): View {
    return view(this.position, <i32>(this.documentEnd - this.position));
  }

  /** True when the current field has this name; `number` identifies it among the object's fields. A repeated field is refused. */
  takes(name: View, number: u32): bool {
    if (!this.is(name)) return false;
    this.once(number);
    return true;
  }

  once(number: u32): void {
    if (this.path.mark(number)) this.fail(literal("given twice"));
  }

  /** True when the object that has just ended had this field. */
  has(number: u32): bool {
    return this.path.isMarked(number);
  }

  /** Refuses the object that has just ended if it lacks a required field. */
  needs(number: u32, name: View): void {
    if (!this.has(number)) this.fail(literal("needs the field %q"), name);
  }

  is(name: View): bool {
    return equals(this.field, name);
  }

  unknownField(): void {
    this.fail(literal("unknown field"));
  }

  /** A string of `minBytes` to `maxBytes` bytes of UTF-8; valid until the document is freed. */
  text(minBytes: i32, maxBytes: i32): View {
    this.skipSpaces();
    if (!this.at(0x22)) {
      this.fail(literal("must be a string"));
      return ABSENT;
    }
    const text = this.string();
    if (this.failed) return ABSENT;
    const length = <i32>(text >> 32);
    if (length < minBytes || length > maxBytes) {
      this.fail(literal("must have %d to %d bytes"), minBytes, maxBytes);
      return ABSENT;
    }
    return text;
  }

  /** A whole number between `least` and `most` (at most 2^53), in any notation that JSON allows. */
  integer(least: i64, most: i64): i64 {
    this.skipSpaces();
    const value = readInteger(this.position, this.documentEnd);
    if (value == INVALID_INTEGER || value < least || value > most) {
      this.fail(literal("must be a whole number from %d to %d"), least, most);
      return least;
    }
    this.position = integerEnd;
    return value;
  }

  boolean(): bool {
    this.skipSpaces();
    if (this.word(TRUE)) return true;
    if (!this.word(FALSE)) this.fail(literal("must be true or false"));
    return false;
  }

  /** Call after the outermost value: nothing but whitespace may follow. */
  finish(): void {
    this.skipSpaces();
    if (this.position < this.documentEnd) this.fail(literal("nothing may follow the config"));
  }

  private open(bracket: u8, rule: View): bool {
    this.skipSpaces();
    if (this.failed) return false;
    if (!this.at(bracket)) {
      this.fail(rule);
      return false;
    }
    this.position++;
    this.first = true;
    this.path.push();
    return true;
  }

  /** Consumes the comma between members, or the closing bracket. */
  private separator(closing: u8): bool {
    this.skipSpaces();
    if (this.failed) return false;
    if (this.at(closing)) {
      this.position++;
      this.path.pop();
      this.first = false;
      return false;
    }
    if (!this.first && !this.expect(0x2c)) return false;
    this.first = false;
    return true;
  }

  private expect(byte: u8): bool {
    this.skipSpaces();
    if (this.at(byte)) {
      this.position++;
      return true;
    }
    this.fail(
      this.position == this.documentEnd
        ? literal("must be JSON; expected '%s' before the end")
        : literal("must be JSON; expected '%s'"),
      single(byte),
    );
    return false;
  }

  // @ts-ignore: decorator
  @inline
  private at(byte: u8): bool {
    return this.position < this.documentEnd && load<u8>(this.position) == byte;
  }

  private skipSpaces(): void {
    while (this.position < this.documentEnd) {
      const byte = load<u8>(this.position);
      if (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) return;
      this.position++;
    }
  }

  private word(word: View): bool {
    if (!startsWith(this.rest(), word)) return false;
    this.position += lengthOf(word);
    return true;
  }

  /** Reads a quoted string and unescapes it in place, which never needs more bytes. */
  private string(): View {
    if (!this.expect(0x22)) return ABSENT;
    const start = this.position;
    let to = start;
    while (this.position < this.documentEnd) {
      const byte = load<u8>(this.position);
      if (byte == 0x22) {
        this.position++;
        const text = view(start, <i32>(to - start));
        if (isUtf8(text)) return text;
        this.fail(literal("must be valid UTF-8"));
        return ABSENT;
      }
      if (byte < 0x20) break;
      if (byte == 0x5c) {
        const used = readEscape(this.position, this.documentEnd, to);
        if (used == 0) break;
        this.position += used & 0xff;
        to += used >> 8;
      } else {
        store<u8>(to++, byte);
        this.position++;
      }
    }
    this.fail(literal("must be JSON; a string is cut off or has a bad escape"));
    return ABSENT;
  }
}

/** More than any decoder opens; a document cannot nest deeper than the decoder asks. */
const MAX_DEPTH = 16;
/** How much of an unknown field name a message shows. */
const MAX_SHOWN_BYTES = 64;
const INDEX: u64 = 1 << 63;

/** The reader's place in the plugin config, e.g. `apis[0].routes[1].name`; printed only for a problem. */
export class FieldPath {
  private segments: StaticArray<u64> = new StaticArray<u64>(MAX_DEPTH);
  /** The fields that each open object, and the one that has just ended, has had: one bit per field number. */
  private readonly marks: StaticArray<u32> = new StaticArray<u32>(MAX_DEPTH);
  private depth: i32 = 0;

  push(): void {
    unchecked((this.segments[this.depth] = ABSENT));
    unchecked((this.marks[this.depth] = 0));
    this.depth++;
  }

  pop(): void {
    this.depth--;
  }

  setField(name: View): void {
    unchecked((this.segments[this.depth - 1] = name));
  }

  setIndex(index: i32): void {
    unchecked((this.segments[this.depth - 1] = INDEX | (<u64>index)));
  }

  /** Marks a field of the innermost open object; true when it was marked before. */
  mark(number: u32): bool {
    const before = unchecked(this.marks[this.depth - 1]);
    unchecked((this.marks[this.depth - 1] = before | (1 << number)));
    return ((before >> number) & 1) != 0;
  }

  /** True for a field of the object that has just ended. */
  isMarked(number: u32): bool {
    return ((unchecked(this.marks[this.depth]) >> number) & 1) != 0;
  }

  /** Appends the place to the string being built; false when it is the document itself. */
  write(): bool {
    let some = false;
    for (let i = 0, n = this.depth; i < n; i++) {
      const segment = unchecked(this.segments[i]);
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
