import { View, byteAt, lengthOf, lowerCase, pointerOf, slice, spread } from "../bytes/view";
import { NONE, Region, Slots } from "../bytes/rows";

/**
 * How a prefix covers a path. All but `Exact` do so only for lenient servers: those that drop path parameters (`/v1;a=b`), or
 * (`Loose`) ignore case or end the path at an escaped `?` or `#`.
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
/** The bit in which upper and lower case letters differ. */
const CASE: u8 = 0x20;

/** Bytes of the path that the prefix covered, path parameters included; always whole segments. */
export let coveredLength: i32 = 0;
/** How far into the path `follow` has got. */
export let reached: i32 = 0;

/** Compares a normalised path with a prefix, segment by segment. */
export function cover(path: View, prefix: View): Cover {
  const run = withoutSlash(prefix);
  reached = 0;
  const passed = lengthOf(run) == 0 ? Cover.Exact : follow(path, 0, run, Cover.Exact);
  return passed == Cover.None ? Cover.None : endCover(path, reached, passed);
}

/** The prefix without a trailing slash, which makes no difference; "/" becomes empty and covers everything. */
export function withoutSlash(path: View): View {
  const last = lengthOf(path) - 1;
  return byteAt(path, last) == SLASH ? slice(path, 0, last) : path;
}

/**
 * Compares the path, from the slash at `from`, with a run of segments. The run's last segment may be only the beginning of the
 * path's, which `endCover` checks. `passed` is how the prefix covers the path up to `from`.
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

/** How a prefix that has matched up to `at` covers the path: a segment must end there. */
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

/** The end of the path parameters at `at`, or `at` when there are none. */
export function skipParameters(path: View, at: i32): i32 {
  const total = lengthOf(path);
  if (at < total && byteAt(path, at) == SEMICOLON) {
    while (at < total && byteAt(path, at) != SLASH) at++;
  }
  return at;
}

/** True for `%3F` and `%23`: for a server that decodes a path and parses it again, the path ends there. */
export function isEscapedDelimiter(path: View, at: i32): bool {
  if (at + 2 >= lengthOf(path) || byteAt(path, at) != PERCENT) return false;
  const high = byteAt(path, at + 1);
  const low = byteAt(path, at + 2);
  return (high == 0x33 && low == 0x46) || (high == 0x32 && low == 0x33);
}

/**
 * The paths of a policy, as a radix tree over segments. A node stands for a run of segments within which no path branches or ends,
 * so there are at most two nodes per path, however long it is:
 *
 *   /v1/pets  /v1/pets/dogs  /v1/users/admin         root ── /v1 ─┬─ /pets ── /dogs
 *                                                                 └─ /users/admin
 *
 * Children are found by a case-insensitive hash of their first segment. Siblings with the same hash are tried one after the other:
 * `/Pets` and `/pets`, or two unrelated ones that happen to collide. The hash only selects candidates; bytes decide.
 */
@unmanaged
export class Node {
  /** Whole segments as the policy writes them, each with its leading slash; empty for a root. */
  run: View;
  /** The first of its children. */
  child: Node | null;
  /** The next sibling with the same key. */
  sameKey: Node | null;
  /** The number of different keys among its children. */
  keyCount: i32;
  /** The first mount at this path, or NONE. */
  mount: i32;
  /** Hash of the first segment. */
  key: u32;
  /** What its children have as `parentId`: a split leaves it to the node that gets the children. */
  id: i32;
  parentId: i32;
}

export class Trie {
  private readonly room: Region = new Region();
  private base: usize = 0;
  private count: i32 = 0;
  private readonly slots: Slots = new Slots();
  /** Bytes of the longest path: a longer segment matches nothing, so it is not hashed to its end. */
  private longest: i32 = 0;

  /** Makes room for `count` paths, each of which may have its own root. */
  reserve(count: i32): void {
    this.room.reserve(<usize>count * 3 * offsetof<Node>());
    this.base = this.room.allocate(0);
    this.slots.reset(count * 3);
  }

  /** The node below `root` of a path without a trailing slash, created if there is none. */
  open(root: Node, path: View): Node {
    this.longest = max(this.longest, lengthOf(path));
    let node = root;
    for (let rest = path; lengthOf(rest) > 0;) {
      const first = this.find(node, rest, 0);
      let child = first;
      while (child != null && sharedSegments(child.run, rest) == 0) child = child.sameKey;
      if (child == null) return this.grow(node, first, rest);
      const shared = sharedSegments(child.run, rest);
      if (shared < lengthOf(child.run)) this.split(child, shared);
      rest = slice(rest, shared, lengthOf(rest));
      node = child;
    }
    return node;
  }

  /**
   * The first child that may match the path from the slash at `at`; the others follow by `sameKey`.
   */
  // @ts-ignore: decorator
  @inline
  branch(node: Node, path: View, at: i32): Node | null {
    return node.keyCount < 2 ? node.child : this.find(node, path, at);
  }

  /** A new node without parent, children or mounts. */
  add(): Node {
    const node = changetype<Node>(this.room.allocate(offsetof<Node>()));
    memory.fill(changetype<usize>(node), 0, offsetof<Node>());
    node.mount = NONE;
    node.id = this.count++;
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
      if (node.key == key && node.parentId == parent.id) return node;
    }
    return null;
  }

  /** A new child for the rest of a path; `first` is the first child with the same key, or null. */
  private grow(parent: Node, first: Node | null, run: View): Node {
    const node = this.add();
    if (parent.child == null) parent.child = node;
    if (first == null) parent.keyCount++;
    else {
      node.sameKey = first.sameKey;
      first.sameKey = node;
    }
    this.join(node, parent, run, first == null);
    return node;
  }

  /** Cuts a node's run after `length` bytes: a new child takes the rest of the run, the children and the mounts. */
  private split(node: Node, length: i32): void {
    const lower = this.add();
    const id = lower.id;
    memory.copy(changetype<usize>(lower), changetype<usize>(node), offsetof<Node>());
    lower.sameKey = null;
    node.id = id;
    node.child = lower;
    node.keyCount = 1;
    node.mount = NONE;
    node.run = slice(node.run, 0, length);
    this.join(lower, node, slice(lower.run, length, lengthOf(lower.run)), true);
  }

  private join(node: Node, parent: Node, run: View, isFirst: bool): void {
    node.run = run;
    node.parentId = parent.id;
    node.key = this.keyOf(parent, run, 0);
    if (isFirst) this.slots.put(node.key, <i32>((changetype<usize>(node) - this.base) / offsetof<Node>()));
  }

  /**
   * FNV-1a hash of the segment after the slash at `at`, up to its first path parameter or escape: no segment of a policy has either.
   */
  private keyOf(parent: Node, path: View, at: i32): u32 {
    let hash = spread(parent.id);
    for (let i = at + 1, end = min(lengthOf(path), at + this.longest); i < end; i++) {
      const byte = byteAt(path, i);
      if (byte == SLASH || byte == SEMICOLON || byte == PERCENT) break;
      hash = (hash ^ (<u32>(byte | CASE))) * 0x01000193;
    }
    return spread(hash);
  }
}

/** Bytes of the whole segments that both paths begin with. */
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
