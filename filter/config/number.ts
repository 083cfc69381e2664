/** What `readInteger` gives for text that is no JSON number, no whole number, or too large to be exact. */
export const INVALID_INTEGER: i64 = i64.MIN_VALUE;

/** Largest whole number up to which every double is exact; Istio prints all numbers from doubles. */
export const MAX_EXACT: i64 = 1 << 53;

/** Where the last number that `readInteger` accepted ended. */
export let integerEnd: usize = 0;

/**
 * Reads a JSON number whose value is whole, in any notation (`1000000`, `1e6`, `1.0E+06`), without rounding. Values beyond
 * 2^53 are refused, because the number that was meant may have been another.
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
    // Zeros at the end of a fraction say nothing.
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
