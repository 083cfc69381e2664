import { begin, end, writeByte } from "../bytes/arena";
import { View, byteAt, hexDigit, indexOf, lengthOf } from "../bytes/view";

/**
 * IP addresses as 128 bits: an IPv4 address in its IPv4-mapped form `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2), so that both spellings of
 * it are one.
 */
const COLON: u8 = 0x3a;
const DOT: u8 = 0x2e;
const GROUP_COUNT = 8;
/** The groups of an IPv6 address, first group first, each as a number. */
const GROUPS: usize = memory.data(16, 2);
const MAPPED: u64 = 0xffff_0000_0000;
const NO_IP4: i64 = -1;

/** The address that `readIp` read: its first 64 bits, and its last. */
export let ipHigh: u64 = 0;
export let ipLow: u64 = 0;

/** Reads an address without brackets and port; false for anything else. */
export function readIp(text: View): bool {
  if (indexOf(text, COLON) >= 0) {
    if (!readIp6(text)) return false;
    ipHigh = groupsFrom(0);
    ipLow = groupsFrom(4);
    return true;
  }
  const number = ip4In(text, 0);
  if (number == NO_IP4) return false;
  ipHigh = 0;
  ipLow = MAPPED | (<u64>number);
  return true;
}

/** True when 128 bits are an IPv4 address. */
export function isMapped(high: u64, low: u64): bool {
  return high == 0 && low >> 32 == MAPPED >> 32;
}

/** True for four decimal numbers up to 255 without leading zeros. */
export function isIp4(text: View): bool {
  return ip4In(text, 0) != NO_IP4;
}

/** The number that an IPv4 address is, which stands in `text` from `from` on; NO_IP4 for anything else. */
function ip4In(text: View, from: i32): i64 {
  const length = lengthOf(text);
  let address: i64 = 0;
  let at = from;
  for (let part = 0; part < 4; part++) {
    if (part > 0 && (at >= length || byteAt(text, at++) != DOT)) return NO_IP4;
    const start = at;
    let value: u32 = 0;
    while (at < length && at - start < 3 && <u32>byteAt(text, at) - 0x30 < 10)
      value = value * 10 + byteAt(text, at++) - 0x30;
    if (at == start || value > 255 || (byteAt(text, start) == 0x30 && at - start > 1)) return NO_IP4;
    address = (address << 8) | value;
  }
  return at == length ? address : NO_IP4;
}

function groupsFrom(group: i32): u64 {
  let bits: u64 = 0;
  for (let i = group; i < group + 4; i++) bits = (bits << 16) | load<u16>(GROUPS + i * 2);
  return bits;
}

/** Reads an IPv6 address (RFC 4291, 2.2), which `printIp6` then prints; false when the text is none. */
export function readIp6(text: View): bool {
  memory.fill(GROUPS, 0, GROUP_COUNT * 2);
  const length = lengthOf(text);
  let count = 0;
  let gapAt = -1;
  let at = 0;
  if (length >= 2 && byteAt(text, 0) == COLON && byteAt(text, 1) == COLON) {
    gapAt = 0;
    at = 2;
  }
  while (at < length) {
    if (count == GROUP_COUNT) return false;
    const from = at;
    let value = 0;
    for (; at < length && at - from < 4; at++) {
      const digit = hexDigit(byteAt(text, at));
      if (digit < 0) break;
      value = (value << 4) | digit;
    }
    if (at < length && byteAt(text, at) == DOT) {
      const last = ip4In(text, from);
      if (count > GROUP_COUNT - 2 || last == NO_IP4) return false;
      store<u16>(GROUPS + count++ * 2, <u16>(last >> 16));
      store<u16>(GROUPS + count++ * 2, <u16>last);
      break;
    }
    if (at == from) return false;
    store<u16>(GROUPS + count++ * 2, <u16>value);
    if (at == length) break;
    if (byteAt(text, at++) != COLON || at == length) return false;
    if (byteAt(text, at) == COLON) {
      if (gapAt >= 0) return false;
      gapAt = count;
      at++;
    }
  }
  if (gapAt < 0) return count == GROUP_COUNT;
  if (count == GROUP_COUNT) return false;
  const moved = count - gapAt;
  memory.copy(GROUPS + (GROUP_COUNT - moved) * 2, GROUPS + gapAt * 2, moved * 2);
  memory.fill(GROUPS + gapAt * 2, 0, (GROUP_COUNT - count) * 2);
  return true;
}

/**
 * The address that `readIp6` read, in brackets. It has many spellings, so it is compared in one: the short form of RFC 5952, as the URL
 * standard prints it.
 */
export function printIp6(): View {
  begin(48);
  writeByte(0x5b);
  findGap();
  for (let i = 0; i < GROUP_COUNT; i++) {
    if (i == gapStart) {
      writeByte(COLON);
      writeByte(COLON);
      i += gapLength - 1;
      continue;
    }
    if (i > 0 && i != gapStart + gapLength) writeByte(COLON);
    writeGroup(load<u16>(GROUPS + i * 2));
  }
  writeByte(0x5d);
  return end();
}

/** The longest run of at least two zero groups; the first one if several are as long. */
let gapStart: i32 = -1;
let gapLength: i32 = 0;

function findGap(): void {
  gapStart = -1;
  gapLength = 0;
  let run = 0;
  for (let i = 0; i < GROUP_COUNT; i++) {
    run = load<u16>(GROUPS + i * 2) == 0 ? run + 1 : 0;
    if (run < 2 || run <= gapLength) continue;
    gapLength = run;
    gapStart = i + 1 - run;
  }
}

function writeGroup(value: u32): void {
  for (let shift = value > 0xfff ? 12 : value > 0xff ? 8 : value > 0xf ? 4 : 0; shift >= 0; shift -= 4) {
    const digit = (value >> shift) & 15;
    writeByte(<u8>(digit < 10 ? 0x30 + digit : 0x57 + digit));
  }
}
