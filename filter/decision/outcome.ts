import { NONE } from "../bytes/rows";
import { begin, end, writeByte, writeView } from "../bytes/arena";
import { ABSENT, View, byteAt, equals, equalsLower, lengthOf, literal, slice, startsWith, trim } from "../bytes/view";
import { stripHeaders, strippedQuery } from "../credential/key";
import { coveredBytes, hostIsServed } from "../match/api";
import {
  COMMA,
  dropHeader,
  editCount,
  headerCount,
  headerName,
  headerValue,
  member,
  nextMember,
  removeOtherSpellings,
  removeSpellings,
  setHeader,
} from "../request/headers";
import { isRespelt, portAt } from "../request/host";
import { forwardedLength, isOwnHeader } from "../request/request";
import { Route } from "../tables/record";
import { Tables } from "../tables/tables";
import { decision } from "./decision";
import { Reason } from "./reason";
import * as Request from "../request/request";

const CONSUMER = literal("x-tollgate-consumer");
const PLAN = literal("x-tollgate-plan");
const ROUTE = literal("x-tollgate-route");
const PATH = literal(":path");
const AUTHORITY = literal(":authority");
const SLASH: u8 = 0x2f;

/**
 * The changes that an allowed request needs, as edits: no key, no borrowed identity, the route's headers, and the names
 * that the upstream and Envoy's route table read.
 */
export function writeEdits(tables: Tables): void {
  removeForeignIdentity();
  foreignCount = editCount;
  if (decision.reason == Reason.Unmatched) return writeUnmatchedPath();
  if (!tables.forwardKey) stripHeaders(tables);
  const route: Route | null = decision.routeIndex == NONE ? null : tables.routes.at(decision.routeIndex);
  if (route != null) writeRouteHeaders(tables, route);
  writePath(tables, route);
  if (isRespelt) setHeader(AUTHORITY, judgedAuthority());
  if (decision.consumer != NONE) setHeader(CONSUMER, tables.consumers.at(decision.consumer).name);
  if (decision.plan != NONE) setHeader(PLAN, tables.plans.at(decision.plan).name);
  setHeader(ROUTE, decision.route);
}

/** Headers of Tollgate that the request at hand came with. */
let foreignCount: i32 = 0;

/**
 * True for a request that no API covers and that carries headers of Tollgate: they come from a client, and are removed, or
 * from another policy in the same Envoy, which the binding can tell. What another policy let through has its path in the forwarded form.
 */
export function mayBeDecidedAlready(): bool {
  return decision.reason == Reason.Unmatched && foreignCount > 0 && editCount == foreignCount;
}

/** Removes Tollgate's headers that came from outside, and whatever would have ours dropped; those set below are replaced anyway. */
function removeForeignIdentity(): void {
  for (let i = 0; i < headerCount; i++) {
    const name = headerName(i);
    // A NUL follows every name, so an empty one has a first byte too.
    const first = byteAt(name, 0);
    if (first == 0x78) {
      if (isOwnHeader(name) && !isReplaced(name)) dropHeader(name);
    } else if (first == 0x63) {
      if (isConnection(name) && decision.reason != Reason.Unmatched) forgetNominations(headerValue(i));
    }
  }
}

function isReplaced(name: View): bool {
  if (decision.reason == Reason.Unmatched) return false;
  if (equals(name, ROUTE)) return true;
  if (equals(name, CONSUMER)) return decision.consumer != NONE;
  return equals(name, PLAN) && decision.plan != NONE;
}

function writeRouteHeaders(tables: Tables, route: Route): void {
  for (let i = route.firstRemove; i < route.firstRemove + route.removeCount; i++)
    removeSpellings(tables.values.at(i).value);
  // All of them before any is set: a route may set two spellings of one name.
  for (let i = route.firstSet; i < route.firstSet + route.setCount; i++)
    removeOtherSpellings(tables.headers.at(i).name);
  for (let i = route.firstSet; i < route.firstSet + route.setCount; i++) {
    const header = tables.headers.at(i);
    setHeader(header.name, header.value);
  }
}

