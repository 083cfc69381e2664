import { allocate } from "../bytes/arena";
import { View, ABSENT, view, pointerOf, lengthOf, byteAt, lowerCase } from "../bytes/view";
import { hexDigit } from "../bytes/hex";

/**
 * What a path means, in the form that policies are written in: no `.` and `..`, no empty segments, no escapes for
 * characters that need none (RFC 3986, 6.2.2). An upstream may read a path more generously than we do, so everything that
 * is known to be read in two ways is refused: escaped slashes, backslashes and NULs, `..;x`, `/;x/`, control characters.
 */
const PERCENT: u8 = 0x25;
const SLASH: u8 = 0x2f;
const DOT: u8 = 0x2e;
const SEMICOLON: u8 = 0x3b;

/** The normalised path, or ABSENT for one that is refused. Its bytes are `path` itself when nothing changes. */
export function normalisePath(path: View): View {
  if (lengthOf(path) == 0 || byteAt(path, 0) != SLASH) return ABSENT;
  if (isPlain(path)) return path;
  const decoded = unescape(path);
  return decoded == ABSENT ? ABSENT : resolve(decoded);
}

/** True when no byte calls for a closer look: no escape, no `//`, `/.`, `;`, and only printable ASCII. */
function isPlain(path: View): bool {
  let previous: u8 = 0;
  for (let i = 0, n = lengthOf(path); i < n; i++) {
    const byte = byteAt(path, i);
    // Letters first: they are most of any path.
    if (<u32>(byte | 0x20) - 0x61 >= 26) {
      if (byte <= 0x20 || byte >= 0x7f || byte == PERCENT || byte == 0x5c || byte == 0x23 || byte == SEMICOLON) return false;
      if (previous == SLASH && (byte == SLASH || byte == DOT)) return false;
    }
    previous = byte;
  }
  return true;
}

/** Decodes escapes of characters that need none, writes the others with upper-case digits; ABSENT for what is refused. */
function unescape(path: View): View {
  const length = lengthOf(path);
  const start = allocate(length);
  let to = start;
  for (let i = 0; i < length; i++) {
    const byte = byteAt(path, i);
    if (byte <= 0x20 || byte == 0x7f || byte == 0x5c || byte == 0x23) return ABSENT;
    if (byte != PERCENT) {
      store<u8>(to++, byte);
      continue;
    }
    if (i + 2 >= length) return ABSENT;
    const high = hexDigit(byteAt(path, i + 1));
    const low = hexDigit(byteAt(path, i + 2));
    if (high < 0 || low < 0) return ABSENT;
    const code = <u8>(high << 4 | low);
    if (code < 0x20 || code == SLASH || code == 0x5c || code == 0x7f) return ABSENT;
    if (isPathCharacter(code)) store<u8>(to++, code);
    else {
      store<u8>(to, PERCENT);
      store<u8>(to, upperHex(high), 1);
      store<u8>(to, upperHex(low), 2);
      to += 3;
    }
    i += 2;
  }
  return view(start, <i32>(to - start));
}

/** Removes dot segments and empty segments in place; a trailing slash stays. */
function resolve(path: View): View {
  const start = pointerOf(path);
  const end = start + lengthOf(path);
  let to = start;
  let at = start;
  while (at < end) {
    while (at < end && load<u8>(at) == SLASH) at++;
    const segment = at;
    while (at < end && load<u8>(at) != SLASH) at++;
    // Nothing but path parameters: a servlet container drops the segment, others keep it.
    if (segment < at && load<u8>(segment) == SEMICOLON) return ABSENT;
    const dots = leadingDots(segment, at);
    if (dots > 0 && dots <= 2 && segment + dots < at) return ABSENT;
    if (dots == 1 || segment == at) {
      if (at == end) store<u8>(to++, SLASH);
    } else if (dots == 2) {
      while (to > start && load<u8>(--to) != SLASH) {}
      if (at == end) store<u8>(to++, SLASH);
    } else {
      store<u8>(to++, SLASH);
      memory.copy(to, segment, at - segment);
      to += at - segment;
    }
  }
  return view(start, <i32>(to - start));
}

/** Number of dots when the segment is dots alone, or dots and a path parameter (`..;x`); otherwise 0. */
function leadingDots(segment: usize, end: usize): i32 {
  let at = segment;
  while (at < end && load<u8>(at) == DOT) at++;
  return at == end || load<u8>(at) == SEMICOLON ? <i32>(at - segment) : 0;
}

/**
 * Characters that mean the same in a path segment with and without an escape: RFC 3986 pchar, `;` aside. Policies are written
 * in these alone, so that no prefix of theirs has a second spelling.
 */
export function isPathCharacter(byte: u8): bool {
  if (lowerCase(byte) - 0x61 < 26 || byte - 0x30 < 10) return true;
  switch (byte) {
    case 0x21: case 0x24: case 0x26: case 0x27: case 0x28: case 0x29: case 0x2a: case 0x2b: case 0x2c: case 0x2d: case 0x2e:
    case 0x3a: case 0x3d: case 0x40: case 0x5f: case 0x7e: return true;
  }
  return false;
}

function upperHex(digit: i32): u8 {
  return <u8>(digit < 10 ? 0x30 + digit : 0x37 + digit);
}

/**
 * Length of the part of `path` that `prefix` covers, segment by segment, or -1. Path parameters (`;a=b`) are looked
 * through, as servlet containers do: `/v1;a=b/pets` lies under `/v1`.
 */
export function coveredLength(path: View, prefix: View): i32 {
  let length = lengthOf(prefix);
  // A prefix means the same with and without a slash at its end; "/" covers everything.
  if (byteAt(prefix, length - 1) == SLASH) length--;
  const total = lengthOf(path);
  let at = 0;
  for (let i = 0; i < length; i++) {
    const byte = byteAt(prefix, i);
    if (byte == SLASH) at = skipParameters(path, at);
    if (at >= total || byteAt(path, at) != byte) return -1;
    at++;
  }
  const after = skipParameters(path, at);
  return after == total || byteAt(path, after) == SLASH ? after : -1;
}

function skipParameters(path: View, at: i32): i32 {
  const total = lengthOf(path);
  if (at < total && byteAt(path, at) == SEMICOLON) {
    while (at < total && byteAt(path, at) != SLASH) at++;
  }
  return at;
}
