import { View, lengthOf, pointerOf, slice, view } from "./view";

/**
 * Scratch memory of one callback: bytes that the host returns, and strings built for it. Allocation bumps a pointer;
 * `resetArena` at the start of a callback frees everything at once. What does not fit gets its own block from the heap, which the
 * same reset frees.
 */
const ARENA_BYTES: usize = 64 * 1024;

const base: usize = heap.alloc(ARENA_BYTES);
let next: usize = base;
/** Newest oversize block; its first 8 bytes point to the one before. */
let oversize: usize = 0;

/** Uninitialised memory of at least `bytes`, aligned to 8, valid until the next reset. */
export function allocate(bytes: usize): usize {
  const size = (bytes + 7) & ~7;
  if (size <= base + ARENA_BYTES - next) {
    const pointer = next;
    next += size;
    return pointer;
  }
  const block = allocateHigh(size + 8);
  store<usize>(block, oversize);
  oversize = block;
  return block + 8;
}

export function resetArena(): void {
  next = base;
  while (oversize != 0) {
    const previous = load<usize>(oversize);
    heap.free(oversize);
    oversize = previous;
  }
}

/**
 * A block for a large, short-lived value such as a plugin config: at the end of memory, so that what is built from the value lies
 * below it and no hole stays when it is freed.
 */
function allocateHigh(bytes: usize): usize {
  // The module's own heap has this function; the heap that unit tests run on does not.
  // @ts-ignore: builtin
  return isDefined(__alloc_high) ? __alloc_high(bytes) : heap.alloc(bytes);
}

const MAX_DIGITS: usize = 20;
/** Digits of a number, written from the last to the first. */
const DIGITS: usize = memory.data(20, 4);

/**
 * Builds a string in the arena, one at a time: `begin`, then writes, then `end`, which returns it. The buffer doubles when full, so
 * the length need not be known in advance.
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

/** Both, at the price of one. */
export function writeViews(a: View, b: View): void {
  const first = lengthOf(a);
  const second = lengthOf(b);
  const to = reserve(first + second);
  memory.copy(to, pointerOf(a), first);
  memory.copy(to + first, pointerOf(b), second);
}

/** A decimal number; negative values get a sign. */
export function writeNumber(value: i64): void {
  if (value < 0) {
    writeByte(0x2d);
    value = -value;
  }
  writeView(digitsOf(value));
}

/** A string and a number that is not negative, at the price of one. */
export function writeCount(before: View, value: i64): void {
  writeViews(before, digitsOf(value));
}

/** Valid until the next number. */
function digitsOf(value: i64): View {
  let rest = <u64>value;
  let at = DIGITS + MAX_DIGITS;
  do {
    const tenth = rest / 10;
    store<u8>(--at, <u8>(0x30 + (rest - tenth * 10)));
    rest = tenth;
  } while (rest > 0);
  return view(at, <i32>(DIGITS + MAX_DIGITS - at));
}

/** How much of a name a message shows; the name comes from outside and may be long. */
const MAX_SHOWN_BYTES = 64;
const PERCENT: u8 = 0x25;
const QUOTE: u8 = 0x22;

/**
 * Appends `pattern` to the string that is being built, with up to four values inserted: `%d` a number, `%s` a string, `%q` a quoted
 * name, shortened if it is long.
 */
export function writeFormat(pattern: View, a: u64 = 0, b: u64 = 0, c: u64 = 0, d: u64 = 0): void {
  let value = 0;
  for (let i = 0, n = lengthOf(pattern); i < n; i++) {
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

/** A name, cut off with an ellipsis if it is long. */
export function writeShown(name: View): void {
  writeView(slice(name, 0, min(lengthOf(name), MAX_SHOWN_BYTES)));
  if (lengthOf(name) <= MAX_SHOWN_BYTES) return;
  writeByte(0xe2);
  writeByte(0x80);
  writeByte(0xa6);
}
