import { View, ABSENT, indexOf, lengthOf, slice } from "../bytes/view";

/**
 * A header that came on several lines may come as one value: proxies join lines with commas, and Envoy does so with headers
 * that it knows. A comma in quotes separates as well: a quote may be opened on one line and closed on another.
 */
export const COMMA: u8 = 0x2c;

/** The part between two commas, with the blanks around it. */
export let member: View = ABSENT;

/** Reads the member at `from`; gives where the next one begins, or -1 when there is none at `from`. */
export function nextMember(list: View, from: i32): i32 {
  const length = lengthOf(list);
  if (from > length) return -1;
  let end = indexOf(list, COMMA, from);
  if (end < 0) end = length;
  member = slice(list, from, end);
  return end + 1;
}
