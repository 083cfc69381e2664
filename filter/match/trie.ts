import { View, byteAt, lengthOf, lowerCase, pointerOf, slice, spread } from "../bytes/view";
import { NONE, Region, Slots } from "../bytes/rows";

/**
 * How a prefix covers a path. Loosely: only for servers that drop path parameters (`/v1;a=b`), or what stands behind an
 * escaped `?` or `#`, or that ignore case.
 */
export const enum Cover {
  None,
  Exact,
  WithoutParameters,
  Loose,
}

const PERCENT: u8 = 0x25;
const SLASH: u8 = 0x2f;
const SEMICOLON: u8 = 0x3b;
/** What letters of the two cases differ in. */
const CASE: u8 = 0x20;

/** Bytes of the path that the prefix covered, its parameters included; always whole segments. */
export let coveredLength: i32 = 0;
/** Where in the path `follow` has come to. */
export let reached: i32 = 0;

/** Holds a judged path against a prefix, segment by segment. */
export function cover(path: View, prefix: View): Cover {
  const run = withoutSlash(prefix);
  reached = 0;
  const passed = lengthOf(run) == 0 ? Cover.Exact : follow(path, 0, run, Cover.Exact);
  return passed == Cover.None ? Cover.None : endCover(path, reached, passed);
}

/** A prefix means the same with and without a slash at its end; "/" covers everything. */
export function withoutSlash(path: View): View {
  const last = lengthOf(path) - 1;
  return byteAt(path, last) == SLASH ? slice(path, 0, last) : path;
}

/**
 * Holds the path from `from` on, where it has a slash, against a run of segments, of which the last may be a part of the path's;
 * `passed` is how it came there.
 */
export function follow(path: View, from: i32, run: View, passed: Cover): Cover {
  const length = lengthOf(run);
  const same = min(length, lengthOf(path) - from);
  const there = pointerOf(path) + from;
  const here = pointerOf(run);
  let i = 1;
  while (i < same && load<u8>(here + i) == load<u8>(there + i)) i++;
  reached = from + i;
  if (i == length) return passed;
  if (i < same && (load<u8>(here + i) ^ load<u8>(there + i)) != CASE && load<u8>(here + i) != SLASH) return Cover.None;
  return followLoosely(path, run, i, passed);
}

function followLoosely(path: View, run: View, from: i32, passed: Cover): Cover {
  const total = lengthOf(path);
  for (let i = from, length = lengthOf(run); i < length; i++) {
    const byte = byteAt(run, i);
    if (reached < total && byteAt(path, reached) == byte) {
      reached++;
      continue;
    }
    if (byte == SLASH) {
      const after = skipParameters(path, reached);
      if (after == reached || after == total) return Cover.None;
      if (passed == Cover.Exact) passed = Cover.WithoutParameters;
      reached = after + 1;
    } else {
      if (reached == total || lowerCase(byteAt(path, reached)) != lowerCase(byte)) return Cover.None;
      passed = Cover.Loose;
      reached++;
    }
  }
  return passed;
}

/** What becomes of a match up to `at`: a segment must end there. */
export function endCover(path: View, at: i32, passed: Cover): Cover {
  const total = lengthOf(path);
  coveredLength = at;
  if (at == total || byteAt(path, at) == SLASH) return passed;
  coveredLength = skipParameters(path, at);
  if (coveredLength > at) return passed == Cover.Exact ? Cover.WithoutParameters : passed;
  if (!isEscapedDelimiter(path, at)) return Cover.None;
  coveredLength = total;
  return Cover.Loose;
}

/** The end of the parameters at `at`, or `at` when there are none. */
export function skipParameters(path: View, at: i32): i32 {
  const total = lengthOf(path);
  if (at < total && byteAt(path, at) == SEMICOLON) {
    while (at < total && byteAt(path, at) != SLASH) at++;
  }
  return at;
}

/** `%3F` or `%23`: for who decodes a path and then reads it anew, the path ends there. */
function isEscapedDelimiter(path: View, at: i32): bool {
  if (at + 2 >= lengthOf(path) || byteAt(path, at) != PERCENT) return false;
  const high = byteAt(path, at + 1);
  const low = byteAt(path, at + 2);
  return (high == 0x33 && low == 0x46) || (high == 0x32 && low == 0x33);
}

/**
 * Paths of a policy, segment by segment. A node stands for a run of segments that no path leaves halfway, so there are at most
 * two nodes to a path, however long it is:
 *
 *   /v1/pets  /v1/pets/dogs  /v1/users/admin         root ── /v1 ─┬─ /pets ── /dogs
 *                                                                 └─ /users/admin
 *
 * Children are found by a hash of their first segment without regard to case. Those with one hash are tried one after the other:
 * `/Pets` and `/pets`, or, by rare chance, two that have nothing in common. So a hash never decides; only bytes do.
 */
