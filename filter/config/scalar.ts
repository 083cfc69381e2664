import { View, hexDigit, lengthOf, pointerOf } from "../bytes/view";
import { MAX_EXACT } from "./contract";

/** What `readInteger` returns when there is no JSON number, or it is not whole or too large to be exact. */
export const INVALID_INTEGER: i64 = i64.MIN_VALUE;

/** Where the last number that `readInteger` accepted ended. */
export let integerEnd: usize = 0;

/**
 * Reads a JSON number whose value is whole, in any notation (`1000000`, `1e6`, `1.0E+06`), without rounding. Values beyond
 * 2^53 are refused, because a program that used doubles may have changed them.
 */
export function readInteger(from: usize, end: usize): i64 {
  let at = from;
  const negative = at < end && load<u8>(at) == 0x2d;
  if (negative) at++;

  const wholeStart = at;
  let value: u64 = 0;
  let scale = 0;
  let overflow = false;
  at = digits(at, end);
  if (at == wholeStart || (at - wholeStart > 1 && load<u8>(wholeStart) == 0x30)) return INVALID_INTEGER;
  const wholeEnd = at;
  let fractionEnd = at;
  if (at < end && load<u8>(at) == 0x2e) {
    fractionEnd = digits(at + 1, end);
    if (fractionEnd == at + 1) return INVALID_INTEGER;
    at = fractionEnd;
    // Trailing zeros of a fraction do not matter.
    while (load<u8>(fractionEnd - 1) == 0x30) fractionEnd--;
    if (fractionEnd == wholeEnd + 1) fractionEnd = wholeEnd;
  }
  for (let p = wholeStart; p < fractionEnd; p++) {
    const byte = load<u8>(p);
    if (byte == 0x2e) continue;
    if (value > (u64.MAX_VALUE - 9) / 10) overflow = true;
    else value = value * 10 + (byte - 0x30);
    if (p > wholeEnd) scale--;
  }

  if (at < end && (load<u8>(at) | 0x20) == 0x65) {
    at++;
    let minus = false;
    if (at < end && (load<u8>(at) == 0x2b || load<u8>(at) == 0x2d)) minus = load<u8>(at++) == 0x2d;
    const exponentStart = at;
    at = digits(at, end);
    if (at == exponentStart) return INVALID_INTEGER;
    let exponent = 0;
    for (let p = exponentStart; p < at; p++) exponent = min(exponent * 10 + (load<u8>(p) - 0x30), 10000);
    scale += minus ? -exponent : exponent;
  }
  if (overflow) return INVALID_INTEGER;
  integerEnd = at;
  return scaled(value, scale, negative);
}

function digits(at: usize, end: usize): usize {
  while (at < end && load<u8>(at) - 0x30 < 10) at++;
  return at;
}

function scaled(value: u64, scale: i32, negative: bool): i64 {
  if (value == 0) return 0;
  for (; scale < 0; scale++) {
    if (value % 10 != 0) return INVALID_INTEGER;
    value /= 10;
  }
  for (; scale > 0; scale--) {
    if (value > <u64>MAX_EXACT) return INVALID_INTEGER;
    value *= 10;
  }
  if (value > <u64>MAX_EXACT) return INVALID_INTEGER;
  return negative ? -(<i64>value) : <i64>value;
}

/**
 * Decodes the JSON escape at `from` and writes it to `to` as UTF-8. Returns the bytes read in the low 8 bits and the bytes written
 * above them; 0 for an escape that JSON or Unicode does not allow.
 */
export function readEscape(from: usize, end: usize, to: usize): usize {
  if (end - from < 2) return 0;
  const byte = load<u8>(from, 1);
  if (byte == 0x75) return readUnicode(from, end, to);
  let plain: u8;
  switch (byte) {
    case 0x22:
    case 0x5c:
    case 0x2f:
      plain = byte;
      break;
    case 0x62:
      plain = 0x08;
      break;
    case 0x66:
      plain = 0x0c;
      break;
    case 0x6e:
      plain = 0x0a;
      break;
    case 0x72:
      plain = 0x0d;
      break;
    case 0x74:
      plain = 0x09;
      break;
    default:
      return 0;
  }
  store<u8>(to, plain);
  return (1 << 8) | 2;
}

function readUnicode(from: usize, end: usize, to: usize): usize {
  let code = hex4(from + 2, end);
  let used: usize = 6;
  if (code < 0 || (code >= 0xdc00 && code < 0xe000)) return 0;
  if (code >= 0xd800 && code < 0xdc00) {
    if (end - from < 12 || load<u16>(from, 6) != 0x755c) return 0;
    const low = hex4(from + 8, end);
    if (low < 0xdc00 || low >= 0xe000) return 0;
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    used = 12;
  }
  return (writeUtf8(code, to) << 8) | used;
}

function hex4(at: usize, end: usize): i32 {
  if (at > end || end - at < 4) return -1;
  let code = 0;
  for (let i = 0; i < 4; i++) {
    const digit = hexDigit(load<u8>(at + i));
    if (digit < 0) return -1;
    code = (code << 4) | digit;
  }
  return code;
}

function writeUtf8(code: i32, to: usize): usize {
  if (code < 0x80) {
    store<u8>(to, <u8>code);
    return 1;
  }
  if (code < 0x800) {
    store<u8>(to, <u8>(0xc0 | (code >> 6)));
    store<u8>(to, <u8>(0x80 | (code & 63)), 1);
    return 2;
  }
  if (code < 0x10000) {
    store<u8>(to, <u8>(0xe0 | (code >> 12)));
    store<u8>(to, <u8>(0x80 | ((code >> 6) & 63)), 1);
    store<u8>(to, <u8>(0x80 | (code & 63)), 2);
    return 3;
  }
  store<u8>(to, <u8>(0xf0 | (code >> 18)));
  store<u8>(to, <u8>(0x80 | ((code >> 12) & 63)), 1);
  store<u8>(to, <u8>(0x80 | ((code >> 6) & 63)), 2);
  store<u8>(to, <u8>(0x80 | (code & 63)), 3);
  return 4;
}

/** True for well-formed UTF-8 (Unicode table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF). */
export function isUtf8(v: View): bool {
  const end = pointerOf(v) + lengthOf(v);
  let at = pointerOf(v);
  while (at < end) {
    const lead = load<u8>(at);
    if (lead < 0x80) {
      at++;
      continue;
    }
    const more: usize = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || end - at <= more) return false;
    const second = load<u8>(at, 1);
    const least: u8 = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const most: u8 = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (second < least || second > most) return false;
    for (let i: usize = 2; i <= more; i++) {
      if ((load<u8>(at + i) & 0xc0) != 0x80) return false;
    }
    at += more + 1;
  }
  return true;
}
