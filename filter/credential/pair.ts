import { View, ABSENT, indexOf, lengthOf, slice } from "../bytes/view";

/** `name=value` pairs of a query (`&`) or a cookie header (`;`), one after the other. */
export let pairName: View = ABSENT;
export let pairValue: View = ABSENT;
/** The whole pair as it stands, without its separator. */
export let pair: View = ABSENT;

/** Reads the pair at `from`; gives where the next one begins, or -1 when there is none at `from`. */
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
