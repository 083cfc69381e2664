import { allocate, begin, end, writeByte } from "../bytes/arena";
import { ABSENT, View, byteAt, equalsLower, hexDigit, indexOf, lengthOf, lowerCase, slice, view } from "../bytes/view";
import { MAX_HOST_BYTES } from "../config/contract";

/**
 * The host of an `:authority`: a name of letters, digits, `-` and `_`, an IPv4 address of four numbers, or an IPv6 address in
 * brackets; optionally followed by the root's dot and a port. Anything else that some server would accept as a host is refused:
 * user names, lists (Envoy joins two Host headers), escapes, empty labels, `127.1`.
 */
const MAX_PORT = 65535;
const COLON: u8 = 0x3a;
const DOT: u8 = 0x2e;

/** The name in lower case, without port and root's dot; an IPv6 address in its short form. Empty when none is given. */
export let name: View = ABSENT;
/** Where the port, with its colon, begins in the authority. */
export let portAt: i32 = 0;
/** True when `name` differs from the authority in more than the case of letters. */
export let isRespelt: bool = false;

/** Reads an authority; false when it is refused. */
export function readHost(authority: View): bool {
  name = authority;
  isRespelt = false;
  const length = lengthOf(authority);
  if (length == 0) return true;
  if (byteAt(authority, 0) == 0x5b) return readBracketed(authority);
  let upper = false;
  let label = 0;
  let at = 0;
  for (; at < length; at++) {
    const byte = byteAt(authority, at);
    if (<u32>byte - 0x61 < 26) continue;
    if (byte == DOT) {
      if (label == at) return false;
      // A trailing dot is the root's.
      if (at + 1 < length && byteAt(authority, at + 1) != COLON) label = at + 1;
      else {
        isRespelt = true;
        break;
      }
    } else if (<u32>(byte | 0x20) - 0x61 < 26) upper = true;
    else if (byte == COLON) break;
    else if (<u32>byte - 0x30 >= 10 && byte != 0x2d && byte != 0x5f) return false;
  }
  portAt = isRespelt ? at + 1 : at;
  if (at == 0 || at > MAX_HOST_BYTES || (portAt < length && !isPort(authority))) return false;
  name = slice(authority, 0, at);
  if (upper) name = inLowerCase(name);
  // Servers take a name whose last label is a number for an address.
  return <u32>byteAt(name, label) - 0x30 >= 10 || !isNumber(name, label) || isAddress4(name);
}

function readBracketed(authority: View): bool {
  const bracket = indexOf(authority, 0x5d);
  portAt = bracket + 1;
  if (bracket < 0 || (portAt < lengthOf(authority) && !isPort(authority))) return false;
  name = readAddress(slice(authority, 1, bracket));
  isRespelt = name != ABSENT && !equalsLower(slice(authority, 0, bracket + 1), name);
  return name != ABSENT;
}

/** True when the rest from `portAt` on is a colon and a port; RFC 3986 lets the number be empty. */
function isPort(authority: View): bool {
  const from = portAt;
  const length = lengthOf(authority);
  if (byteAt(authority, from) != COLON || length - from > 6) return false;
  let port = 0;
  for (let i = from + 1; i < length; i++) {
    const digit = <u32>byteAt(authority, i) - 0x30;
    if (digit >= 10) return false;
    port = port * 10 + digit;
  }
  return port <= MAX_PORT;
}

function inLowerCase(text: View): View {
  const length = lengthOf(text);
  const lower = allocate(length);
  for (let i = 0; i < length; i++) store<u8>(lower + i, lowerCase(byteAt(text, i)));
  return view(lower, length);
}

/** True when the rest from `from` on is decimal digits, or `0x` and hex digits. */
function isNumber(text: View, from: i32): bool {
  const length = lengthOf(text);
  const hex = from + 1 < length && byteAt(text, from) == 0x30 && byteAt(text, from + 1) == 0x78;
  for (let i = hex ? from + 2 : from; i < length; i++) {
    const byte = byteAt(text, i);
    if (<u32>byte - 0x30 >= 10 && !(hex && <u32>byte - 0x61 < 6)) return false;
  }
  return true;
}

/** True for four decimal numbers up to 255 without leading zeros. */
function isAddress4(text: View): bool {
  let dots = 0;
  let part = 0;
  let digits = 0;
  for (let i = 0, n = lengthOf(text); i < n; i++) {
    const byte = byteAt(text, i);
    if (byte == DOT) {
      dots++;
      part = 0;
      digits = 0;
      continue;
    }
    const digit = <u32>byte - 0x30;
    if (digit >= 10 || (digits > 0 && part == 0)) return false;
    part = part * 10 + digit;
    digits++;
    if (part > 255) return false;
  }
  return dots == 3;
}

/**
 * IPv6 addresses (RFC 4291, 2.2) have many spellings, so they are compared in one: the short form of RFC 5952, as the URL standard
 * prints it.
 */
const GROUP_COUNT = 8;
const GROUPS: usize = memory.data(16, 2);

/** The address between brackets in its short form, in brackets, or ABSENT when it is not an address. */
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

/** Reads the last four bytes of an address, written as an IPv4 address, into two groups. */
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
