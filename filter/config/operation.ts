import { NONE } from "../bytes/rows";
import { ABSENT, View, byteAt, equals, lengthOf, literal } from "../bytes/view";
import { isPathCharacter } from "../request/request";
import { counterId, OPERATION_ID } from "../tables/counterId";
import { Anonymous, Api, NOT_SETTLED, Operation } from "../tables/api";
import { Per } from "../tables/quota";
import { Tables } from "../tables/tables";
import { decodeLifecycle, isLifecycle } from "./lifecycle";
import { decodeQuotas } from "./plan";
import { finishQuota } from "./quota";
import { decodeReferences } from "./route";
import { Reader } from "./reader";
import { isDotSegment, readAllow, readHeaderName, readOperationName, readScope, readToken } from "./rule";
import {
  MAX_COST,
  MAX_COST_HEADER_BYTES,
  MAX_METHODS,
  MAX_OPERATIONS,
  MAX_OPERATION_PLANS,
  MAX_OPERATION_QUOTAS,
  MAX_OPERATION_SCOPES,
  MAX_PATH_BYTES,
  MAX_SAME_TEMPLATE,
  MAX_SCOPES,
  MAX_SEGMENTS,
  MAX_TRIED,
} from "./contract";
import * as Field from "./field";

/** `{"name": "showPet", "methods": ["GET"], "path": "/pets/{}", "cost": 2}` */
export function decodeOperation(reader: Reader, tables: Tables): void {
  const index = tables.operations.count;
  if (index == MAX_OPERATIONS) return reader.fail(literal("at most %d operations in all"), MAX_OPERATIONS);
  const operation = tables.operations.add();
  operation.next = NONE;
  operation.cost = 1;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.NAME, 0)) {
      operation.name = tables.texts.keep(readOperationName(reader));
    } else if (reader.takes(Field.METHODS, 1)) {
      operation.firstMethod = tables.values.count;
      operation.methodCount = decodeMethods(reader, tables);
    } else if (reader.takes(Field.PATH, 2)) {
      operation.path = tables.texts.keep(readTemplate(reader));
    } else if (reader.takes(Field.PLANS, 3)) {
      operation.firstPlan = tables.references.count;
      operation.planCount = decodeReferences(reader, tables);
      if (operation.planCount == 0 || operation.planCount > MAX_OPERATION_PLANS)
        reader.fail(literal("needs a plan, and at most %d"), MAX_OPERATION_PLANS);
    } else if (reader.takes(Field.SCOPES, 4)) {
      operation.scopes = decodeScopes(reader, tables, MAX_OPERATION_SCOPES);
      if (operation.scopes == 0) reader.fail(literal("needs a scope"));
    } else if (reader.takes(Field.COST, 5)) {
      operation.cost = reader.integer(0, MAX_COST);
    } else if (reader.takes(Field.SETTLEMENT, 8)) {
      operation.settlement = decodeSettlement(reader, tables);
    } else if (reader.takes(Field.ANONYMOUS, 6)) {
      operation.anonymous = readAllow(reader) ? Anonymous.Allow : Anonymous.Deny;
    } else if (reader.takes(Field.QUOTAS, 7)) {
      decodeQuotas(reader, tables, operation);
      tables.ownQuotas += operation.quotaCount;
      if (tables.ownQuotas > MAX_OPERATION_QUOTAS)
        reader.fail(literal("at most %d quotas of operations in all"), MAX_OPERATION_QUOTAS);
    } else if (isLifecycle(reader)) {
      operation.lifecycle = decodeLifecycle(reader, tables, operation.lifecycle);
    } else reader.unknownField();
  }
  reader.needs(0, Field.NAME);
  reader.needs(2, Field.PATH);
  checkSettlement(reader, tables, operation.settlement, operation.cost);
  if (operation.quotaCount > 0 && operation.cost == 0)
    reader.fail(literal("an operation with quotas needs a cost above 0"));
}

