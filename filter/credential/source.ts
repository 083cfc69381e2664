import { allocate } from "../bytes/arena";
import { ABSENT, View, byteAt, hexDigit, indexOf, lengthOf, literal, slice, view } from "../bytes/view";

export const COOKIE = literal("cookie");

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
