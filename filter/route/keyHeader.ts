import { Rows } from "../bytes/rows";
import { ABSENT, View, equals, indexOf, lengthOf, literal } from "../bytes/view";
import { COMMA, isSpelling } from "../request/headers";
import { Api } from "../tables/api";
import { ConditionKind, HAS_QUERY, HeaderCondition, Route } from "../tables/route";
import { Tables } from "../tables/tables";

/** No header is called so. */
const NO_HEADER = literal("");
/** As many routes are looked through one by one. */
const FEW_ROUTES = 16;

/** A header that routes ask for, and how many do. */
@unmanaged
class Candidate {
  name: View;
  count: i32;
}

/** Makes the index of the routes of all APIs that have many; to be called once all routes are linked. */
export function indexRoutes(tables: Tables): void {
  for (let a = 0; a < tables.apis.count; a++) {
    const api = tables.apis.at(a);
    api.scannedRoutes = api.routeCount;
    if (api.routeCount > FEW_ROUTES) api.keyHeader = keyHeaderOf(tables, api);
    if (api.keyHeader == ABSENT && asksQuery(tables, api)) api.keyHeader = NO_HEADER;
    if (api.keyHeader != ABSENT) indexApi(tables, api, a);
  }
  tables.routeIndex.build();
}

/** Who looks at the query goes the longer way, so that the others need not ask whether somebody does. */
function asksQuery(tables: Tables, api: Api): bool {
  for (let r = api.firstRoute; r < api.firstRoute + api.routeCount; r++) {
    if (tables.routes.at(r).consumerCount >= HAS_QUERY) return true;
  }
  return false;
}

function indexApi(tables: Tables, api: Api, number: i32): void {
  const index = tables.routeIndex;
  api.scannedRoutes = 0;
  api.firstOther = index.otherCount;
  for (let r = api.firstRoute; r < api.firstRoute + api.routeCount; r++) {
    const condition = keyCondition(tables, tables.routes.at(r), api.keyHeader);
    if (condition == null) {
      index.addOther(r);
      continue;
    }
    for (let i = condition.firstValue; i < condition.firstValue + condition.valueCount; i++)
      index.want(number, tables.values.at(i).value, r);
  }
  api.otherCount = index.otherCount - api.firstOther;
}

/** The header that most routes of the API ask for in a way that the index knows, or ABSENT. */
function keyHeaderOf(tables: Tables, api: Api): View {
  const candidates = new Rows<Candidate>();
  let most = 0;
  let found: View = ABSENT;
  for (let r = api.firstRoute; r < api.firstRoute + api.routeCount; r++) {
    const route = tables.routes.at(r);
    for (let i = route.firstCondition; i < route.firstCondition + route.conditionCount; i++) {
      const condition = tables.conditions.at(i);
      if (!isIndexed(tables, condition)) continue;
      const candidate = open(candidates, condition.name);
      if (++candidate.count <= most) continue;
      most = candidate.count;
      found = candidate.name;
    }
  }
  candidates.free();
  return found;
}

function open(candidates: Rows<Candidate>, name: View): Candidate {
  for (let i = 0; i < candidates.count; i++) {
    if (equals(candidates.at(i).name, name)) return candidates.at(i);
  }
  const candidate = candidates.add();
  candidate.name = name;
  return candidate;
}

function keyCondition(tables: Tables, route: Route, header: View): HeaderCondition | null {
  for (let i = route.firstCondition; i < route.firstCondition + route.conditionCount; i++) {
    const condition = tables.conditions.at(i);
    if (isSpelling(condition.name, header) && isIndexed(tables, condition)) return condition;
  }
  return null;
}

/** True for a condition on whole values without commas: only those stand in one member of a header. */
function isIndexed(tables: Tables, condition: HeaderCondition): bool {
  if (condition.kind != ConditionKind.Exact && condition.kind != ConditionKind.OneOf) return false;
  for (let i = condition.firstValue; i < condition.firstValue + condition.valueCount; i++) {
    const value = tables.values.at(i).value;
    if (lengthOf(value) == 0 || indexOf(value, COMMA) >= 0) return false;
  }
  return condition.valueCount > 0;
}