/** `{"header": "x-usage", "most": 1000, "successOnly": true}`: what the answers to requests say of their cost. Returns its index. */
export function decodeSettlement(reader: Reader, tables: Tables): i32 {
  if (tables.settlements.count == NOT_SETTLED) tables.settlements.add();
  const number = tables.settlements.count;
  const settlement = tables.settlements.add();
  settlement.most = MAX_COST;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.HEADER, 0)) settlement.header = tables.texts.keep(readCostHeader(reader));
    else if (reader.takes(Field.MOST, 1)) settlement.most = reader.integer(1, MAX_COST);
    else if (reader.takes(Field.SUCCESS_ONLY, 2)) settlement.successOnly = reader.boolean();
    else reader.unknownField();
  }
  return number;
}

/** A stream keeps the name until its answer is there, so it is bounded more tightly than others. */
function readCostHeader(reader: Reader): View {
  const name = readHeaderName(reader);
  if (lengthOf(name) > MAX_COST_HEADER_BYTES) reader.fail(literal("must have at most %d bytes"), MAX_COST_HEADER_BYTES);
  return name;
}

/** What is taken before the answer must not be more than the answer can make of it. */
export function checkSettlement(reader: Reader, tables: Tables, number: i32, cost: i64): void {
  if (number == NOT_SETTLED || reader.failed) return;
  if (cost == 0) reader.fail(literal("settlement needs a cost above 0"));
  const settlement = tables.settlements.at(number);
  if (settlement.most < cost) reader.fail(literal("settlement: most must be at least the cost"));
}

function decodeMethods(reader: Reader, tables: Tables): i32 {
  const first = tables.values.count;
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    if (i == MAX_METHODS) reader.fail(literal("at most %d methods"), MAX_METHODS);
    const method = readToken(reader);
    for (let k = first; k < tables.values.count; k++) {
      if (equals(tables.values.at(k).value, method)) reader.fail(literal("method given twice"));
    }
    tables.values.add().value = tables.texts.keep(method);
  }
  if (tables.values.count == first) reader.fail(literal("needs a method; leave the field out for any"));
  return tables.values.count - first;
}

/** A bit for each scope, by the order in which the config names them first. */
export function decodeScopes(reader: Reader, tables: Tables, most: i32): u64 {
  let bits: u64 = 0;
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    if (i == most) reader.fail(literal("at most %d scopes"), most);
    const bit = (<u64>1) << scopeNumber(reader, tables, readScope(reader));
    if ((bits & bit) != 0) reader.fail(literal("scope given twice"));
    bits |= bit;
  }
  return bits;
}

function scopeNumber(reader: Reader, tables: Tables, name: View): u64 {
  for (let i = 0; i < tables.scopes.count; i++) {
    if (equals(tables.scopes.at(i).value, name)) return i;
  }
  if (tables.scopes.count == MAX_SCOPES) {
    reader.fail(literal("at most %d scopes in all"), MAX_SCOPES);
    return 0;
  }
  tables.scopes.add().value = tables.texts.keep(name);
  return tables.scopes.count - 1;
}

const TEMPLATE_RULE = literal(
  "must be a template: '/' first, then segments of letters, digits and -._~!$&'()+,=:@ with at most one '{}', or '{...}' at the end",
);
const SLASH: u8 = 0x2f;
const OPEN: u8 = 0x7b;
const CLOSE: u8 = 0x7d;
const DOT: u8 = 0x2e;
const STAR: u8 = 0x2a;

/** Without a slash at its end, so that a template has one spelling. */
function readTemplate(reader: Reader): View {
  const path = reader.text(1, MAX_PATH_BYTES);
  if (reader.failed) return path;
  const length = lengthOf(path);
  let good: bool = byteAt(path, 0) == SLASH && (length == 1 || byteAt(path, length - 1) != SLASH);
  let segments = 0;
  for (let at = 1; at < length && good; at++) {
    const end = readSegment(path, at);
    good = end > at && ++segments <= MAX_SEGMENTS;
    at = end;
  }
  if (!good) reader.fail(TEMPLATE_RULE);
  return path;
}

