import { allocate } from "../bytes/arena";
import { ABSENT, View, byteAt, lengthOf, pointerOf, view } from "../bytes/view";
import { decodeData, leadingDots, readPathAs } from "./request";

/**
 * Paths of APIs in which `%2F` is data, or an empty segment is one of its own. Where a path has such data, it has no dot segments, not
 * between two escaped slashes either: whoever takes the data for slashes must not leave the place that was judged. The two forms have the
 * same segments as each other, as in the usual reading:
 *
 *   sent                    normalised              forwarded
 *   /v1/a%2fb//%63          /v1/a%2Fb//c            /v1/a%2fb//%63
 */
const SLASH: u8 = 0x2f;
const PERCENT: u8 = 0x25;
const SEMICOLON: u8 = 0x3b;
/** `2F`, as a number. */
const SLASH_DIGITS: u16 = 0x4632;
const ESCAPE_BYTES = 3;

/** What is data in the paths of an API: a bit for each, in the order of the contract's PATH_DATA. */
export const ESCAPED_SLASHES: u32 = 1;
export const EMPTY_SEGMENTS: u32 = 2;

/**
 * Reads the path again, with what is data in it; without EMPTY_SEGMENTS, slashes are merged. False, and no path, for one that is refused.
 */
export function readPathData(raw: View, data: u32): bool {
  readPathAs(ABSENT, ABSENT);
  const from = pointerOf(raw);
  const end = from + lengthOf(raw);
  if (from == end || load<u8>(from) != SLASH) return false;
  const normalised = allocate(lengthOf(raw));
  const forwarded = allocate(lengthOf(raw));
  let normalisedEnd = normalised;
  let forwardedEnd = forwarded;
  for (let at = from; at < end;) {
    const segment = ++at;
    while (at < end && load<u8>(at) != SLASH) at++;
    const isLast = at == end;
    if (segment == at) {
      // The first one could be read as the beginning of a host.
      if (segment == from + 1 && !isLast) return false;
      if (!isLast && (data & EMPTY_SEGMENTS) == 0) continue;
      store<u8>(normalisedEnd++, SLASH);
      store<u8>(forwardedEnd++, SLASH);
      continue;
    }
    store<u8>(normalisedEnd, SLASH);
    const decodedEnd = decodeData(segment, at, normalisedEnd + 1, (data & ESCAPED_SLASHES) != 0);
    if (decodedEnd == 0 || !isPlain(normalisedEnd + 1, decodedEnd)) return false;
    if (normalisedEnd == normalised && isEscapedSlash(normalised + 1, decodedEnd)) return false;
    normalisedEnd = decodedEnd;
    store<u8>(forwardedEnd, SLASH);
    memory.copy(forwardedEnd + 1, segment, at - segment);
    forwardedEnd += 1 + at - segment;
  }
  readPathAs(view(normalised, <i32>(normalisedEnd - normalised)), view(forwarded, <i32>(forwardedEnd - forwarded)));
  return true;
}

/** True when none of what stands between escaped slashes is dots, or path parameters alone. */
function isPlain(segment: usize, end: usize): bool {
  for (let from = segment; from < end;) {
    let at = from;
    while (at < end && !isEscapedSlash(at, end)) at++;
    if (at > from) {
      const dots = leadingDots(from, at);
      if (dots == 1 || dots == 2 || load<u8>(from) == SEMICOLON) return false;
    }
    from = at + ESCAPE_BYTES;
  }
  return true;
}

/** True for `%2F`, as the normalised form has it. */
function isEscapedSlash(at: usize, end: usize): bool {
  return at + ESCAPE_BYTES <= end && load<u8>(at) == PERCENT && load<u16>(at, 1) == SLASH_DIGITS;
}

/** True for a path with an empty segment; a slash at its end makes none. */
export function hasEmptySegment(path: View): bool {
  for (let i = 1, n = lengthOf(path); i < n; i++) {
    if (byteAt(path, i) == SLASH && byteAt(path, i - 1) == SLASH) return true;
  }
  return false;
}

/** The normalised path as a server has it that merges slashes; and with `decodes`, that takes `%2F` for one. */
export function mergedPath(path: View, decodes: bool): View {
  const start = allocate(lengthOf(path));
  let to = start;
  for (let at = pointerOf(path), end = at + lengthOf(path); at < end; at++) {
    let byte = load<u8>(at);
    if (decodes && isEscapedSlash(at, end)) {
      byte = SLASH;
      at += ESCAPE_BYTES - 1;
    }
    if (byte == SLASH && to > start && load<u8>(to - 1) == SLASH) continue;
    store<u8>(to++, byte);
  }
  return view(start, <i32>(to - start));
}
