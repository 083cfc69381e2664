import { allocate } from "../bytes/arena";
import {
  ABSENT,
  View,
  byteAt,
  equalsLower,
  indexOf,
  isSpace,
  isTokenByte,
  lengthOf,
  literal,
  pointerOf,
  slice,
  trim,
  view,
} from "../bytes/view";
import { MAX_KEY_BYTES } from "../config/contract";
import { KEY_SOURCE_BYTES, KeySource, KeySourceKind, KeySourceList } from "../tables/keySource";

/** `Authorization` may hold credentials of several schemes, on separate lines or joined with commas. */
export const AUTHORIZATION = literal("authorization");

/** More than clients send: the longest lists are the comma-separated parameters of one Digest or signature. */
export const MAX_CREDENTIALS = 64;

/** What stands behind the scheme of the credentials that `sourceOf` read, or all of them where there is none. */
export let payload: View = ABSENT;
/**
 * True until credentials with a scheme were read. Behind those a word may be a parameter of theirs, such as `realm="x"`, so that a bare key
 * stands before them or not at all.
 */
let mayBeBare: bool = true;

/** To be called before the first credentials of a header. */
export function beginCredentials(): void {
  mayBeBare = true;
}

/** The first key source of the list to which the credentials belong; null: they are another's. */
export function sourceOf(list: KeySourceList, credentials: View): KeySource | null {
  let bare: KeySource | null = null;
  for (let at = list.firstSource, past = list.pastSource; at < past; at += KEY_SOURCE_BYTES) {
    const source = changetype<KeySource>(at);
    if (source.kind <= KeySourceKind.Bare) {
      if (source.kind == KeySourceKind.Bare) bare = source;
      continue;
    }
    const rest = credentialsOf(credentials, source.name);
    if (rest == ABSENT) continue;
    payload = rest;
    mayBeBare = false;
    return source;
  }
  return bare != null && isBare(credentials) ? bare : null;
}

/** True for one word. */
function isBare(credentials: View): bool {
  payload = trim(credentials);
  const length = lengthOf(payload);
  for (let i = 0; i < length && mayBeBare; i++) mayBeBare = !isSpace(byteAt(payload, i));
  return mayBeBare && length > 0;
}

/**
 * Reads `Bearer KEY`: the scheme in any case, spaces, the key. Returns what follows the scheme's name, which may be empty; ABSENT
 * for credentials of another scheme. Some servers treat other characters as spaces, so any character that cannot be part of a
 * scheme's name ends it.
 */
export function credentialsOf(credentials: View, scheme: View): View {
  const total = lengthOf(credentials);
  let start = 0;
  while (start < total && !isTokenByte(byteAt(credentials, start))) start++;
  const after = start + lengthOf(scheme);
  if (after > total || !equalsLower(slice(credentials, start, after), scheme)) return ABSENT;
  if (after < total && isTokenByte(byteAt(credentials, after))) return ABSENT;
  return trim(slice(credentials, after, total));
}

/** What `readBasic` found. */
export let basicUser: View = ABSENT;
export let basicPassword: View = ABSENT;

const COLON: u8 = 0x3a;
const EQUALS: u8 = 0x3d;
/** Both parts may be as long as a key. */
const MAX_BASIC_BYTES = 2 * MAX_KEY_BYTES + 1;
const MAX_ENCODED_BYTES = ((MAX_BASIC_BYTES + 2) / 3) * 4;

/**
 * Decodes the user name and the password of `Basic` (RFC 7617), both empty where nothing is encoded. False for what is no base64 in its one
 * form, with its padding (RFC 4648, 4), for what is too long, and where no colon ends the user name.
 */
export function readBasic(encoded: View): bool {
  basicUser = encoded;
  basicPassword = encoded;
  const length = lengthOf(encoded);
  if (length == 0) return true;
  if (length > MAX_ENCODED_BYTES || (length & 3) != 0) return false;
  const start = allocate((length >> 2) * 3);
  let to = start;
  const from = pointerOf(encoded);
  const last = from + length - 4;
  for (let at = from; at <= last; at += 4) {
    let kept = 4;
    if (at == last && load<u8>(at, 3) == EQUALS) kept = load<u8>(at, 2) == EQUALS ? 2 : 3;
    let bits: u32 = 0;
    for (let i = 0; i < 4; i++) {
      const sextet = i < kept ? sextetOf(load<u8>(at + i)) : 0;
      if (sextet < 0) return false;
      bits = (bits << 6) | sextet;
    }
    // what the padding leaves over must be zero, or several spellings would have one meaning
    if ((bits & ((1 << ((4 - kept) * 8)) - 1)) != 0) return false;
    store<u8>(to, <u8>(bits >> 16));
    store<u8>(to, <u8>(bits >> 8), 1);
    store<u8>(to, <u8>bits, 2);
    to += kept - 1;
  }
  const decoded = view(start, <i32>(to - start));
  const colon = indexOf(decoded, COLON);
  if (colon < 0) return false;
  basicUser = slice(decoded, 0, colon);
  basicPassword = slice(decoded, colon + 1, lengthOf(decoded));
  return true;
}

/** The six bits that a digit of base64 stands for, or -1. */
function sextetOf(byte: u8): i32 {
  if (byte - 0x41 < 26) return byte - 0x41;
  if (byte - 0x61 < 26) return byte - 0x61 + 26;
  if (byte - 0x30 < 10) return byte - 0x30 + 52;
  return byte == 0x2b ? 62 : byte == 0x2f ? 63 : -1;
}