/** Where the segment at `at` ends; `at` for one that is none. */
function readSegment(path: View, at: i32): i32 {
  const length = lengthOf(path);
  let variables = 0;
  let i = at;
  for (; i < length && byteAt(path, i) != SLASH; i++) {
    const byte = byteAt(path, i);
    if (byte != OPEN) {
      if (!isPathCharacter(byte) || byte == STAR) return at;
      continue;
    }
    if (isRest(path, i)) return i == at && i + 5 == length ? length : at;
    if (i + 1 >= length || byteAt(path, i + 1) != CLOSE || ++variables > 1) return at;
    i++;
  }
  const first = byteAt(path, at);
  return isDotSegment(path, at) || (variables == 0 && first == 0x3a) ? at : i;
}

function isRest(path: View, at: i32): bool {
  if (at + 5 > lengthOf(path)) return false;
  return (
    byteAt(path, at + 1) == DOT &&
    byteAt(path, at + 2) == DOT &&
    byteAt(path, at + 3) == DOT &&
    byteAt(path, at + 4) == CLOSE
  );
}

/** Puts the operations of an API into the tree; to be called once all are read. */
export function plantOperations(reader: Reader, tables: Tables, api: Api): void {
  const tree = tables.operationTree;
  api.operationRoot = tree.root();
  for (let i = api.firstOperation; i < api.firstOperation + api.operationCount; i++) {
    const operation = tables.operations.at(i);
    operation.id = counterId(OPERATION_ID, 0, operation.name) ^ api.id;
    finishQuotas(reader, tables, operation);
    const node = tree.open(api.operationRoot, operation.path);
    let twins = 0;
    let last = NONE;
    for (let k = tree.at(node).operation; k != NONE; k = tables.operations.at(k).next) {
      if (operation.mePerMinute > 0 || overlap(tables, operation, tables.operations.at(k)))
        return reader.fail(literal("API %q has two operations for one method and %q"), api.name, operation.path);
      if (++twins == MAX_SAME_TEMPLATE)
        return reader.fail(literal("API %q has more than %d operations at one path"), api.name, MAX_SAME_TEMPLATE);
      last = k;
    }
    if (last == NONE) tree.at(node).operation = i;
    else tables.operations.at(last).next = i;
  }
  if (tree.measure(api.operationRoot) > MAX_TRIED)
    reader.fail(
      literal("API %q has operations of which a path may have to try more than %d segments"),
      api.name,
      MAX_TRIED,
    );
}

/** Counters of an operation's own quotas are known by the names of API, operation and quota, wherever the operation lies. */
function finishQuotas(reader: Reader, tables: Tables, operation: Operation): void {
  for (let i = operation.firstQuota; i < operation.firstQuota + operation.quotaCount; i++) {
    const quota = tables.quotas.at(i);
    if (quota.per != Per.Consumer)
      reader.fail(literal("per goes with a plan's quota; an operation's is counted for itself"));
    finishQuota(quota);
    if (quota.counter != ABSENT) reader.fail(literal("counter goes with a plan's quota"));
    if (quota.warnAt != 0) reader.fail(literal("warnAt goes with a plan's quota"));
    quota.meter ^= operation.id;
    quota.ownMeter = quota.meter;
  }
}

/** True for two operations of one template that both take any method, or the same one. */
function overlap(tables: Tables, one: Operation, other: Operation): bool {
  if (one.methodCount == 0 || other.methodCount == 0) return one.methodCount == other.methodCount;
  for (let i = 0; i < one.methodCount; i++) {
    for (let k = 0; k < other.methodCount; k++) {
      if (equals(tables.values.at(one.firstMethod + i).value, tables.values.at(other.firstMethod + k).value))
        return true;
    }
  }
  return false;
}
