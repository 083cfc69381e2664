import { ABSENT, View, byteAt, equals, indexOf, lengthOf, literal, slice, startsWith } from "../bytes/view";
import { findHeader, firstValue } from "./headers";
import { name as hostName, readHost } from "./host";
import { forwarded, judged, readPath } from "./path";

const METHOD = literal(":method");
const PATH = literal(":path");
const AUTHORITY = literal(":authority");
const OPTIONS = literal("OPTIONS");
const ASTERISK = literal("*");
const ORIGIN = literal("origin");
const REQUESTED_METHOD = literal("access-control-request-method");
const CONTENT_TYPE = literal("content-type");
const GRPC = literal("application/grpc");
const OWN_PREFIX = literal("x-tollgate-");

/** Facts about the request at hand, read from its headers once. */
export let method: View = ABSENT;
/** As it came; ABSENT for a CONNECT without one. */
export let target: View = ABSENT;
export let rawPath: View = ABSENT;
/** With its `?`, or empty. */
export let query: View = ABSENT;
/** In the form that policies are written in, or ABSENT when the path is refused. */
export let path: View = ABSENT;
/** The same segments as the caller wrote them. */
export let forwardedPath: View = ABSENT;
export let authority: View = ABSENT;
/** Its name or address, as policies write it. */
export let host: View = ABSENT;
/** False when the authority is not a host, or could be read as more than one. */
export let hasGoodHost: bool = false;

/** Takes the facts from the headers that `readHeaders` read. */
export function readRequest(): void {
  method = firstValue(METHOD);
  target = firstValue(PATH);
  const length = lengthOf(target);
  const question = indexOf(target, 0x3f);
  const pathEnd = question < 0 ? length : question;
  rawPath = slice(target, 0, pathEnd);
  query = slice(target, pathEnd, length);
  readPath(rawPath);
  path = judged;
  forwardedPath = forwarded;
  authority = firstValue(AUTHORITY);
  hasGoodHost = readHost(authority);
  host = hostName;
}

/**
 * True when some servers read a host out of the path: `//host/…`, `/\\host`, `http://host`. Those that resolve it as a
 * relative reference (Node's `new URL`, browsers' rules) drop tabs and line ends on the way.
 */
export function pathMayNameHost(): bool {
  const length = lengthOf(rawPath);
  if (length == 0 || equals(rawPath, ASTERISK)) return false;
  if (byteAt(rawPath, 0) != 0x2f) return true;
  if (length == 1) return false;
  const second = byteAt(rawPath, 1);
  return second == 0x2f || second == 0x5c || second <= 0x20;
}

/** True for a CORS preflight (Fetch standard): OPTIONS with an origin and the method that is asked for. */
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
 * True for a header that only Tollgate may set: `x-tollgate-…`. An underscore counts as a hyphen, because many servers
 * cannot tell them apart.
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
