import { ABSENT, View, byteAt, equals, indexOf, lengthOf, literal, slice, trim } from "../bytes/view";
import { COMMA, headerCount, headerName, headerValue } from "./headers";
import { ipHigh, ipLow, isMapped, readIp } from "./ip";

/**
 * The client's address. Either the one that the host takes for the client's, or the n-th from the right of `X-Forwarded-For`, where each
 * proxy appends the address of whoever called it: of n trusted proxies, the one furthest out wrote the client's, and whatever stands to the
 * left of it is the client's own invention. When there are fewer than n, a request has not come through all of them, and each could be
 * invented: then the address is not known.
 */
const FORWARDED_FOR = literal("x-forwarded-for");
const BRACKET: u8 = 0x5b;
const COLON: u8 = 0x3a;
const MAX_PORT = 65535;
/** More than an address in brackets with a port and some spaces has: no loop here is as long as a client wishes. */
const MAX_ENTRY_BYTES = 80;

/** The host's text for the other end: `10.0.0.1:50000`, `[::1]:50000`, the name of a pipe; ABSENT for none. */
let peer: View = ABSENT;

/** To be called before each decision by tables that want the host's address (see `Tables.asksPeer`). */
export function setPeer(text: View): void {
  peer = text;
}

/** The address that `readClientAddress` read: its first 64 bits, and its last. An IPv4 address is in its IPv4-mapped form. */
export let addressHigh: u64 = 0;
export let addressLow: u64 = 0;

/** Reads the client's address; false when it is not known. `trustedHops`: n of `X-Forwarded-For`, or 0 for the host's. */
export function readClientAddress(trustedHops: i32): bool {
  if (!readWithPort(trustedHops == 0 ? peer : forwardedFor(trustedHops))) return false;
  addressHigh = ipHigh;
  addressLow = ipLow;
  return true;
}

/** Its first bits, the rest zero. */
export let networkHigh: u64 = 0;
export let networkLow: u64 = 0;

/** Cuts the address that was read to the network that counts as one caller: so many bits of an IPv4 address, or of an IPv6 one. */
export function cutAddress(bits4: i32, bits6: i32): void {
  const bits = isMapped(addressHigh, addressLow) ? 96 + bits4 : bits6;
  networkHigh = addressHigh & maskOf(bits);
  networkLow = addressLow & maskOf(bits - 64);
}

/** A number whose first `bits` are ones; none for fewer than one, all for more than there are. */
export function maskOf(bits: i32): u64 {
  return bits <= 0 ? 0 : bits >= 64 ? u64.MAX_VALUE : ~(u64.MAX_VALUE >> bits);
}

/** The n-th entry from the right, over all lines of the header: an empty one counts, as in Envoy. ABSENT when there are fewer. */
function forwardedFor(n: i32): View {
  let left = n;
  for (let i = headerCount - 1; i >= 0; i--) {
    if (!equals(headerName(i), FORWARDED_FOR)) continue;
    const line = headerValue(i);
    let end = lengthOf(line);
    while (true) {
      const least = max(0, end - MAX_ENTRY_BYTES);
      let start = end;
      while (start > least && byteAt(line, start - 1) != COMMA) start--;
      if (start > 0 && byteAt(line, start - 1) != COMMA) return ABSENT;
      if (--left == 0) return trim(slice(line, start, end));
      if (start == 0) break;
      end = start - 1;
    }
  }
  return ABSENT;
}

/** Reads `10.0.0.1`, `10.0.0.1:80`, `::1`, `[::1]` or `[::1]:80`. */
function readWithPort(text: View): bool {
  const length = lengthOf(text);
  if (length == 0) return false;
  if (byteAt(text, 0) == BRACKET) {
    const close = indexOf(text, 0x5d);
    if (close < 0 || (close + 1 < length && !isPort(text, close + 1))) return false;
    const inside = slice(text, 1, close);
    return indexOf(inside, COLON) >= 0 && readIp(inside);
  }
  const colon = indexOf(text, COLON);
  if (colon < 0 || indexOf(text, COLON, colon + 1) >= 0) return readIp(text);
  return isPort(text, colon) && readIp(slice(text, 0, colon));
}

/** True when the rest from `from` on is a colon and a port. */
function isPort(text: View, from: i32): bool {
  const digits = lengthOf(text) - from - 1;
  if (byteAt(text, from) != COLON || digits < 1 || digits > 5) return false;
  let port = 0;
  for (let i = from + 1; i <= from + digits; i++) {
    const digit = <u32>byteAt(text, i) - 0x30;
    if (digit >= 10) return false;
    port = port * 10 + digit;
  }
  return port <= MAX_PORT;
}
