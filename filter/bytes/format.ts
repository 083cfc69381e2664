import { View, lengthOf, pointerOf, slice } from "./view";
import { writeByte, writeNumber, writeView } from "./writer";

/** Of a name in a message; it may be anything. */
const MAX_SHOWN_BYTES = 64;
const PERCENT: u8 = 0x25;
const QUOTE: u8 = 0x22;

/**
 * Appends `pattern` to the text that is being written, with up to four values put in: `%d` a number, `%s` a text, `%q` a name
 * between quotes, of which only the beginning is shown.
 */
export function writeFormat(pattern: View, a: u64 = 0, b: u64 = 0, c: u64 = 0, d: u64 = 0): void {
  let value = 0;
  for (let i = 0, length = lengthOf(pattern); i < length; i++) {
    const byte = load<u8>(pointerOf(pattern) + i);
    if (byte != PERCENT) {
      writeByte(byte);
      continue;
    }
    const given = value == 0 ? a : value == 1 ? b : value == 2 ? c : d;
    value++;
    writeValue(load<u8>(pointerOf(pattern) + ++i), given);
  }
}

function writeValue(kind: u8, value: u64): void {
  if (kind == 0x64) writeNumber(<i64>value);
  else if (kind == 0x73) writeView(value);
  else {
    writeByte(QUOTE);
    writeShown(value);
    writeByte(QUOTE);
  }
}

/** The beginning of a name, with a sign that it goes on. */
export function writeShown(name: View): void {
  writeView(slice(name, 0, min(lengthOf(name), MAX_SHOWN_BYTES)));
  if (lengthOf(name) <= MAX_SHOWN_BYTES) return;
  writeByte(0xe2);
  writeByte(0x80);
  writeByte(0xa6);
}
