import { ABSENT, View, equals, startsWith } from "../bytes/view";
import { decision } from "../decision/decision";
import { coveredLength } from "../request/path";
import { findHeader, headerValue } from "../request/headers";
import * as Request from "../request/request";
import { ConditionKind, HeaderCondition, Route } from "../tables/record";
import { Tables } from "../tables/tables";

/** Puts the first route whose conditions all hold into the decision, or the API's default. */
export function chooseRoute(tables: Tables): void {
  const api = tables.apis.at(decision.api);
  decision.route = api.defaultRoute;
  for (let i = api.firstRoute; i < api.firstRoute + api.routeCount; i++) {
    const route = tables.routes.at(i);
    if (!holds(tables, route)) continue;
    decision.route = route.name;
    decision.routeIndex = i;
    if (route.path != ABSENT) decision.coveredBytes = coveredLength(Request.path, route.path);
    return;
  }
}

function holds(tables: Tables, route: Route): bool {
  if (route.path != ABSENT && coveredLength(Request.path, route.path) < 0) return false;
  if (route.methodCount > 0 && !isMethod(tables, route)) return false;
  if (route.planCount > 0 && !refersTo(tables, route.firstPlan, route.planCount, decision.plan)) return false;
  if (route.consumerCount > 0 && !refersTo(tables, route.firstConsumer, route.consumerCount, decision.consumer)) return false;
  for (let i = route.firstCondition; i < route.firstCondition + route.conditionCount; i++) {
    if (!headerHolds(tables, tables.conditions.at(i))) return false;
  }
  return true;
}

function isMethod(tables: Tables, route: Route): bool {
  for (let i = route.firstMethod; i < route.firstMethod + route.methodCount; i++) {
    if (equals(tables.values.at(i).value, Request.method)) return true;
  }
  return false;
}

function refersTo(tables: Tables, first: i32, count: i32, index: i32): bool {
  for (let i = first; i < first + count; i++) {
    if (tables.references.at(i).index == index) return true;
  }
  return false;
}

/** A header that came several times holds when one of its values does. */
function headerHolds(tables: Tables, condition: HeaderCondition): bool {
  let at = findHeader(condition.name);
  if (condition.kind == ConditionKind.Absent) return at < 0;
  if (condition.kind == ConditionKind.Present) return at >= 0;
  for (; at >= 0; at = findHeader(condition.name, at + 1)) {
    if (valueHolds(tables, condition, headerValue(at))) return true;
  }
  return false;
}

function valueHolds(tables: Tables, condition: HeaderCondition, value: View): bool {
  for (let i = condition.firstValue; i < condition.firstValue + condition.valueCount; i++) {
    const wanted = tables.values.at(i).value;
    if (condition.kind == ConditionKind.Prefix ? startsWith(value, wanted) : equals(value, wanted)) return true;
  }
  return false;
}
