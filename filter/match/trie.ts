import { NONE, Region, Slots } from "../bytes/rows";
import { View, byteAt, lengthOf, slice, spread } from "../bytes/view";

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

const SLASH: u8 = 0x2f;
const SEMICOLON: u8 = 0x3b;
const PERCENT: u8 = 0x25;
/** What letters of the two cases differ in. */
const CASE: u32 = 0x20;

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
      hash = (hash ^ ((<u32>byte) | CASE)) * 0x01000193;
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
