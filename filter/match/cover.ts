import { View, byteAt, lengthOf, lowerCase, pointerOf, slice } from "../bytes/view";

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
