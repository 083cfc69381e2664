import { View, byteAt, lengthOf, lowerCase } from "../bytes/view";

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

/** Bytes of the path that the prefix covered, its parameters included; always whole segments. */
export let coveredLength: i32 = 0;

/** Holds a judged path against a prefix, segment by segment. */
export function cover(path: View, prefix: View): Cover {
  let length = lengthOf(prefix);
  // A prefix means the same with and without a slash at its end; "/" covers everything.
  if (byteAt(prefix, length - 1) == SLASH) length--;
  const total = lengthOf(path);
  let result = Cover.Exact;
  let at = 0;
  for (let i = 0; i < length; i++) {
    const byte = byteAt(prefix, i);
    if (at < total && byteAt(path, at) == byte) {
      at++;
      continue;
    }
    if (byte == SLASH) {
      const after = skipParameters(path, at);
      if (after == at || after == total) return Cover.None;
      if (result == Cover.Exact) result = Cover.WithoutParameters;
      at = after + 1;
    } else {
      if (at == total || lowerCase(byteAt(path, at)) != lowerCase(byte)) return Cover.None;
      result = Cover.Loose;
      at++;
    }
  }
  return ends(path, at, result);
}

/** What becomes of a match up to `at`: a segment must end there. */
function ends(path: View, at: i32, result: Cover): Cover {
  const total = lengthOf(path);
  coveredLength = at;
  if (at == total || byteAt(path, at) == SLASH) return result;
  coveredLength = skipParameters(path, at);
  if (coveredLength > at) return result == Cover.Exact ? Cover.WithoutParameters : result;
  if (!isEscapedDelimiter(path, at)) return Cover.None;
  coveredLength = total;
  return Cover.Loose;
}

function skipParameters(path: View, at: i32): i32 {
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
