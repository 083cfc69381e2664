import { allocate } from "../bytes/arena";
import {
  ABSENT,
  View,
  byteAt,
  equals,
  hexDigit,
  indexOf,
  lengthOf,
  literal,
  lowerCase,
  pointerOf,
  slice,
  startsWith,
  view,
} from "../bytes/view";
import { OWN_PREFIX } from "../config/contract";
import { findHeader, firstValue } from "./headers";
import { name as hostName, readHost } from "./host";

const METHOD = literal(":method");
const PATH = literal(":path");
const AUTHORITY = literal(":authority");
const OPTIONS = literal("OPTIONS");
const ASTERISK = literal("*");
const ORIGIN = literal("origin");
export const REQUESTED_METHOD = literal("access-control-request-method");
const CONTENT_TYPE = literal("content-type");
const GRPC = literal("application/grpc");

/** Facts about the current request, read from its headers once. */
export let method: View = ABSENT;
/** `:path` as it was sent; ABSENT for a CONNECT without one. */
export let target: View = ABSENT;
export let rawPath: View = ABSENT;
/** The query with its `?`, or empty. */
export let query: View = ABSENT;
export let authority: View = ABSENT;
/** The authority's name or address, as policies write it. */
export let host: View = ABSENT;
/** False when the authority is not a host or is ambiguous. */
export let hasGoodHost: bool = false;

/** Reads the facts from the headers that `readHeaders` has read. */
export function readRequest(): void {
  method = firstValue(METHOD);
  target = firstValue(PATH);
  const length = lengthOf(target);
  const question = indexOf(target, 0x3f);
  const pathEnd = question < 0 ? length : question;
  rawPath = slice(target, 0, pathEnd);
  query = slice(target, pathEnd, length);
  readPath(rawPath);
  authority = firstValue(AUTHORITY);
  hasGoodHost = readHost(authority);
  host = hostName;
}

/**
 * True when some servers would find a host in the path: `//host/…`, `/\\host`, `http://host`. Those that resolve it as a relative
 * reference (Node's `new URL`, browsers) also drop tabs and line breaks first.
 */
export function pathMayNameHost(): bool {
  const length = lengthOf(rawPath);
  if (length == 0 || equals(rawPath, ASTERISK)) return false;
  if (byteAt(rawPath, 0) != 0x2f) return true;
  if (length == 1) return false;
  const second = byteAt(rawPath, 1);
  return second == 0x2f || second == 0x5c || second <= 0x20;
}

/** True for a CORS preflight (Fetch standard): OPTIONS with `Origin` and `Access-Control-Request-Method`. */
export function isPreflight(): bool {
  return equals(method, OPTIONS) && findHeader(ORIGIN) >= 0 && findHeader(REQUESTED_METHOD) >= 0;
}

/** True when the caller speaks gRPC by Envoy's own rule: `application/grpc` or `application/grpc+…`, not gRPC-Web. */
export function isGrpc(): bool {
  const type = firstValue(CONTENT_TYPE);
  if (!startsWith(type, GRPC)) return false;
  const length = lengthOf(GRPC);
  return lengthOf(type) == length || byteAt(type, length) == 0x2b;
}

/**
 * True for a header that only Tollgate may set: `x-tollgate-…`. An underscore counts as a hyphen, because many servers do not
 * tell them apart.
 */
export function isOwnHeader(name: View): bool {
  const length = lengthOf(OWN_PREFIX);
  if (lengthOf(name) < length || byteAt(name, 0) != 0x78) return false;
  for (let i = 1; i < length; i++) {
    const byte = byteAt(name, i);
    if ((byte == 0x5f ? 0x2d : byte) != byteAt(OWN_PREFIX, i)) return false;
  }
  return true;
}

/**
 * A path in two forms. The normalised one is the form in which policies are written: no `.` and `..`, no empty segments, no escape
 * of a character that needs none (RFC 3986, 6.2.2). The forwarded one has the same segments, spelled as the caller wrote them,
 * because `%2B` is data and signatures cover it. An upstream may be more lenient than this reader, so paths that servers are known
 * to read in different ways are refused: escaped slashes, backslashes and NULs, `..;x`, `/;x/`, `//..`, overlong UTF-8, control
 * characters.
 */
const PERCENT: u8 = 0x25;
const SLASH: u8 = 0x2f;
const DOT: u8 = 0x2e;
const SEMICOLON: u8 = 0x3b;
/** `emptyAt` of a path without empty segments. */
const NOWHERE: i32 = -1;

