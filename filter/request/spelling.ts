import { View, ONES, lengthOf, pointerOf } from "../bytes/view";

/** What differs between `-` (0x2d) and `_` (0x5f), and between no other two characters of header names in lower case. */
const DIFFERENCE: u64 = 0x72;
const LOWEST_BIT_OF_DIFFERENCE = 1;

/** True when two header names in lower case are the same but for `-` and `_`. */
export function isSpelling(a: View, b: View): bool {
  const length = lengthOf(a);
  if (length != lengthOf(b)) return false;
  const from = pointerOf(a);
  const to = pointerOf(b);
  if (length < 8) {
    for (let i = 0; i < length; i++) {
      if (!areHyphens(<u64>(load<u8>(from + i) ^ load<u8>(to + i)))) return false;
    }
    return true;
  }
  // Eight bytes at a time; the last eight may overlap those before.
  const last = <usize>length - 8;
  for (let i: usize = 0; i < last; i += 8) {
    if (!areHyphens(load<u64>(from + i) ^ load<u64>(to + i))) return false;
  }
  return areHyphens(load<u64>(from + last) ^ load<u64>(to + last));
}

/** True when every byte of the xor is 0 or `DIFFERENCE`. */
// @ts-ignore: decorator
@inline
function areHyphens(xor: u64): bool {
  return xor == 0 || xor == ((xor >> LOWEST_BIT_OF_DIFFERENCE) & ONES) * DIFFERENCE;
}
