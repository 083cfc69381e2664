import { begin, end, writeByte, writeNumber } from "../bytes/arena";
import { View } from "../bytes/view";

/*
 * What a response shows beside its quotas is kept as the number of a lifecycle, or NONE. That a key ends soon is one bit of this number more,
 * so that responses that show nothing of the kind have nothing more to look at.
 */
const BIT = 30;

/** The number of a lifecycle, or NONE, with the bit turned round. */
export function turnKeyEnd(lifecycle: i32): i32 {
  return lifecycle ^ (1 << BIT);
}

/** True for a number with the bit. In all others it is as the sign, because there are fewer lifecycles than that. */
export function tellsKeyEnd(lifecycle: i32): bool {
  return (((lifecycle >> BIT) ^ (lifecycle >> 31)) & 1) != 0;
}

/** A date of RFC 9651: `@1798761600`. */
export function dateText(seconds: i64): View {
  begin(24);
  writeByte(0x40);
  writeNumber(seconds);
  return end();
}
