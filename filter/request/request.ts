import { View, ABSENT, literal, equals, startsWith, byteAt, indexOf, lengthOf, slice } from "../bytes/view";
import { firstValue, findHeader } from "./headers";
import { normaliseHost } from "./host";
import { normalisePath } from "./path";

const METHOD = literal(":method");
const PATH = literal(":path");
const AUTHORITY = literal(":authority");
const OPTIONS = literal("OPTIONS");
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
/** Normalised, or ABSENT when the path is refused. */
export let path: View = ABSENT;
export let host: View = ABSENT;

/** Takes the facts from the headers that `readHeaders` read. */
export function readRequest(): void {
  method = firstValue(METHOD);
  target = firstValue(PATH);
  const length = lengthOf(target);
  const question = indexOf(target, 0x3f);
  const pathEnd = question < 0 ? length : question;
  rawPath = slice(target, 0, pathEnd);
  query = slice(target, pathEnd, length);
  path = normalisePath(rawPath);
  host = normaliseHost(firstValue(AUTHORITY));
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
