import { NONE } from "../bytes/rows";
import { View, byteAt, equals, literal, pointerOf } from "../bytes/view";
import { findKey } from "../credential/key";
import { stripHeaders } from "../credential/strip";
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
import { removeForged, writeIdentity } from "./identity";
import { writeAuthority, writePath, writeUnknownPath, writeUnmatchedPath } from "./path";

const CONSUMER = literal("x-tollgate-consumer");
const PLAN = literal("x-tollgate-plan");
const ROUTE = literal("x-tollgate-route");
/** The third and fourth byte of `x-tollgate-`. */
const T_AND_O: u16 = 0x6f74;

/**
 * Writes the edits that an allowed request needs: the key and forged identity headers removed, the route's headers, and the headers
 * that the upstream and Envoy's route table read.
 */
export function writeEdits(tables: Tables): void {
  removeForeignIdentity(tables);
  foreignCount = editCount;
  // Those that another policy in this Envoy has left in its own names are not among them: nothing proves that they are its.
  if (tables.choosesIdentity) removeForged(tables);
  if (decision.reason == Reason.Unmatched) return writeUnmatchedPath();
  stripHeaders();
  const route: Route | null = decision.routeIndex == NONE ? null : tables.routes.at(decision.routeIndex);
  if (route != null) writeRouteHeaders(tables, route);
  writePath(tables, route);
  writeAuthority();
  if (tables.choosesIdentity) return writeIdentity(tables);
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
    removeForeignIdentity(tables);
    foreignCount = editCount;
    if (tables.choosesIdentity) removeForged(tables);
  }
  findKey(tables.keySourceList);
  stripHeaders();
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
function removeForeignIdentity(tables: Tables): void {
  for (let entry = firstEntry(), past = entry + <usize>headerCount * ENTRY_BYTES; entry < past; entry += ENTRY_BYTES) {
    const name = load<u64>(entry);
    // Every name is followed by a NUL, so even an empty one has a first byte.
    const first = byteAt(name, 0);
    if (first == 0x78) {
      // Every name is followed by a NUL, so there are two more bytes to look at, or the value's.
      if (load<u16>(pointerOf(name), 2) == T_AND_O && isOwnHeader(name) && !isReplaced(tables, name)) dropHeader(name);
    } else if (first == 0x63) {
      if (isConnection(name) && decision.reason != Reason.Unmatched) forgetNominations(load<u64>(entry, 8));
    }
  }
}

/** Where the policy chooses, what a client sent under our names goes in any case: it is rare, and they may not be among the chosen. */
function isReplaced(tables: Tables, name: View): bool {
  if (tables.choosesIdentity || decision.reason == Reason.Unmatched) return false;
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
