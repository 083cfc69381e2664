import { NONE, Rows, Slots } from "../bytes/rows";
import { ABSENT, View, byteAt, equals, indexOf, lengthOf, lowerCase, slice, spread } from "../bytes/view";

export const enum SegmentKind {
  Literal,
  /** A variable, with `text` before it and `suffix` after it, both of which may be empty. */
  Variable,
  /** The rest of the path, of at least one segment. */
  Rest,
}

/** A node of the tree: a segment of templates. Other nodes are told by their number, or NONE. */
@unmanaged
export class Segment {
  text: View;
  suffix: View;
  kind: SegmentKind;
  parent: i32;
  /** Hash of a literal's text in lower case, and of the parent. */
  key: u32;
  /** The next literal with the same parent and key, and the first of them. */
  sameKey: i32;
  firstOfKey: i32;
  hasLiterals: bool;
  /** The first child that is no literal, and the next sibling that is none: in the order in which they take a segment. */
  variable: i32;
  sibling: i32;
  /** The first of the operations whose template ends here, by its number in the tables. */
  operation: i32;
  /** Nodes that a request that has come here may have to try below: all that are no literals, and the most literals. */
  triedVariables: i32;
  triedLiterals: i32;
  /** The same for the other literals with this one's key; counted by the first. */
  triedSameKey: i32;
}

const SLASH: u8 = 0x2f;
const PERCENT: u8 = 0x25;
const SEMICOLON: u8 = 0x3b;
const BRACE: u8 = 0x7b;
const FNV_OFFSET: u32 = 0x811c9dc5;
const FNV_PRIME: u32 = 0x01000193;

/**
 * The templates of all operations, as a tree of segments for each API:
 *
 *   /pets  /pets/{}  /pets/mine  /files/{...}      root ─┬─ pets ─┬─ mine
 *                                                        │        └─ {}
 *                                                        └─ files ── {...}
 *
 * Literals are found by a hash, however many there are. A node's other children all may have to be tried, and what lies below each:
 * `measure` says how many nodes that can be, whatever path a client sends.
 */
export class OperationTree {
  private readonly segments: Rows<Segment> = new Rows<Segment>();
  private readonly literals: Slots = new Slots();

  // @ts-ignore: decorator
  @inline
  at(number: i32): Segment {
    return this.segments.at(number);
  }

  /** A new root. */
  root(): i32 {
    return this.add(NONE, SegmentKind.Literal, ABSENT, ABSENT);
  }

  /** The node of a template below `root`, created if there is none. The template's text must live as long as the tree. */
  open(root: i32, template: View): i32 {
    let node = root;
    const length = lengthOf(template);
    for (let at = 1; at < length;) {
      const slash = indexOf(template, SLASH, at);
      const end = slash < 0 ? length : slash;
      node = this.openChild(node, slice(template, at, end));
      at = end + 1;
    }
    return node;
  }

  /** How many nodes a request may have to try below `root`; to be called once all templates are there. */
  measure(root: i32): i32 {
    // A node comes after its parent, so from the last to the first each is counted before its parent.
    for (let i = this.segments.count - 1; i > root; i--) {
      const segment = this.at(i);
      const parent = this.at(segment.parent);
      const tried = 1 + segment.triedVariables + segment.triedLiterals;
      if (segment.kind != SegmentKind.Literal) parent.triedVariables += tried;
      else if (segment.firstOfKey != i) this.at(segment.firstOfKey).triedSameKey += tried;
      else parent.triedLiterals = max(parent.triedLiterals, tried + segment.triedSameKey);
    }
    return this.at(root).triedVariables + this.at(root).triedLiterals;
  }

  /** The first literal child that may match a segment with this hash, or NONE; the others follow by `sameKey`. */
  literal(parent: i32, hash: u32): i32 {
    if (!this.at(parent).hasLiterals) return NONE;
    const key = keyOf(parent, hash);
    for (let number = this.literals.first(key); number != NONE; number = this.literals.next()) {
      if (this.at(number).key == key && this.at(number).parent == parent) return number;
    }
    return NONE;
  }

  shrink(): void {
    this.segments.shrink();
  }

  free(): void {
    this.segments.free();
    this.literals.free();
  }

