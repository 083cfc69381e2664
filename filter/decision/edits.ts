import { NONE } from "../bytes/rows";
import { View, byteAt, equals, literal } from "../bytes/view";
import { findKey, stripHeaders } from "../credential/key";
import { forgetNominations, isConnection } from "../request/connection";
import {
  ENTRY_BYTES,
  dropHeader,
  editCount,
  firstEntry,
  headerCount,
  removeOtherSpellings,
  removeSpellings,
  setHeader,
} from "../request/headers";
import { isOwnHeader } from "../request/request";
import { Route } from "../tables/route";
import { Tables } from "../tables/tables";
import { Reason, decision } from "./decision";
import { writeAuthority, writePath, writeUnknownPath, writeUnmatchedPath } from "./path";

const CONSUMER = literal("x-tollgate-consumer");
const PLAN = literal("x-tollgate-plan");
const ROUTE = literal("x-tollgate-route");

/**
 * Writes the edits that an allowed request needs: the key and forged identity headers removed, the route's headers, and the headers
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
  writeAuthority();
  if (decision.consumer != NONE) setHeader(CONSUMER, tables.consumers.at(decision.consumer).name);
  if (decision.plan != NONE) setHeader(PLAN, tables.plans.at(decision.plan).name);
  setHeader(ROUTE, decision.route);
}

/**
 * The same for a request that no API covers, or, without a path to go by, whose host or path can be read in several ways. Neither identity
 * nor key may reach whatever is there.
 */
export function writeUnknown(tables: Tables, hasPath: bool): void {
  if (hasPath) writeEdits(tables);
  else {
    removeForeignIdentity();
    foreignCount = editCount;
  }
  if (tables.forwardKey) return;
  findKey(tables);
  stripHeaders(tables);
  writeUnknownPath(tables, hasPath);
}

/** How many `x-tollgate-` headers the request came with that are not replaced. */
let foreignCount: i32 = 0;

/**
 * True for a request that no API covers and that carries `x-tollgate-` headers. They come from a client, and must be removed, or from
 * another policy in the same Envoy, which only the binding can tell. Another policy would have left the path in its forwarded form.
 */
export function mayBeDecidedAlready(): bool {
  return decision.reason == Reason.Unmatched && foreignCount > 0 && editCount == foreignCount;
}

/** Removes `x-tollgate-` headers from outside, except those that are replaced later, and nominations that could have ours dropped. */
function removeForeignIdentity(): void {
  for (let entry = firstEntry(), past = entry + <usize>headerCount * ENTRY_BYTES; entry < past; entry += ENTRY_BYTES) {
    const name = load<u64>(entry);
    // Every name is followed by a NUL, so even an empty one has a first byte.
    const first = byteAt(name, 0);
    if (first == 0x78) {
      if (isOwnHeader(name) && !isReplaced(name)) dropHeader(name);
    } else if (first == 0x63) {
      if (isConnection(name) && decision.reason != Reason.Unmatched) forgetNominations(load<u64>(entry, 8));
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
  // Remove all before setting any: a route may set two spellings of one name.
  for (let i = route.firstSet; i < route.firstSet + route.setCount; i++)
    removeOtherSpellings(tables.headers.at(i).name);
  for (let i = route.firstSet; i < route.firstSet + route.setCount; i++) {
    const header = tables.headers.at(i);
    setHeader(header.name, header.value);
  }
}