/**
 * The normalised and the forwarded form; both ABSENT for a path that is refused. Both are the path's own bytes when nothing
 * changes.
 */
export let path: View = ABSENT;
export let forwardedPath: View = ABSENT;

/** Ends of the two forms while they are being written. */
let normalisedEnd: usize = 0;
let forwardedEnd: usize = 0;

export function readPath(raw: View): void {
  path = ABSENT;
  forwardedPath = ABSENT;
  if (lengthOf(raw) == 0 || byteAt(raw, 0) != SLASH) return;
  if (!isPlain(raw)) return resolve(raw);
  path = raw;
  forwardedPath = raw;
}

/** One bit for each character below 64 that a plain path must not have: controls, space, `#`, `%`, `;`. */
const SUSPECT: u64 = 0x08000029_ffffffff;

/** True when both forms are the path itself: no escape, no `//`, `/.` or `;`, and only printable ASCII. */
function isPlain(raw: View): bool {
  let previous: u8 = 0;
  for (let at = pointerOf(raw), end = at + lengthOf(raw); at < end; at++) {
    const byte = load<u8>(at);
    // Letters first: most bytes of a path are letters.
    if (<u32>(byte | 0x20) - 0x61 >= 26) {
      if (byte < 64 ? (SUSPECT >> byte) & 1 : byte >= 0x7f || byte == 0x5c) return false;
      if (previous == SLASH && (byte == SLASH || byte == DOT)) return false;
    }
    previous = byte;
  }
  return true;
}

/** Writes both forms, segment by segment. A trailing slash is kept. */
function resolve(raw: View): void {
  const normalisedStart = allocate(lengthOf(raw));
  const forwardedStart = allocate(lengthOf(raw));
  normalisedEnd = normalisedStart;
  forwardedEnd = forwardedStart;
  const end = pointerOf(raw) + lengthOf(raw);
  let depth = 0;
  let emptyAt = NOWHERE;
  let at = pointerOf(raw);
  while (at < end) {
    const segment = ++at;
    while (at < end && load<u8>(at) != SLASH) at++;
    const kind = readSegment(segment, at);
    if (kind == Segment.Refused) return;
    if (kind == Segment.Empty) emptyAt = depth;
    else if (kind == Segment.Name) depth++;
    else if (kind == Segment.Parent) {
      // A server that merges slashes first would remove a name here; one that resolves dots first, the empty segment.
      if (depth == emptyAt) return;
      if (depth > 0) depth--;
      normalisedEnd = parentOf(normalisedStart, normalisedEnd);
      forwardedEnd = parentOf(forwardedStart, forwardedEnd);
    }
    if (at == end && kind != Segment.Name) {
      store<u8>(normalisedEnd++, SLASH);
      store<u8>(forwardedEnd++, SLASH);
    }
  }
  path = view(normalisedStart, <i32>(normalisedEnd - normalisedStart));
  forwardedPath = view(forwardedStart, <i32>(forwardedEnd - forwardedStart));
}

const enum Segment {
  Refused,
  Empty,
  Current,
  Parent,
  Name,
}

/** Classifies a segment and appends it to both forms if it is a name. */
function readSegment(segment: usize, end: usize): Segment {
  if (segment == end) return Segment.Empty;
  const decoded = normalisedEnd + 1;
  const decodedEnd = decode(segment, end, decoded);
  if (decodedEnd == 0) return Segment.Refused;
  // Only path parameters: a servlet container drops such a segment, other servers keep it.
  if (load<u8>(decoded) == SEMICOLON) return Segment.Refused;
  const dots = leadingDots(decoded, decodedEnd);
  if (dots == 1 || dots == 2) {
    if (decoded + dots < decodedEnd) return Segment.Refused;
    return dots == 1 ? Segment.Current : Segment.Parent;
  }
  store<u8>(normalisedEnd, SLASH);
  normalisedEnd = decodedEnd;
  store<u8>(forwardedEnd, SLASH);
  memory.copy(forwardedEnd + 1, segment, end - segment);
  forwardedEnd += 1 + end - segment;
  return Segment.Name;
}

/**
 * Decodes escapes of `;` and of characters that need none, and writes other escapes with upper-case digits. Returns the end of
 * what it wrote at `to`, or 0 for a path that is refused.
 */
