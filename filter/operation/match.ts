import { NONE } from "../bytes/rows";
import { View, byteAt, lengthOf, lowerCase } from "../bytes/view";
import { MAX_SEGMENTS } from "../config/contract";
import { isEscapedDelimiter } from "../match/trie";
import { OperationTree, Segment, SegmentKind, segmentHash } from "./tree";

/** Where a segment of the path begins and ends, where it ends for a lenient server, and its hash. */
@unmanaged
class Part {
  start: i32;
  end: i32;
  /** Before path parameters, and before an escaped `?` or `#`. */
  bareEnd: i32;
  hash: u32;
}

/** One more than a template can have: then only the rest of a path can match. */
const PARTS: usize = memory.data((MAX_SEGMENTS + 1) * offsetof<Part>(), 4);

let path: View = 0;
let partCount: i32 = 0;
/** The part, counted from 1, in which the path ends for a server that decodes it and parses it again; 0 for none. */
let barePartCount: i32 = 0;
/** True once a more lenient server might have gone another way: only then is the second look worth it. */
let mayDiffer: bool = false;
/** True during the second look, which reads the path as a lenient server would. */
let isLenient: bool = false;

/** True when a more lenient server would find another node: one that ignores case or path parameters, or decodes the path twice. */
export let isAmbiguous: bool = false;

/**
 * The node of the template that matches the path after its first `covered` bytes, or NONE. Literals go before variables, segment by
 * segment; a slash at the end makes no difference. Takes as many steps as the path has bytes, and tries as many nodes as
 * `OperationTree.measure` says, at most twice.
 */
// @ts-ignore: decorator
@inline
export function matchTemplate(tree: OperationTree, root: i32, normalised: View, covered: i32): i32 {
  split(normalised, covered);
  isAmbiguous = false;
  isLenient = false;
  const found = descend(tree, root, 0);
  if (!mayDiffer) return found;
  isLenient = true;
  cut();
  isAmbiguous = descend(tree, root, 0) != found;
  return found;
}

/** Ends the path at its first escaped `?` or `#`. */
function cut(): void {
  if (barePartCount == 0) return;
  const last = partAt(barePartCount - 1);
  last.end = last.bareEnd;
  partCount = last.end == last.start ? barePartCount - 1 : barePartCount;
}

// @ts-ignore: decorator
@inline
function split(normalised: View, covered: i32): void {
  path = normalised;
  partCount = 0;
  barePartCount = 0;
  mayDiffer = false;
  const length = lengthOf(path);
  let at = covered + 1;
  while (at < length && partCount <= MAX_SEGMENTS) {
    const part = partAt(partCount++);
    part.start = at;
    part.hash = segmentHash(path, at);
    while (at < length && isPlain(at)) at++;
    part.bareEnd = at;
    while (at < length && byteAt(path, at) != SLASH) at++;
    part.end = at++;
    if (part.bareEnd == part.end) continue;
    mayDiffer = true;
    if (barePartCount == 0 && byteAt(path, part.bareEnd) == PERCENT) barePartCount = partCount;
  }
}

const SLASH: u8 = 0x2f;
const PERCENT: u8 = 0x25;
const SEMICOLON: u8 = 0x3b;

/** True where a lenient server still reads the segment. */
// @ts-ignore: decorator
@inline
function isPlain(at: i32): bool {
  const byte = byteAt(path, at);
  return byte != SLASH && byte != SEMICOLON && (byte != PERCENT || !isEscapedDelimiter(path, at));
}

// @ts-ignore: decorator
@inline
function partAt(index: i32): Part {
  return changetype<Part>(PARTS + <usize>index * offsetof<Part>());
}

/** The node at which the path ends that goes on below `number` with the part `index`, or NONE. Recursion is as deep as the tree. */
function descend(tree: OperationTree, number: i32, index: i32): i32 {
  const node = tree.at(number);
  if (index == partCount) return node.operation == NONE ? NONE : number;
  const part = partAt(index);
  const first = tree.literal(number, part.hash);
  for (let next = first; next != NONE; next = tree.at(next).sameKey) {
    if (!isExactly(tree.at(next).text, part)) continue;
    const found = descend(tree, next, index + 1);
    if (found != NONE) return found;
  }
  for (let next = first; next != NONE; next = tree.at(next).sameKey) {
    const text = tree.at(next).text;
    if (isExactly(text, part) || !isLoosely(text, part)) continue;
    mayDiffer = true;
    if (!isLenient) continue;
    const found = descend(tree, next, index + 1);
    if (found != NONE) return found;
  }
  for (let next = node.variable; next != NONE; next = tree.at(next).sibling) {
    const other = tree.at(next);
    if (other.kind == SegmentKind.Rest) return next;
    if (!fits(other, part)) continue;
    const found = descend(tree, next, index + 1);
    if (found != NONE) return found;
  }
  return NONE;
}

function isExactly(text: View, part: Part): bool {
  return part.end - part.start == lengthOf(text) && isSame(text, part.start, true);
}

function isLoosely(text: View, part: Part): bool {
  return part.bareEnd - part.start == lengthOf(text) && isSame(text, part.start, false);
}

/** True when the text stands in the path at `start`, in whatever case unless `isExact`. */
function isSame(text: View, start: i32, isExact: bool): bool {
  for (let i = 0, n = lengthOf(text); i < n; i++) {
    const here = byteAt(text, i);
    const there = byteAt(path, start + i);
    if (here != there && (isExact || lowerCase(here) != lowerCase(there))) return false;
  }
  return true;
}

/** True when a variable with text around it takes the segment; the variable itself is never empty. */
function fits(node: Segment, part: Part): bool {
  const before = lengthOf(node.text);
  const after = lengthOf(node.suffix);
  if (before + after == 0) return true;
  if (part.end - part.start > before + after) {
    if (isSame(node.text, part.start, true) && isSame(node.suffix, part.end - after, true)) return true;
  }
  if (part.bareEnd - part.start <= before + after) return false;
  if (!isSame(node.text, part.start, false) || !isSame(node.suffix, part.bareEnd - after, false)) return false;
  mayDiffer = true;
  return isLenient;
}
