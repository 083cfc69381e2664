import { NONE, Region, Rows, Slots } from "../bytes/rows";
import { ABSENT, View, byteAt, endsWith, equals, lengthOf, slice, spread } from "../bytes/view";
import { Cover, Node, Trie, coveredLength, endCover, follow, reached, skipParameters, withoutSlash } from "./trie";

/** One host and path prefix under which an API is found. */
@unmanaged
export class Mount {
  /** A host's name; the end of one, from a dot on (`.example.com`); ABSENT for any host. */
  host: View;
  path: View;
  api: i32;
  /** The next mount of the same host and path, if an author has it twice. */
  next: i32;
}

/** A host that mounts name. */
@unmanaged
export class Host {
  name: View;
  /** The next wider host that covers all that this one does: the longest of those, and at last any host. */
  wider: Host | null;
  /** Where its paths begin. */
  root: Node;
}

const DOT: u8 = 0x2e;

/** Where the APIs of a policy are found: hosts by name, from the most specific to the widest, and a trie of paths below each. */
export class Mounts {
  readonly rows: Rows<Mount> = new Rows<Mount>();
  readonly trie: Trie = new Trie();
  private readonly room: Region = new Region();
  private base: usize = 0;
  private hostCount: i32 = 0;
  private readonly names: Slots = new Slots();
  private anyHost: Host | null = null;
  /** Hash of the whole name that was last looked at. */
  private hash: u32 = 0;

  add(host: View, path: View, api: i32): void {
    const mount = this.rows.add();
    mount.host = host;
    mount.path = path;
    mount.api = api;
    mount.next = NONE;
  }

  /** To be called once all mounts are known, and before anything is looked for. */
  build(): void {
    const count = this.rows.count;
    this.room.reserve(<usize>count * offsetof<Host>());
    this.base = this.room.allocate(0);
    this.names.reset(count);
    this.trie.reserve(count);
    for (let i = 0; i < count; i++) this.place(i);
    for (let i = 0; i < this.hostCount; i++) {
      const host = this.hostAt(i);
      if (host.name != ABSENT) host.wider = this.widerThan(host.name);
    }
  }

  /** The most specific host that covers `name`, or null. Others that do are wider than it. */
  hostOf(name: View): Host | null {
    if (this.hostCount == 1) return covers(this.hostAt(0).name, name) ? this.hostAt(0) : null;
    const wider = this.widerThan(name);
    const exact = this.find(name);
    return exact == null ? wider : exact;
  }

  /** True for a mount that counts before another one of the same host. */
  isBefore(a: i32, b: i32): bool {
    const difference = lengthOf(this.rows.at(a).path) - lengthOf(this.rows.at(b).path);
    return difference == 0 ? a < b : difference > 0;
  }

  free(): void {
    this.rows.free();
    this.room.free();
    this.trie.free();
    this.names.free();
  }

  private place(number: i32): void {
    const mount = this.rows.at(number);
    const node = this.trie.open(this.open(mount.host).root, withoutSlash(mount.path));
    if (node.mount == NONE || this.isBefore(number, node.mount)) {
      mount.next = node.mount;
      node.mount = number;
      return;
    }
    let before = this.rows.at(node.mount);
    while (before.next != NONE && this.isBefore(before.next, number)) before = this.rows.at(before.next);
    mount.next = before.next;
    before.next = number;
  }

  /** The host of this name; made if there is none. */
  private open(name: View): Host {
    this.widerThan(name);
    const known = name == ABSENT ? this.anyHost : this.find(name);
    if (known != null) return known;
    const host = changetype<Host>(this.room.allocate(offsetof<Host>()));
    host.name = name;
    host.wider = null;
    host.root = this.trie.add();
    if (name == ABSENT) this.anyHost = host;
    else this.names.put(this.hash, this.hostCount);
    this.hostCount++;
    return host;
  }

  // @ts-ignore: decorator
  @inline
  private hostAt(number: i32): Host {
    return changetype<Host>(this.base + <usize>number * offsetof<Host>());
  }

  /** The host of the longest end of the name, from a dot behind its first byte; or any host. Leaves the name's hash: FNV-1a. */
  private widerThan(name: View): Host | null {
    let found = this.anyHost;
    let hash: u32 = 0x811c9dc5;
    const length = lengthOf(name);
    for (let i = length - 1; i >= 0; i--) {
      const byte = byteAt(name, i);
      hash = (hash ^ byte) * 0x01000193;
      if (byte != DOT || i == 0) continue;
      this.hash = spread(hash);
      const host = this.find(slice(name, i, length));
      if (host != null) found = host;
    }
    this.hash = spread(hash);
    return found;
  }