function decode(from: usize, end: usize, to: usize): usize {
  let previous: u8 = 0;
  for (let at = from; at < end; at++) {
    let byte = load<u8>(at);
    if (byte != PERCENT) {
      if (byte <= 0x20 || byte == 0x7f || byte == 0x5c || byte == 0x23 || isOverlong(previous, byte)) return 0;
      store<u8>(to++, byte);
    } else {
      const high = at + 2 < end ? hexDigit(load<u8>(at, 1)) : -1;
      const low = high < 0 ? -1 : hexDigit(load<u8>(at, 2));
      if (low < 0) return 0;
      byte = <u8>((high << 4) | low);
      if (byte < 0x20 || (byte == SLASH && !slashIsData) || byte == 0x5c || byte == 0x7f || isOverlong(previous, byte))
        return 0;
      at += 2;
      if (isPathCharacter(byte) || byte == SEMICOLON) store<u8>(to++, byte);
      else {
        store<u8>(to, PERCENT);
        store<u8>(to, upperHex(high), 1);
        store<u8>(to, upperHex(low), 2);
        to += 3;
      }
    }
    previous = byte;
  }
  return to;
}

/** True while `%2F` is data, which stays as it is. */
let slashIsData: bool = false;

/** The same where `%2F` is data, or not. */
export function decodeData(from: usize, end: usize, to: usize, keepsSlashes: bool): usize {
  slashIsData = keepsSlashes;
  const written = decode(from, end, to);
  slashIsData = false;
  return written;
}

/** Puts another reading of the path in the place of the usual one. */
export function readPathAs(normalised: View, forwarded: View): void {
  path = normalised;
  forwardedPath = forwarded;
}

/** True for the first two bytes of an overlong UTF-8 sequence, with which `/` and `.` can be smuggled past lenient decoders. */
function isOverlong(first: u8, second: u8): bool {
  if ((second & 0xc0) != 0x80) return false;
  return (first & 0xfe) == 0xc0 || (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
}

/** The form's end without its last segment. */
function parentOf(start: usize, end: usize): usize {
  while (end > start && load<u8>(--end) != SLASH) {}
  return end;
}

/**
 * The number of dots when the segment is only dots, or dots and what some servers cut off: a path parameter (`..;x`), or an escaped
 * `?` or `#` and all behind it (`..%23x`). Otherwise 0.
 */
export function leadingDots(segment: usize, end: usize): i32 {
  let at = segment;
  while (at < end && load<u8>(at) == DOT) at++;
  if (at == segment) return 0;
  return at == end || load<u8>(at) == SEMICOLON || isDelimiter(at, end) ? <i32>(at - segment) : 0;
}

/** True for `%3F` and `%23`. */
function isDelimiter(at: usize, end: usize): bool {
  if (at + 2 >= end || load<u8>(at) != PERCENT) return false;
  const digits = load<u16>(at, 1);
  return digits == 0x4633 || digits == 0x3332;
}

/**
 * Characters that mean the same in a path segment escaped and unescaped: RFC 3986 pchar except `;`. Paths in policies consist only
 * of these, so that none has a second spelling.
 */
export function isPathCharacter(byte: u8): bool {
  if (lowerCase(byte) - 0x61 < 26 || byte - 0x30 < 10) return true;
  switch (byte) {
    case 0x21:
    case 0x24:
    case 0x26:
    case 0x27:
    case 0x28:
    case 0x29:
    case 0x2a:
    case 0x2b:
    case 0x2c:
    case 0x2d:
    case 0x2e:
    case 0x3a:
    case 0x3d:
    case 0x40:
    case 0x5f:
    case 0x7e:
      return true;
  }
  return false;
}

function upperHex(digit: i32): u8 {
  return <u8>(digit < 10 ? 0x30 + digit : 0x37 + digit);
}

/** Bytes of the forwarded form with the same segments as the first `normalisedBytes` of the normalised form. */
export function forwardedLength(normalisedBytes: i32): i32 {
  if (path == forwardedPath) return normalisedBytes;
  let slashes = 0;
  for (let i = 0; i < normalisedBytes; i++) {
    if (byteAt(path, i) == SLASH) slashes++;
  }
  for (let i = 0, n = lengthOf(forwardedPath); i < n; i++) {
    if (byteAt(forwardedPath, i) == SLASH && slashes-- == 0) return i;
  }
  return lengthOf(forwardedPath);
}
