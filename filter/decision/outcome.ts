import { ABSENT, View, byteAt, equals, lengthOf, literal, slice } from "../bytes/view";
import { begin, end, writeView } from "../bytes/writer";
import { stripHeaders, strippedQuery } from "../credential/strip";
import { headerCount, headerName, headerValue } from "../request/headers";
import * as Request from "../request/request";
import { isOwnHeader } from "../request/request";
import { NONE, Route } from "../tables/record";
import { Tables } from "../tables/tables";
import { decision } from "./decision";
import { forgetNominations, isConnection } from "./connection";
import { editCount, removeHeader, removeOtherSpellings, removeSpellings, setHeader } from "./edit";
import { Reason } from "./reason";

const CONSUMER = literal("x-tollgate-consumer");
const PLAN = literal("x-tollgate-plan");
const ROUTE = literal("x-tollgate-route");
const PATH = literal(":path");

/**
 * The changes that an allowed request needs, as edits: no key, no borrowed identity, the route's headers, and the names
 * that the upstream and Envoy's route table read.
 */
export function writeEdits(tables: Tables): void {
  removeForeignIdentity();
  if (decision.reason == Reason.Unmatched) return;
  if (!tables.forwardKey) stripHeaders(tables);
  const route: Route | null = decision.routeIndex == NONE ? null : tables.routes.at(decision.routeIndex);
  if (route != null) writeRouteHeaders(tables, route);
  writePath(tables, route);
  if (decision.consumer != NONE) setHeader(CONSUMER, tables.consumers.at(decision.consumer).name);
  if (decision.plan != NONE) setHeader(PLAN, tables.plans.at(decision.plan).name);
  setHeader(ROUTE, decision.route);
}

/**
 * True for a request that no API covers and that carries headers of Tollgate: they come from a client, and are removed, or
 * from another policy in the same Envoy, which the binding can tell.
 */
export function mayBeDecidedAlready(): bool {
  return decision.reason == Reason.Unmatched && editCount > 0;
}

/** Headers of Tollgate that came from outside, and what would have ours dropped; those set below are replaced anyway. */
function removeForeignIdentity(): void {
  for (let i = 0; i < headerCount; i++) {
    const name = headerName(i);
    // A NUL follows every name, so an empty one has a first byte too.
    const first = byteAt(name, 0);
    if (first == 0x78) {
      if (isOwnHeader(name) && !isReplaced(name)) removeHeader(name);
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
  for (let i = route.firstRemove; i < route.firstRemove + route.removeCount; i++) removeSpellings(tables.values.at(i).value);
  // All of them before any is set: a route may set two spellings of one name.
  for (let i = route.firstSet; i < route.firstSet + route.setCount; i++) removeOtherSpellings(tables.headers.at(i).name);
  for (let i = route.firstSet; i < route.firstSet + route.setCount; i++) {
    const header = tables.headers.at(i);
    setHeader(header.name, header.value);
  }
}

/** What is forwarded is what was checked: the normalised path, rewritten if the route says so, without the key. */
function writePath(tables: Tables, route: Route | null): void {
  const query = tables.forwardKey ? Request.query : strippedQuery(tables);
  const rewrite: View = route == null ? ABSENT : route.rewritePrefix;
  if (rewrite == ABSENT && equals(Request.path, Request.rawPath) && equals(query, Request.query)) return;
  begin(lengthOf(Request.target) + 64);
  if (rewrite == ABSENT) writeView(Request.path);
  else {
    // "/" as the new prefix must not double the slash that follows.
    const rest = slice(Request.path, decision.coveredBytes, lengthOf(Request.path));
    const last = lengthOf(rewrite) - 1;
    const slash = load<u8>(<usize>(<u32>rewrite) + last) == 0x2f;
    writeView(slash && lengthOf(rest) > 0 ? slice(rewrite, 0, last) : rewrite);
    writeView(rest);
  }
  writeView(query);
  setHeader(PATH, end());
}
