import { allocate } from "./arena";
import { View, view, pointerOf, lengthOf } from "./view";

const MAX_DIGITS: usize = 20;
/** Digits of a number, made from the last. */
const DIGITS: usize = memory.data(20, 4);

/**
 * Appends bytes to a text in the arena. One text at a time: `begin`, then writes, then `end`, which gives the text.
 * The buffer doubles when full, so no length has to be known before.
 */
let start: usize = 0;
let length: i32 = 0;
let capacity: i32 = 0;

export function begin(expectedBytes: i32 = 256): void {
  capacity = max(expectedBytes, 16);
  start = allocate(capacity);
  length = 0;
}

export function end(): View {
  return view(start, length);
}

function reserve(bytes: i32): usize {
  if (length + bytes > capacity) {
    const bigger = max(capacity * 2, length + bytes);
    const moved = allocate(bigger);
    memory.copy(moved, start, length);
    start = moved;
    capacity = bigger;
  }
  const pointer = start + length;
  length += bytes;
  return pointer;
}

export function writeByte(byte: u8): void {
  store<u8>(reserve(1), byte);
}

export function writeView(v: View): void {
  const bytes = lengthOf(v);
  memory.copy(reserve(bytes), pointerOf(v), bytes);
}

/** A decimal number; negative values get a sign. */
export function writeNumber(value: i64): void {
  if (value < 0) {
    writeByte(0x2d);
    value = -value;
  }
  let rest = <u64>value;
  let at = DIGITS + MAX_DIGITS;
  do {
    const tenth = rest / 10;
    store<u8>(--at, <u8>(0x30 + (rest - tenth * 10)));
    rest = tenth;
  } while (rest > 0);
  writeView(view(at, <i32>(DIGITS + MAX_DIGITS - at)));
}