/**
 * Forwards what was judged: without dot segments and empty ones, with the API's prefix as the policy writes it and the rest in
 * the caller's spelling. Rewritten if the route says so; without the key.
 */
function writePath(tables: Tables, route: Route | null): void {
  const query = tables.forwardKey ? Request.query : strippedQuery(tables);
  const rewrite: View = route == null ? ABSENT : route.rewritePrefix;
  const sameQuery = query == Request.query || equals(query, Request.query);
  // A plain path is its own judged form.
  if (rewrite == ABSENT && sameQuery && Request.path == Request.rawPath) return;
  const covered = rewrite == ABSENT ? coveredBytes : decision.coveredBytes;
  const before = forwardedLength(covered);
  const prefix = rewrite == ABSENT ? slice(Request.path, 0, covered) : rewrite;
  const rest = slice(Request.forwardedPath, before, lengthOf(Request.forwardedPath));
  if (
    rewrite == ABSENT &&
    sameQuery &&
    equals(Request.forwardedPath, Request.rawPath) &&
    startsWith(Request.rawPath, prefix)
  )
    return;
  begin(lengthOf(Request.target) + 64);
  // "/" as the new prefix must not double the slash that follows.
  const slash = lengthOf(prefix) > 0 && byteAt(prefix, lengthOf(prefix) - 1) == SLASH;
  writeView(slash && lengthOf(rest) > 0 ? slice(prefix, 0, lengthOf(prefix) - 1) : prefix);
  writeView(rest);
  writeView(query);
  setHeader(PATH, end());
}

/** Only where a host has APIs was the path judged; elsewhere it stays, unless it could be read as one of those hosts. */
function writeUnmatchedPath(): void {
  if (Request.path == ABSENT || !(hostIsServed || Request.pathMayNameHost())) return;
  if (equals(Request.forwardedPath, Request.rawPath)) return;
  begin(lengthOf(Request.target));
  writeView(Request.forwardedPath);
  writeView(Request.query);
  setHeader(PATH, end());
}

/** A name with the root dot and one without are the same to us, but not to every server; so are spellings of an address. */
function judgedAuthority(): View {
  begin(lengthOf(Request.authority));
  writeView(Request.host);
  writeView(slice(Request.authority, portAt, lengthOf(Request.authority)));
  return end();
}

/**
 * `Connection` nominates headers that the next hop drops (RFC 9110, 7.6.1). Envoy drops them itself and takes the header
 * off, but for upgrades: there a caller could have the consumer's name dropped behind Envoy, or what a route sets.
 */
const CONNECTION = literal("connection");
const UPGRADE = literal("upgrade");
const KEEP_ALIVE = literal("keep-alive");
const CLOSE = literal("close");

export function isConnection(name: View): bool {
  return equals(name, CONNECTION);
}

/** Leaves of `Connection`, whose value is given, what it says about the connection itself. */
export function forgetNominations(list: View): void {
  if (nominates(list)) writeOptions(list);
}

function nominates(list: View): bool {
  for (let at = nextMember(list, 0); at >= 0; at = nextMember(list, at)) {
    if (!isOption(trim(member))) return true;
  }
  return false;
}

function writeOptions(list: View): void {
  begin(lengthOf(list));
  let some = false;
  for (let at = nextMember(list, 0); at >= 0; at = nextMember(list, at)) {
    const option = trim(member);
    if (!isOption(option)) continue;
    if (some) {
      writeByte(COMMA);
      writeByte(0x20);
    }
    writeView(option);
    some = true;
  }
  if (some) setHeader(CONNECTION, end());
  else dropHeader(CONNECTION);
}

function isOption(option: View): bool {
  return equalsLower(option, UPGRADE) || equalsLower(option, KEEP_ALIVE) || equalsLower(option, CLOSE);
}
