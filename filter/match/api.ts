import { NONE, Region, Rows, Slots } from "../bytes/rows";
import { ABSENT, View, byteAt, endsWith, equals, lengthOf, slice, spread } from "../bytes/view";
import { Cover, Node, Trie, coveredLength, endCover, follow, reached, skipParameters, withoutSlash } from "./trie";

/** One host and path prefix under which an API is found. */
@unmanaged
export class Mount {
  /** A host name; a suffix that begins with a dot (`.example.com`); or ABSENT for any host. */
  host: View;
  path: View;
  api: i32;
  /** The next mount with the same host and path, if the policy repeats one. */
  next: i32;
}

/** A host, or host suffix, that some mount has. */
@unmanaged
export class Host {
  name: View;
  /** The most specific of the hosts that cover this one; at the end of the chain, any host. */
  wider: Host | null;
  /** The root of its paths in the trie. */
  root: Node;
}

const DOT: u8 = 0x2e;

/** Where the APIs of a policy are found: hosts by name, from the most specific to the widest, each with a trie of paths. */
export class Mounts {
  readonly rows: Rows<Mount> = new Rows<Mount>();
  readonly trie: Trie = new Trie();
  private readonly room: Region = new Region();
  private base: usize = 0;
  private hostCount: i32 = 0;
  private readonly names: Slots = new Slots();
  private anyHost: Host | null = null;
  /** Hash of the whole name that `widerThan` looked at last. */
  private hash: u32 = 0;

  add(host: View, path: View, api: i32): void {
    const mount = this.rows.add();
    mount.host = host;
    mount.path = path;
    mount.api = api;
    mount.next = NONE;
  }

  /** To be called once all mounts are added, before the first lookup. */
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

  /** The most specific host that covers `name`, or null. Its `wider` chain has all others that do. */
  hostOf(name: View): Host | null {
    if (this.hostCount == 1) return covers(this.hostAt(0).name, name) ? this.hostAt(0) : null;
    const wider = this.widerThan(name);
    const exact = this.find(name);
    return exact == null ? wider : exact;
  }

  /** True when mount `a` takes precedence over mount `b` of the same host: the longer path, then the earlier one. */
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

  /** The host with this name, created if there is none. */
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

  /** The host with the longest proper suffix of the name that begins with a dot, or any host. Sets `hash` (FNV-1a) for `find`. */
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

  /** The host with exactly this name, whose hash is in `hash`; or null. */
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

/** Bytes of the normalised path that the matched API's prefix covers. */
export let coveredBytes: i32 = 0;
/** True when some API names the host, or any host. */
export let hostIsServed: bool = false;
/** True when a more lenient server would read the path as another API's, or as an API's where it matches none here. */
export let isAmbiguous: bool = false;

const SLASH: u8 = 0x2f;

/** The API at a host and normalised path, or NONE: the longest prefix at the most specific host that has one for the path. */
export function matchApi(mounts: Mounts, name: View, path: View): i32 {
  isAmbiguous = false;
  let host: Host | null = mounts.hostOf(name);
  hostIsServed = host != null;
  while (host != null) {
    matchBelow(mounts, host.root, path);
    if (exactMount != NONE) {
      const api = mounts.rows.at(exactMount).api;
      // A prefix of the same length that differs only in case is another API on purpose.
      if (isAmbiguous && (looseApi == api || looseLength <= coveredBytes)) isAmbiguous = false;
      return api;
    }
    host = host.wider;
  }
  return NONE;
}

/** The longest prefix so far that covers the path exactly as it is written. */
let exactMount: i32 = NONE;
/** True when some prefix covers the path only for a more lenient server. */
let hasLoose: bool = false;
/** True during the second pass, which collects those prefixes. */
let isNoting: bool = false;

/** Finds the exact prefix first, because it decides which loose ones matter; a second pass is as rare as such paths are. */
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

/** Descends from a node and from its siblings with the same key, of which there are few or none. Recursion is as deep as the trie. */
function descendAll(mounts: Mounts, first: Node, path: View, at: i32, passed: Cover): void {
  let other: Node | null = first.sameKey;
  while (other != null) {
    descend(mounts, other, path, at, passed);
    other = other.sameKey;
  }
  descend(mounts, first, path, at, passed);
}

/** Compares the path, from the slash at `at`, with a node's run, and goes on below the node. */
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
    if (next.sameKey != null) return descendAll(mounts, next, path, at, passed);
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

/** What a more lenient server would have found so far: the API (NONE for several) and the longest prefix. */
let looseApi: i32 = NONE;
let looseLength: i32 = 0;

/** Notes those mounts that would take precedence over the exact one. */
function noteLoose(mounts: Mounts, first: i32): void {
  for (let number = first; number != NONE; number = mounts.rows.at(number).next) {
    if (exactMount != NONE && !mounts.isBefore(number, exactMount)) return;
    const api = mounts.rows.at(number).api;
    looseApi = isAmbiguous && looseApi != api ? NONE : api;
    looseLength = isAmbiguous ? max(looseLength, coveredLength) : coveredLength;
    isAmbiguous = true;
  }
}
