import { begin, end, writeView } from "../bytes/arena";
import { NONE } from "../bytes/rows";
import { ABSENT, View, byteAt, equals, indexOf, lengthOf, literal, slice, startsWith } from "../bytes/view";
import { forwardedQuery } from "../credential/strip";
import { coveredBytes, hostIsServed } from "../match/api";
import { setHeader } from "../request/headers";
import { isRespelt, portAt } from "../request/host";
import { forwardedLength } from "../request/request";
import { Route } from "../tables/route";
import { Tables } from "../tables/tables";
import { decision } from "./decision";
import * as Request from "../request/request";

const PATH = literal(":path");
const AUTHORITY = literal(":authority");
const SLASH: u8 = 0x2f;
const BRACE: u8 = 0x7b;

/**
 * Forwards the path without dot segments and empty segments: the API's prefix as the policy writes it, or the route's rewrite, and the
 * rest in the caller's spelling. The key is removed from the query.
 */
export function writePath(tables: Tables, route: Route | null): void {
  const query = forwardedQuery();
  const rewrite: View = route == null ? ABSENT : route.rewritePrefix;
  const sameQuery = query == Request.query || equals(query, Request.query);
  // A plain path is its own normalised form.
  if (rewrite == ABSENT && sameQuery && Request.path == Request.rawPath) return;
  const covered = rewrite == ABSENT ? coveredBytes : decision.coveredBytes;
  const before = forwardedLength(covered);
  const prefix = rewrite == ABSENT ? slice(Request.path, 0, covered) : rewrite;
  const rest = slice(Request.forwardedPath, before, lengthOf(Request.forwardedPath));
  if (
    rewrite == ABSENT &&
    sameQuery &&
    decision.operation == NONE &&
    equals(Request.forwardedPath, Request.rawPath) &&
    startsWith(Request.rawPath, prefix)
  )
    return;
  begin(lengthOf(Request.target) + 64);
  // "/" as the new prefix must not double the slash that follows.
  const slash = lengthOf(prefix) > 0 && byteAt(prefix, lengthOf(prefix) - 1) == SLASH;
  writeView(slash && lengthOf(rest) > 0 ? slice(prefix, 0, lengthOf(prefix) - 1) : prefix);
  if (decision.operation == NONE) writeView(rest);
  else writeBelow(tables, rest, covered);
  writeView(query);
  setHeader(PATH, end());
}

/**
 * Writes what is left of the path behind its first `covered` bytes, with the literals of the operation's template as the policy writes
 * them: a server that decodes no escapes must not find another operation.
 */
function writeBelow(tables: Tables, rest: View, covered: i32): void {
  const template = tables.operations.at(decision.operation).path;
  const length = lengthOf(template);
  // A route's path may cover the first segments of the template.
  let at = 0;
  for (let i = coveredBytes; i < covered && length > 1; i++) {
    if (byteAt(Request.path, i) == SLASH) at = endOf(template, at);
  }
  let from = 0;
  while (length > 1 && at < length && from < lengthOf(rest)) {
    const next = endOf(template, at);
    const restNext = endOf(rest, from);
    const brace = indexOf(template, BRACE, at);
    if (brace >= 0 && brace < next) writeView(slice(rest, from, restNext));
    else writeView(slice(template, at, next));
    at = next;
    from = restNext;
  }
  writeView(slice(rest, from, lengthOf(rest)));
}

/** The end of the segment that begins with the slash at `at`. */
function endOf(path: View, at: i32): i32 {
  const slash = indexOf(path, SLASH, at + 1);
  return slash < 0 ? lengthOf(path) : slash;
}

/** On hosts that some API names, forwards the normalised path; elsewhere the path stays, unless it could be read as another host. */
export function writeUnmatchedPath(): void {
  if (!isPathForwarded()) return;
  if (equals(Request.forwardedPath, Request.rawPath)) return;
  begin(lengthOf(Request.target));
  writeView(Request.forwardedPath);
  writeView(Request.query);
  setHeader(PATH, end());
}

/** Takes the key out of the query of a request that no API covers; `hasPath` says whether its path can be read in one way only. */
export function writeUnknownPath(tables: Tables, hasPath: bool): void {
  const query = forwardedQuery();
  if (query == Request.query || equals(query, Request.query)) return;
  begin(lengthOf(Request.target));
  writeView(hasPath && isPathForwarded() ? Request.forwardedPath : Request.rawPath);
  writeView(query);
  setHeader(PATH, end());
}

function isPathForwarded(): bool {
  return Request.path != ABSENT && (hostIsServed || Request.pathMayNameHost());
}

/** The authority in the one spelling that was matched: not every server takes a trailing dot or other spellings of an address as equal. */
export function writeAuthority(): void {
  if (!isRespelt) return;
  begin(lengthOf(Request.authority));
  writeView(Request.host);
  writeView(slice(Request.authority, portAt, lengthOf(Request.authority)));
  setHeader(AUTHORITY, end());
}
