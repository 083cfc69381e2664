import { allocate } from "../bytes/arena";
import { ABSENT, View, byteAt, equalsLower, indexOf, lengthOf, lowerCase, slice, view } from "../bytes/view";
import { MAX_HOST_BYTES } from "../config/contract";
import { isIp4, printIp6, readIp6 } from "./ip";

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
  return <u32>byteAt(name, label) - 0x30 >= 10 || !isNumber(name, label) || isIp4(name);
}

function readBracketed(authority: View): bool {
  const bracket = indexOf(authority, 0x5d);
  portAt = bracket + 1;
  if (bracket < 0 || (portAt < lengthOf(authority) && !isPort(authority))) return false;
  name = readIp6(slice(authority, 1, bracket)) ? printIp6() : ABSENT;
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