@unmanaged
export class Node {
  /** Whole segments as the policy writes them, each behind its slash; empty for a root. */
  run: View;
  /** The first of its children. */
  child: Node | null;
  /** The next child of the same parent with the same key. */
  alike: Node | null;
  /** Children with different keys. */
  keyCount: i32;
  /** The first of the mounts here, or NONE. */
  mount: i32;
  /** Hash of the first segment. */
  key: u32;
  /** The number that its children know their parent by, and that by which it knows its own. */
  family: i32;
  parentFamily: i32;
}

export class Trie {
  private readonly room: Region = new Region();
  private base: usize = 0;
  private count: i32 = 0;
  private readonly slots: Slots = new Slots();
  /** Bytes of the longest path; no longer segment is anybody's. */
  private longest: i32 = 0;

  /** Makes room for `count` paths, each below a root of its own. */
  reserve(count: i32): void {
    this.room.reserve(<usize>count * 3 * offsetof<Node>());
    this.base = this.room.allocate(0);
    this.slots.reset(count * 3);
  }

  /** The node of a path without a slash at its end, below `root`; made if there is none. */
  open(root: Node, path: View): Node {
    this.longest = max(this.longest, lengthOf(path));
    let node = root;
    for (let rest = path; lengthOf(rest) > 0;) {
      const first = this.find(node, rest, 0);
      let child = first;
      while (child != null && sharedSegments(child.run, rest) == 0) child = child.alike;
      if (child == null) return this.grow(node, first, rest);
      const shared = sharedSegments(child.run, rest);
      if (shared < lengthOf(child.run)) this.split(child, shared);
      rest = slice(rest, shared, lengthOf(rest));
      node = child;
    }
    return node;
  }

  /**
   * The first of the children by which the path may go on at `at`, where it has a slash; the others are those that are alike.
   */
  // @ts-ignore: decorator
  @inline
  branch(node: Node, path: View, at: i32): Node | null {
    return node.keyCount < 2 ? node.child : this.find(node, path, at);
  }

  /** A node without relations. */
  add(): Node {
    const node = changetype<Node>(this.room.allocate(offsetof<Node>()));
    memory.fill(changetype<usize>(node), 0, offsetof<Node>());
    node.mount = NONE;
    node.family = this.count++;
    return node;
  }

  free(): void {
    this.room.free();
    this.slots.free();
  }

  private find(parent: Node, path: View, at: i32): Node | null {
    const key = this.keyOf(parent, path, at);
    for (let number = this.slots.first(key); number != NONE; number = this.slots.next()) {
      const node = changetype<Node>(this.base + <usize>number * offsetof<Node>());
      if (node.key == key && node.parentFamily == parent.family) return node;
    }
    return null;
  }

  /** A child for the rest of a path; `first` is the first of those with its key. */
  private grow(parent: Node, first: Node | null, run: View): Node {
    const node = this.add();
    if (parent.child == null) parent.child = node;
    if (first == null) parent.keyCount++;
    else {
      node.alike = first.alike;
      first.alike = node;
    }
    this.join(node, parent, run, first == null);
    return node;
  }

  /** Cuts a node's run after `length` bytes: what was below it comes below a new node for the rest. */
  private split(node: Node, length: i32): void {
    const lower = this.add();
    const family = lower.family;
    memory.copy(changetype<usize>(lower), changetype<usize>(node), offsetof<Node>());
    lower.alike = null;
    node.family = family;
    node.child = lower;
    node.keyCount = 1;
    node.mount = NONE;
    node.run = slice(node.run, 0, length);
    this.join(lower, node, slice(lower.run, length, lengthOf(lower.run)), true);
  }

  private join(node: Node, parent: Node, run: View, isFirst: bool): void {
    node.run = run;
    node.parentFamily = parent.family;
    node.key = this.keyOf(parent, run, 0);
    if (isFirst) this.slots.put(node.key, <i32>((changetype<usize>(node) - this.base) / offsetof<Node>()));
  }

  /**
   * Hash of the segment behind the slash at `at`, without its parameters and what it has escaped, which no segment of a policy
   * has; FNV-1a.
   */
  private keyOf(parent: Node, path: View, at: i32): u32 {
    let hash = spread(parent.family);
    for (let i = at + 1, end = min(lengthOf(path), at + this.longest); i < end; i++) {
      const byte = byteAt(path, i);
      if (byte == SLASH || byte == SEMICOLON || byte == PERCENT) break;
      hash = (hash ^ (<u32>(byte | CASE))) * 0x01000193;
    }
    return spread(hash);
  }
}

/** Bytes of the whole segments with which both begin. */
function sharedSegments(a: View, b: View): i32 {
  const length = min(lengthOf(a), lengthOf(b));
  let shared = 0;
  let at = 0;
  while (at < length && byteAt(a, at) == byteAt(b, at)) {
    if (byteAt(a, at) == SLASH) shared = at;
    at++;
  }
  return endsAt(a, at) && endsAt(b, at) ? at : shared;
}

/** True when a segment of the path ends at `at`. */
function endsAt(path: View, at: i32): bool {
  return at == lengthOf(path) || byteAt(path, at) == SLASH;
}
