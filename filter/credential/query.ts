import { allocate } from "../bytes/arena";
import { View, view, byteAt, indexOf, lengthOf } from "../bytes/view";
import { hexDigit } from "../bytes/hex";

/** A query component with its escapes decoded (`+` stays: keys hold no blanks); a broken escape stays as it is. */
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
