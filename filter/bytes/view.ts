/**
 * Bytes that are owned elsewhere: the pointer in the low 32 bits, the length in the high 32. A plain u64, so that passing one
 * around allocates nothing. `ABSENT` means no value; a pointer with length 0 is an empty value.
 */
export type View = u64;

export const ABSENT: View = 0;

// @ts-ignore: decorator
@inline
export function view(pointer: usize, length: i32): View {
  return ((<u64>(<u32>length)) << 32) | (<u64>pointer);
}

// @ts-ignore: decorator
@inline
export function pointerOf(v: View): usize {
  return <usize>(<u32>v);
}

// @ts-ignore: decorator
@inline
export function lengthOf(v: View): i32 {
  return <i32>(v >> 32);
}

/** The byte at `index`; the caller has checked that `index` lies inside. */
// @ts-ignore: decorator
@inline
export function byteAt(v: View, index: i32): u8 {
  return load<u8>(pointerOf(v) + index);
}

/** Bytes from `start` up to `end`; both inside the view. */
// @ts-ignore: decorator
@inline
export function slice(v: View, start: i32, end: i32): View {
  return view(pointerOf(v) + start, end - start);
}

export function equals(a: View, b: View): bool {
  const length = lengthOf(a);
  return length == lengthOf(b) && sameBytes(pointerOf(a), pointerOf(b), length);
}

/** Compares eight bytes at a time; the last eight may overlap those before. */
function sameBytes(a: usize, b: usize, length: i32): bool {
  if (length < 8) {
    for (let i = 0; i < length; i++) {
      if (load<u8>(a + i) != load<u8>(b + i)) return false;
    }
    return true;
  }
  const last = <usize>length - 8;
  for (let i: usize = 0; i < last; i += 8) {
    if (load<u64>(a + i) != load<u64>(b + i)) return false;
  }
  return load<u64>(a + last) == load<u64>(b + last);
}

export function startsWith(v: View, prefix: View): bool {
  const length = lengthOf(prefix);
  return lengthOf(v) >= length && sameBytes(pointerOf(v), pointerOf(prefix), length);
}

export function endsWith(v: View, suffix: View): bool {
  const length = lengthOf(suffix);
  const offset = lengthOf(v) - length;
  return offset >= 0 && sameBytes(pointerOf(v) + offset, pointerOf(suffix), length);
}

/** The value 1 in every byte. */
export const ONES: u64 = 0x0101010101010101;

/** Index of the first `byte` at or after `from`, or -1. */
export function indexOf(v: View, byte: u8, from: i32 = 0): i32 {
  const base = pointerOf(v);
  const length = lengthOf(v);
  let i = from;
  // Eight bytes at a time: the lowest byte that is zero after the xor is the first match.
  const pattern = <u64>byte * ONES;
  for (; i + 8 <= length; i += 8) {
    const differences = load<u64>(base + i) ^ pattern;
    const zeros = (differences - ONES) & ~differences & (ONES << 7);
    if (zeros != 0) return i + <i32>(ctz(zeros) >> 3);
  }
  for (; i < length; i++) {
    if (load<u8>(base + i) == byte) return i;
  }
  return -1;
}

// @ts-ignore: decorator
@inline
export function lowerCase(byte: u8): u8 {
  return byte - 0x41 < 26 ? byte | 0x20 : byte;
}

/** Compares ASCII letters without case; `lower` is already lower case. */
export function equalsLower(v: View, lower: View): bool {
  const length = lengthOf(v);
  if (length != lengthOf(lower)) return false;
  for (let i = 0; i < length; i++) {
    if (lowerCase(byteAt(v, i)) != byteAt(lower, i)) return false;
  }
  return true;
}

/** True when the view begins with `lower`, which is in lower case, in whatever case of its ASCII letters. */
export function startsLower(v: View, lower: View): bool {
  const length = lengthOf(lower);
  return lengthOf(v) >= length && equalsLower(slice(v, 0, length), lower);
}

/** The view without spaces and tabs at either end. */
export function trim(v: View): View {
  let start = 0;
  let end = lengthOf(v);
  while (start < end && isSpace(byteAt(v, start))) start++;
  while (end > start && isSpace(byteAt(v, end - 1))) end--;
  return slice(v, start, end);
}

// @ts-ignore: decorator
@inline
export function isSpace(byte: u8): bool {
  return byte == 0x20 || byte == 0x09;
}

/** The UTF-8 bytes of a constant, in memory that is never freed; for globals only. */
export function literal(text: string): View {
  const length = <i32>String.UTF8.byteLength(text);
  const pointer = heap.alloc(max(length, 1));
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, pointer);
  return view(pointer, length);
}

/**
 * A name of at most 255 bytes as one pointer, which halves its size in records of which there are many.
 *
 *   length (1) │ bytes
 */
export type Name = u32;

export function viewOf(name: Name): View {
  return view(<usize>name + 1, load<u8>(<usize>name));
}

/**
 * The string between quotes at `v` as a name, without a copy: its length overwrites the opening quote, which is not read again. 0
 * for ABSENT.
 */
export function nameInPlace(v: View): Name {
  if (v == ABSENT) return 0;
  const pointer = pointerOf(v) - 1;
  store<u8>(pointer, <u8>lengthOf(v));
  return <Name>pointer;
}

/** Value of an ASCII hex digit, or -1. */
export function hexDigit(byte: u8): i32 {
  if (byte - 0x30 < 10) return byte - 0x30;
  const letter = <u8>((byte | 0x20) - 0x61);
  return letter < 6 ? <i32>letter + 10 : -1;
}

/** Mixes the bits of an FNV-1a hash once more, because `Slots` uses the first bits and the last. */
export function spread(hash: u32): u32 {
  return (hash * 0x9e3779b1) ^ (hash >> 15);
}

/** True for a character of an RFC 9110 token: header names, methods, authentication schemes. */
export function isTokenByte(byte: u8): bool {
  if ((byte | 0x20) - 0x61 < 26 || byte - 0x30 < 10) return true;
  switch (byte) {
    case 0x21:
    case 0x23:
    case 0x24:
    case 0x25:
    case 0x26:
    case 0x27:
    case 0x2a:
    case 0x2b:
    case 0x2d:
    case 0x2e:
    case 0x5e:
    case 0x5f:
    case 0x60:
    case 0x7c:
    case 0x7e:
      return true;
  }
  return false;
}