  private openChild(parent: i32, text: View): i32 {
    const brace = indexOf(text, BRACE);
    if (brace < 0) return this.openLiteral(parent, text);
    if (lengthOf(text) == REST_BYTES && byteAt(text, 1) == DOT)
      return this.openVariable(parent, SegmentKind.Rest, ABSENT, ABSENT);
    const prefix = slice(text, 0, brace);
    return this.openVariable(parent, SegmentKind.Variable, prefix, slice(text, brace + 2, lengthOf(text)));
  }

  private openLiteral(parent: i32, text: View): i32 {
    const hash = segmentHash(text, 0);
    const first = this.literal(parent, hash);
    for (let number = first; number != NONE; number = this.at(number).sameKey) {
      if (equals(this.at(number).text, text)) return number;
    }
    const number = this.add(parent, SegmentKind.Literal, text, ABSENT);
    const added = this.at(number);
    added.key = keyOf(parent, hash);
    this.at(parent).hasLiterals = true;
    if (first == NONE) {
      added.firstOfKey = number;
      this.index(added.key, number);
      return number;
    }
    added.firstOfKey = first;
    added.sameKey = this.at(first).sameKey;
    this.at(first).sameKey = number;
    return number;
  }

  private openVariable(parent: i32, kind: SegmentKind, prefix: View, suffix: View): i32 {
    let before = NONE;
    let next = this.at(parent).variable;
    while (next != NONE && isBefore(this.at(next), kind, prefix, suffix)) {
      before = next;
      next = this.at(next).sibling;
    }
    if (next != NONE && isSame(this.at(next), kind, prefix, suffix)) return next;
    const number = this.add(parent, kind, prefix, suffix);
    this.at(number).sibling = next;
    if (before == NONE) this.at(parent).variable = number;
    else this.at(before).sibling = number;
    return number;
  }

  private add(parent: i32, kind: SegmentKind, text: View, suffix: View): i32 {
    const number = this.segments.count;
    const segment = this.segments.add();
    segment.text = text;
    segment.suffix = suffix;
    segment.kind = kind;
    segment.parent = parent;
    segment.sameKey = NONE;
    segment.firstOfKey = NONE;
    segment.variable = NONE;
    segment.sibling = NONE;
    segment.operation = NONE;
    return number;
  }

  private index(key: u32, number: i32): void {
    if (number < this.literals.capacity) return this.literals.put(key, number);
    this.literals.reset(max(64, this.literals.capacity * 2));
    for (let i = 0; i <= number; i++) {
      if (this.at(i).firstOfKey == i) this.literals.put(this.at(i).key, i);
    }
  }
}

const DOT: u8 = 0x2e;
/** `{...}` */
const REST_BYTES = 5;

/** True when `segment` takes a path's segment before the given one would: the more literal bytes the sooner, and the rest last. */
function isBefore(segment: Segment, kind: SegmentKind, prefix: View, suffix: View): bool {
  if (segment.kind != kind) return segment.kind < kind;
  const bytes = lengthOf(segment.text) + lengthOf(segment.suffix);
  const other = lengthOf(prefix) + lengthOf(suffix);
  if (bytes != other) return bytes > other;
  if (lengthOf(segment.text) != lengthOf(prefix)) return lengthOf(segment.text) > lengthOf(prefix);
  // Two of the same lengths never take the same segment, so that any order will do: that of their bytes.
  return compare(segment.text, prefix) < 0 || (equals(segment.text, prefix) && compare(segment.suffix, suffix) < 0);
}

function isSame(segment: Segment, kind: SegmentKind, prefix: View, suffix: View): bool {
  return segment.kind == kind && equals(segment.text, prefix) && equals(segment.suffix, suffix);
}

/** Of two strings of the same length. */
function compare(a: View, b: View): i32 {
  for (let i = 0, n = lengthOf(a); i < n; i++) {
    if (byteAt(a, i) != byteAt(b, i)) return <i32>byteAt(a, i) - <i32>byteAt(b, i);
  }
  return 0;
}

/** Hash (FNV-1a, in lower case) of the segment that begins at `at`, up to its first path parameter or escape: no literal has either. */
export function segmentHash(path: View, at: i32): u32 {
  let hash = FNV_OFFSET;
  for (let i = at, n = lengthOf(path); i < n; i++) {
    const byte = byteAt(path, i);
    if (byte == SLASH || byte == SEMICOLON || byte == PERCENT) break;
    hash = (hash ^ lowerCase(byte)) * FNV_PRIME;
  }
  return hash;
}

// @ts-ignore: decorator
@inline
function keyOf(parent: i32, hash: u32): u32 {
  return spread(hash ^ spread(parent));
}
