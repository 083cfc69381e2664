import { allocate } from "../bytes/arena";
import {
  ABSENT,
  View,
  byteAt,
  equalsLower,
  hexDigit,
  indexOf,
  isTokenByte,
  lengthOf,
  literal,
  slice,
  trim,
  view,
} from "../bytes/view";

/** `Authorization` may hold credentials of several schemes, on separate lines or joined with commas. */
export const AUTHORIZATION = literal("authorization");

/** More than clients send: the longest lists are the comma-separated parameters of one Digest or signature. */
export const MAX_CREDENTIALS = 64;

/**
 * Reads `Bearer KEY`: the scheme in any case, spaces, the key. Returns what follows the scheme's name, which may be empty; ABSENT
 * for credentials of another scheme. Some servers treat other characters as spaces, so any character that cannot be part of a
 * scheme's name ends it.
 */
export function credentialsOf(credentials: View, scheme: View): View {
  const total = lengthOf(credentials);
  let start = 0;
  while (start < total && !isTokenByte(byteAt(credentials, start))) start++;
  const after = start + lengthOf(scheme);
  if (after > total || !equalsLower(slice(credentials, start, after), scheme)) return ABSENT;
  if (after < total && isTokenByte(byteAt(credentials, after))) return ABSENT;
  return trim(slice(credentials, after, total));
}

/** The `name=value` pair of a query (`&`) or cookie header (`;`) that `nextPair` read. */
export let pairName: View = ABSENT;
export let pairValue: View = ABSENT;
/** The whole pair as it is written, without its separator. */
export let pair: View = ABSENT;

/** Reads the pair at `from`; returns where the next one begins, or -1 when there is none at `from`. */
export function nextPair(list: View, from: i32, separator: u8): i32 {
  const length = lengthOf(list);
  if (from > length || (from == length && from > 0) || length == 0) return -1;
  let end = indexOf(list, separator, from);
  if (end < 0) end = length;
  pair = slice(list, from, end);
  const equal = indexOf(pair, 0x3d);
  pairName = equal < 0 ? pair : slice(pair, 0, equal);
  pairValue = equal < 0 ? slice(pair, lengthOf(pair), lengthOf(pair)) : slice(pair, equal + 1, lengthOf(pair));
  return end + 1;
}

/** A query component with its escapes decoded. `+` stays, because keys have no spaces; so does an invalid escape. */
export function decodeComponent(text: View): View {
  if (indexOf(text, 0x25) < 0) return text;
  const length = lengthOf(text);
  const start = allocate(length);
  let to = start;
  for (let i = 0; i < length; i++) {
    let byte = byteAt(text, i);
    if (byte == 0x25 && i + 2 < length) {
      const high = hexDigit(byteAt(text, i + 1));
      const low = hexDigit(byteAt(text, i + 2));
      if (high >= 0 && low >= 0) {
        byte = <u8>((high << 4) | low);
        i += 2;
      }
    }
    store<u8>(to++, byte);
  }
  return view(start, <i32>(to - start));
}
