import { View, equals, literal } from "../bytes/view";
import { ConditionKind, HAS_QUERY } from "../tables/route";
import { Tables } from "../tables/tables";
import { decodeHeader, decodeLifecycle, isLifecycle } from "./lifecycle";
import { Reader } from "./reader";
import {
  readChangeable,
  readConsumerName,
  readHeaderName,
  readHeaderValue,
  readName,
  readParameterName,
  readPrefix,
  readToken,
} from "./rule";
import { DEFAULT_ROUTE, MAX_ROUTES, MAX_ROUTE_HEADERS } from "./contract";
import * as Field from "./field";

export function decodeRoute(reader: Reader, tables: Tables, firstOfApi: i32): void {
  const index = tables.routes.count;
  if (index - firstOfApi == MAX_ROUTES) reader.fail(literal("at most %d routes"), MAX_ROUTES);
  tables.routes.add();
  reader.beginObject();
  while (reader.nextField()) {
    const route = tables.routes.at(index);
    if (reader.takes(Field.NAME, 0)) {
      route.name = readRouteName(reader, tables, firstOfApi, index);
    } else if (reader.takes(Field.HEADERS, 1)) {
      route.firstCondition = tables.conditions.count;
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodeCondition(reader, tables, false);
      route.conditionCount = tables.conditions.count - route.firstCondition;
    } else if (reader.takes(Field.METHODS, 2)) {
      route.firstMethod = tables.values.count;
      decodeMethods(reader, tables);
      route.methodCount = tables.values.count - route.firstMethod;
    } else if (reader.takes(Field.PATH, 3)) {
      route.path = tables.texts.keep(readPrefix(reader));
    } else if (reader.takes(Field.PLANS, 4)) {
      route.firstPlan = tables.references.count;
      route.planCount = decodeReferences(reader, tables);
    } else if (reader.takes(Field.CONSUMERS, 5)) {
      route.firstConsumer = tables.references.count;
      route.consumerCount |= decodeReferences(reader, tables);
    } else if (reader.takes(Field.SET_HEADERS, 6)) {
      route.firstSet = tables.headers.count;
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) {
        if (i == MAX_ROUTE_HEADERS) reader.fail(literal("at most %d headers"), MAX_ROUTE_HEADERS);
        decodeHeader(reader, tables);
      }
      route.setCount = tables.headers.count - route.firstSet;
    } else if (reader.takes(Field.REMOVE_HEADERS, 7)) {
      route.firstRemove = tables.values.count;
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) {
        if (i == MAX_ROUTE_HEADERS) reader.fail(literal("at most %d headers"), MAX_ROUTE_HEADERS);
        tables.values.add().value = tables.texts.keep(readChangeable(reader));
      }
      route.removeCount = tables.values.count - route.firstRemove;
    } else if (reader.takes(Field.REWRITE_PREFIX, 8)) {
      route.rewritePrefix = tables.texts.keep(readPrefix(reader));
    } else if (reader.takes(Field.QUERY, 9)) {
      const first = tables.conditions.count;
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodeCondition(reader, tables, true);
      if (tables.conditions.count > first) {
        route.firstQuery = first;
        route.consumerCount |= HAS_QUERY;
        tables.conditions.at(tables.conditions.count - 1).isLast = true;
      }
    } else if (isLifecycle(reader)) {
      route.lifecycle = decodeLifecycle(reader, tables, route.lifecycle);
    } else reader.unknownField();
  }
  reader.needs(0, Field.NAME);
}

function readRouteName(reader: Reader, tables: Tables, firstOfApi: i32, index: i32): View {
  const name = readName(reader);
  if (equals(name, DEFAULT_ROUTE)) reader.fail(literal('the name "default" is the API\'s own'));
  for (let i = firstOfApi; i < index; i++) {
    if (equals(tables.routes.at(i).name, name)) reader.fail(literal("a second route named %q"), name);
  }
  return tables.texts.keep(name);
}

function decodeMethods(reader: Reader, tables: Tables): void {
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) tables.values.add().value = tables.texts.keep(readToken(reader));
}

/** Names of plans or of consumers; unknown names are refused when they are resolved. */
export function decodeReferences(reader: Reader, tables: Tables): i32 {
  let count = 0;
  reader.beginArray();
  while (reader.nextItem(count)) {
    tables.references.add().name = readConsumerName(reader);
    count++;
  }
  return count;
}

/** The name of the header or parameter, and exactly one of exact, prefix, oneOf, present, absent. */
function decodeCondition(reader: Reader, tables: Tables, isQuery: bool): void {
  const condition = tables.conditions.add();
  condition.firstValue = tables.values.count;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.NAME, 0)) {
      condition.name = tables.texts.keep(isQuery ? readParameterName(reader) : readHeaderName(reader));
      continue;
    }
    reader.once(1);
    if (reader.is(Field.EXACT)) condition.kind = readOne(reader, tables, ConditionKind.Exact);
    else if (reader.is(Field.PREFIX)) condition.kind = readOne(reader, tables, ConditionKind.Prefix);
    else if (reader.is(Field.PRESENT)) condition.kind = readTrue(reader, ConditionKind.Present);
    else if (reader.is(Field.ABSENT_HEADER)) condition.kind = readTrue(reader, ConditionKind.Absent);
    else if (reader.is(Field.ONE_OF)) {
      condition.kind = ConditionKind.OneOf;
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) tables.values.add().value = tables.texts.keep(readHeaderValue(reader));
    } else reader.unknownField();
  }
  reader.needs(0, Field.NAME);
  if (!reader.has(1)) reader.fail(literal("needs one of exact, prefix, oneOf, present, absent"));
  condition.valueCount = tables.values.count - condition.firstValue;
}

function readOne(reader: Reader, tables: Tables, kind: ConditionKind): ConditionKind {
  tables.values.add().value = tables.texts.keep(readHeaderValue(reader));
  return kind;
}

function readTrue(reader: Reader, kind: ConditionKind): ConditionKind {
  if (!reader.boolean()) reader.fail(literal("must be true"));
  return kind;
}
