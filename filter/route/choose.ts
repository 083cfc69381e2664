import { NONE } from "../bytes/rows";
import { ABSENT, View, byteAt, equals, indexOf, isSpace, lengthOf, slice, startsWith, trim } from "../bytes/view";
import { decision } from "../decision/decision";
import { Cover, cover, coveredLength } from "../match/trie";
import { COMMA, findSpelling, headerValue, member, nextMember } from "../request/headers";
import { NO_LIFECYCLE } from "../tables/lifecycle";
import { Api } from "../tables/api";
import { ConditionKind, HAS_QUERY, HeaderCondition, Route } from "../tables/route";
import { Tables } from "../tables/tables";
import { forgetParameters, queryHolds } from "./parameters";
import * as Request from "../request/request";

/** The most list members of one header that a condition looks at, because a caller may send a header full of commas. */
const MAX_MEMBERS = 64;

/**
 * Sets the decision's route: the first route whose conditions all hold, or the API's default. Returns the lifecycle of the route, which
 * the default has none of.
 */
export function chooseRoute(tables: Tables): i32 {
  const api = tables.apis.at(decision.api);
  for (let i = api.firstRoute, end = i + api.scannedRoutes; i < end; i++) {
    if (holds(tables, tables.routes.at(i))) return take(tables, i);
  }
  decision.route = api.defaultRoute;
  if (api.keyHeader == ABSENT) return NO_LIFECYCLE;
  const found = findByIndex(tables, api);
  return found == NONE ? NO_LIFECYCLE : take(tables, found);
}

function take(tables: Tables, number: i32): i32 {
  const route = tables.routes.at(number);
  decision.route = route.name;
  decision.routeIndex = number;
  if (route.path != ABSENT && liesUnder(route.path)) decision.coveredBytes = <u16>coveredLength;
  return route.lifecycle;
}

/** The first route whose conditions all hold, of an API with an index of its routes, or with conditions on the query. */
function findByIndex(tables: Tables, api: Api): i32 {
  let found = NONE;
  forgetParameters();
  for (let at = findSpelling(api.keyHeader); at >= 0; at = findSpelling(api.keyHeader, at + 1)) {
    const value = headerValue(at);
    let from = 0;
    for (let members = 0; members < MAX_MEMBERS && from >= 0; members++) {
      from = nextMember(value, from);
      if (from >= 0) found = findByValue(tables, trim(member), found);
    }
  }
  for (let i = api.firstOther, end = i + api.otherCount; i < end; i++) {
    const number = tables.routeIndex.otherAt(i);
    if (found != NONE && number > found) break;
    if (holds(tables, tables.routes.at(number))) return number;
  }
  return found;
}

/** The first route before `found` that asks for this value and whose conditions all hold, or `found`. */
function findByValue(tables: Tables, value: View, found: i32): i32 {
  const index = tables.routeIndex;
  for (let i = index.first(decision.api, value); i != NONE; i = index.next()) {
    const number = index.routeOf(i, decision.api, value);
    if (found != NONE && number >= found) return found;
    if (number >= 0 && holds(tables, tables.routes.at(number))) return number;
  }
  return found;
}

function holds(tables: Tables, route: Route): bool {
  if (route.path != ABSENT && !liesUnder(route.path)) return false;
  if (route.methodCount > 0 && !isMethod(tables, route)) return false;
  if (route.planCount > 0 && !refersTo(tables, route.firstPlan, route.planCount, decision.plan)) return false;
  if (route.consumerCount > 0 && !callerAndQueryHold(tables, route)) return false;
  for (let i = route.firstCondition; i < route.firstCondition + route.conditionCount; i++) {
    if (!headerHolds(tables, tables.conditions.at(i))) return false;
  }
  return true;
}

function callerAndQueryHold(tables: Tables, route: Route): bool {
  const count = route.consumerCount;
  if (count < HAS_QUERY) return refersTo(tables, route.firstConsumer, count, decision.consumer);
  const consumers = count - HAS_QUERY;
  if (consumers > 0 && !refersTo(tables, route.firstConsumer, consumers, decision.consumer)) return false;
  return queryHolds(tables, route.firstQuery);
}

/** Path parameters are ignored: by now it is certain that the path leads to the same API with and without them. */
function liesUnder(path: View): bool {
  const found = cover(Request.path, path);
  return found == Cover.Exact || found == Cover.WithoutParameters;
}

function isMethod(tables: Tables, route: Route): bool {
  for (let i = route.firstMethod; i < route.firstMethod + <i32>route.methodCount; i++) {
    if (equals(tables.values.at(i).value, Request.method)) return true;
  }
  return false;
}

function refersTo(tables: Tables, first: i32, count: u32, index: i32): bool {
  for (let i = first; i < first + <i32>count; i++) {
    if (tables.references.at(i).index == index) return true;
  }
  return false;
}

/** A header with several values, on several lines or joined with commas, meets a condition when one of the values does. */
function headerHolds(tables: Tables, condition: HeaderCondition): bool {
  let at = findSpelling(condition.name);
  if (condition.kind == ConditionKind.Absent) return at < 0;
  if (condition.kind == ConditionKind.Present) return at >= 0;
  for (; at >= 0; at = findSpelling(condition.name, at + 1)) {
    if (valueHolds(tables, condition, headerValue(at))) return true;
  }
  return false;
}

function valueHolds(tables: Tables, condition: HeaderCondition, value: View): bool {
  for (let i = condition.firstValue; i < condition.firstValue + condition.valueCount; i++) {
    if (holdsIn(value, tables.values.at(i).value, condition.kind == ConditionKind.Prefix)) return true;
  }
  return false;
}

/**
 * True when the whole value, or a run of its comma-separated members, equals `wanted` or begins with it: several header lines may
 * have been joined with commas. A run of members, because one line may contain commas itself, as dates and user agents do.
 */
function holdsIn(value: View, wanted: View, prefix: bool): bool {
  if (prefix ? startsWith(value, wanted) : equals(value, wanted)) return true;
  let start = 0;
  for (let members = 0; members < MAX_MEMBERS; members++) {
    const comma = indexOf(value, COMMA, start);
    if (comma < 0 && start == 0) return false;
    if (beginsRun(slice(value, skipSpaces(value, start), lengthOf(value)), wanted, prefix)) return true;
    if (comma < 0) return false;
    start = comma + 1;
  }
  return false;
}

function beginsRun(rest: View, wanted: View, prefix: bool): bool {
  if (!startsWith(rest, wanted)) return false;
  const after = skipSpaces(rest, lengthOf(wanted));
  return prefix || after == lengthOf(rest) || byteAt(rest, after) == COMMA;
}

function skipSpaces(value: View, from: i32): i32 {
  let at = from;
  while (at < lengthOf(value) && isSpace(byteAt(value, at))) at++;
  return at;
}
