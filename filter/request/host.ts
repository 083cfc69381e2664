import { allocate } from "../bytes/arena";
import { View, ABSENT, view, slice, lengthOf, byteAt, equalsLower, indexOf, lowerCase } from "../bytes/view";
import { readAddress } from "./address";

/**
 * The host of an `:authority`: a name of letters, digits, `-` and `_`, an IPv4 address of four numbers, or an IPv6 address in
 * brackets; then, if need be, the root's dot and a port. Whatever else servers take for a host is refused: user names,
 * lists (Envoy joins two Host headers), escapes, empty labels, `127.1`.
 */
const MAX_NAME_BYTES = 253;
const MAX_PORT = 65535;
const COLON: u8 = 0x3a;
const DOT: u8 = 0x2e;

/** Lower case, without port and without the root's dot; an IPv6 address in its short form. Empty when none is given. */
export let name: View = ABSENT;
/** Where the port begins in the authority, with its colon. */
export let portAt: i32 = 0;
/** True when the name is spelt in another way than the authority, letters' case aside. */
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
      // The last dot may be the root's.
      if (at + 1 < length && byteAt(authority, at + 1) != COLON) label = at + 1;
      else {
        isRespelt = true;
        break;
      }
    } else if (<u32>(byte | 0x20) - 0x61 < 26) upper = true;
    else if (byte == COLON) break;
    else if (<u32>byte - 0x30 >= 10 && byte != 0x2d && byte != 0x5f) return false;
  }
  if (at == 0 || at > MAX_NAME_BYTES || !isPort(authority, isRespelt ? at + 1 : at)) return false;
  name = slice(authority, 0, at);
  if (upper) name = inLowerCase(name);
  // Who reads a name that ends in a number reads an address.
  return <u32>byteAt(name, label) - 0x30 >= 10 || !isNumber(name, label) || isAddress4(name);
}

function readBracketed(authority: View): bool {
  const bracket = indexOf(authority, 0x5d);
  if (bracket < 0 || !isPort(authority, bracket + 1)) return false;
  name = readAddress(slice(authority, 1, bracket));
  isRespelt = name != ABSENT && !equalsLower(slice(authority, 0, bracket + 1), name);
  return name != ABSENT;
}

/** True for nothing, or a colon and a port; RFC 3986 lets the number be empty. */
function isPort(authority: View, from: i32): bool {
  portAt = from;
  const length = lengthOf(authority);
  if (from == length) return true;
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

/** True for digits, and for `0x` and hex digits, from `from` to the end. */
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
