import { NONE } from "../bytes/rows";
import { View, byteAt, lengthOf } from "../bytes/view";
import { Cover, coveredLength, endCover, follow, reached, skipParameters } from "./cover";
import { Host, Mounts } from "./mounts";
import { Node } from "./trie";

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
