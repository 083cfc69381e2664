import { Rows, Slots } from "../bytes/rows";
import { ABSENT, View, byteAt, equals, indexOf, lengthOf, spread } from "../bytes/view";
import { COMMA, isSpelling } from "../request/headers";
import { Api, ConditionKind, HeaderCondition, Route, Tables } from "../tables/tables";

/** As many routes are looked through one by one. */
const FEW_ROUTES = 16;

/** A value that a route asks of its API's key header. */
@unmanaged
class Wanted {
  value: View;
  api: i32;
  route: i32;
}

/** A header that routes ask for, and how many do. */
@unmanaged
class Candidate {
  name: View;
  count: i32;
}


@unmanaged
class RouteNumber {
  route: i32;
}

/**
 * Routes of APIs that have many, by the value that each asks of one header: the API's key header, for which most of its routes ask.
 * So the routes that a request may take are found by its values, however many there are. Routes that ask otherwise stand in a list.
 */
export class RouteIndex {
  private readonly wanted: Rows<Wanted> = new Rows<Wanted>();
  private readonly others: Rows<RouteNumber> = new Rows<RouteNumber>();
  private readonly slots: Slots = new Slots();

  /** To be called once all routes are read. */
  build(tables: Tables): void {
    for (let a = 0; a < tables.apis.count; a++) {
      const api = tables.apis.at(a);
      api.scannedRoutes = api.routeCount;
      if (api.routeCount <= FEW_ROUTES) continue;
      api.keyHeader = keyHeaderOf(tables, api);
      if (api.keyHeader != ABSENT) this.add(tables, api, a);
    }
    this.slots.reset(this.wanted.count);
    // Those with the same hash come out in the order in which they went in: that of the routes.
    for (let i = 0; i < this.wanted.count; i++)
      this.slots.put(hashOf(this.wanted.at(i).api, this.wanted.at(i).value), i);
  }

  /** The first route that asks for this value of the API's key header, or NONE; `next` has the others, in their order. */
  first(api: i32, value: View): i32 {
    return this.slots.first(hashOf(api, value));
  }

  next(): i32 {
    return this.slots.next();
  }

  /** The route of an entry that `first` or `next` found, or -1 when the entry is of another value or API. */
  routeOf(number: i32, api: i32, value: View): i32 {
    const wanted = this.wanted.at(number);
    return wanted.api == api && equals(wanted.value, value) ? wanted.route : -1;
  }

  // @ts-ignore: decorator
  @inline
  otherAt(number: i32): i32 {
    return this.others.at(number).route;
  }

  free(): void {
    this.wanted.free();
    this.others.free();
    this.slots.free();
  }

  private add(tables: Tables, api: Api, number: i32): void {
    api.scannedRoutes = 0;
    api.firstOther = this.others.count;
    for (let r = api.firstRoute; r < api.firstRoute + api.routeCount; r++) {
      const condition = keyCondition(tables, tables.routes.at(r), api.keyHeader);
      if (condition == null) {
        this.others.add().route = r;
        continue;
      }
      for (let i = condition.firstValue; i < condition.firstValue + condition.valueCount; i++) {
        const wanted = this.wanted.add();
        wanted.value = tables.values.at(i).value;
        wanted.api = number;
        wanted.route = r;
      }
    }
    api.otherCount = this.others.count - api.firstOther;
  }
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

/** FNV-1a over the value, and the API. */
function hashOf(api: i32, value: View): u32 {
  let hash: u32 = 0x811c9dc5;
  for (let i = 0, n = lengthOf(value); i < n; i++) hash = (hash ^ byteAt(value, i)) * 0x01000193;
  return spread(hash ^ spread(api));
}