  /** The host of this name, of which `hash` is the hash. */
  private find(name: View): Host | null {
    for (let number = this.names.first(this.hash); number != NONE; number = this.names.next()) {
      if (equals(this.hostAt(number).name, name)) return this.hostAt(number);
    }
    return null;
  }
}

function covers(host: View, name: View): bool {
  return host == ABSENT || equals(host, name) || (byteAt(host, 0) == DOT && endsWith(name, host));
}

/** Bytes of the judged path that the matched API's prefix covers. */
export let coveredBytes: i32 = 0;
/** True when some API names the host, or any host. */
export let hostIsServed: bool = false;
/** True when a more generous reader of the path would find another API, or one where we find none. */
export let isDoubtful: bool = false;

const SLASH: u8 = 0x2f;

/** The API at a host and judged path, or NONE: of the most specific host that has a prefix of the path, and there of the longest. */
export function matchApi(mounts: Mounts, name: View, path: View): i32 {
  isDoubtful = false;
  let host: Host | null = mounts.hostOf(name);
  hostIsServed = host != null;
  while (host != null) {
    matchBelow(mounts, host.root, path);
    if (exactMount != NONE) {
      const api = mounts.rows.at(exactMount).api;
      // A prefix as long in other case is another API by its author's will.
      if (isDoubtful && (looseApi == api || looseLength <= coveredBytes)) isDoubtful = false;
      return api;
    }
    host = host.wider;
  }
  return NONE;
}

/** The longest prefix so far that covers the path as it is written. */
let exactMount: i32 = NONE;
/** Some prefix covers the path only for a more generous reader. */
let hasLoose: bool = false;
/** Such prefixes are what is wanted now. */
let isNoting: bool = false;

/** Looks for the exact prefix first: which of the loose ones count depends on it. They are as rare as odd paths. */
function matchBelow(mounts: Mounts, root: Node, path: View): void {
  // The root's own prefix is "/", which covers everything.
  exactMount = root.mount;
  coveredBytes = 0;
  const first = mounts.trie.branch(root, path, 0);
  if (first == null) return;
  hasLoose = false;
  descendAll(mounts, first, path, 0, Cover.Exact);
  if (!hasLoose) return;
  isNoting = true;
  descendAll(mounts, first, path, 0, Cover.Exact);
  isNoting = false;
}

/** Goes down from a node and from those that are alike, which are few or none; so the recursion is as deep as the trie at most. */
function descendAll(mounts: Mounts, first: Node, path: View, at: i32, passed: Cover): void {
  let other: Node | null = first.alike;
  while (other != null) {
    descend(mounts, other, path, at, passed);
    other = other.alike;
  }
  descend(mounts, first, path, at, passed);
}

/** Holds the path, which has a slash at `at`, against a node's run, and goes on below it. */
function descend(mounts: Mounts, node: Node, path: View, at: i32, passed: Cover): void {
  while (true) {
    passed = follow(path, at, node.run, passed);
    if (passed == Cover.None) return;
    at = reached;
    if (node.mount != NONE) arrive(mounts, node.mount, endCover(path, at, passed));
    if (node.child == null || at == lengthOf(path)) return;
    if (byteAt(path, at) != SLASH) {
      at = skipParameters(path, at);
      if (at == reached || at == lengthOf(path)) return;
      if (passed == Cover.Exact) passed = Cover.WithoutParameters;
    }
    const next = mounts.trie.branch(node, path, at);
    if (next == null) return;
    if (next.alike != null) return descendAll(mounts, next, path, at, passed);
    node = next;
  }
}

function arrive(mounts: Mounts, first: i32, found: Cover): void {
  if (found == Cover.Exact) {
    exactMount = first;
    coveredBytes = coveredLength;
  } else if (found != Cover.None) {
    hasLoose = true;
    if (isNoting) noteLoose(mounts, first);
  }
}

/** What a more generous reader would have found so far: the API, NONE when it is several, and the longest prefix. */
let looseApi: i32 = NONE;
let looseLength: i32 = 0;

/** Takes note of those mounts that count before the exact one. */
function noteLoose(mounts: Mounts, first: i32): void {
  for (let number = first; number != NONE; number = mounts.rows.at(number).next) {
    if (exactMount != NONE && !mounts.isBefore(number, exactMount)) return;
    const api = mounts.rows.at(number).api;
    looseApi = isDoubtful && looseApi != api ? NONE : api;
    looseLength = isDoubtful ? max(looseLength, coveredLength) : coveredLength;
    isDoubtful = true;
  }
}
