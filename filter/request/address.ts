import { View, ABSENT, lengthOf, byteAt } from "../bytes/view";
import { begin, end, writeByte } from "../bytes/writer";
import { hexDigit } from "../bytes/hex";

/**
 * IPv6 addresses (RFC 4291, 2.2): many spellings, so they are compared in one, the short form of RFC 5952 as the URL
 * standard prints it.
 */
const GROUP_COUNT = 8;
const GROUPS: usize = memory.data(16, 2);
const COLON: u8 = 0x3a;
const DOT: u8 = 0x2e;

/** The address between brackets in its short form, in brackets, or ABSENT when it is none. */
export function readAddress(text: View): View {
  return parse(text) ? print() : ABSENT;
}

/** Reads the groups into GROUPS. */
function parse(text: View): bool {
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
      if (count > GROUP_COUNT - 2 || !parseDotted(text, from, count)) return false;
      count += 2;
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

/** Reads the last four bytes, written as an IPv4 address, into two groups. */
function parseDotted(text: View, from: i32, group: i32): bool {
  const length = lengthOf(text);
  let at = from;
  for (let part = 0; part < 4; part++) {
    if (part > 0 && (at >= length || byteAt(text, at++) != DOT)) return false;
    const start = at;
    let value: u32 = 0;
    while (at < length && at - start < 3 && <u32>byteAt(text, at) - 0x30 < 10)
      value = value * 10 + byteAt(text, at++) - 0x30;
    if (at == start || value > 255 || (byteAt(text, start) == 0x30 && at - start > 1)) return false;
    const target = GROUPS + (group + (part >> 1)) * 2;
    store<u16>(target, <u16>(((<u32>load<u16>(target)) << 8) | value));
  }
  return at == length;
}

function print(): View {
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

/** The longest run of zero groups, the first of several; none that is one group long. */
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
