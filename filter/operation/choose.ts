import { begin, end, writeView } from "../bytes/arena";
import { NONE } from "../bytes/rows";
import { ABSENT, View, byteAt, equals, lengthOf, literal } from "../bytes/view";
import { Reason, decision } from "../decision/decision";
import { Api, Operation } from "../tables/api";
import { Tables } from "../tables/tables";
import { isAmbiguous, matchTemplate } from "./match";
import * as Request from "../request/request";

const GET = literal("GET");
const HEAD = literal("HEAD");
const SEPARATOR = literal(", ");

/** The node whose template matched, or NONE: its operations are what the request may be. */
let matched: i32 = NONE;

/**
 * Finds the operation of a request to an API that lists some: the template first, then the method. Returns `Allowed` when the request
 * may go on, with `decision.operation` set unless it is an unlisted one that the API lets pass.
 */
export function chooseOperation(tables: Tables, api: Api): Reason {
  matched = matchTemplate(tables.operationTree, api.operationRoot, Request.path, decision.coveredBytes);
  if (matched == NONE) {
    if (!api.unlistedAllowed) return Reason.NoOperation;
    return isAmbiguous ? Reason.InvalidPath : Reason.Allowed;
  }
  if (isAmbiguous) return Reason.InvalidPath;
  decision.operation = find(tables, Request.method);
  // Servers answer HEAD with what they have for GET.
  if (decision.operation == NONE && equals(Request.method, HEAD)) decision.operation = find(tables, GET);
  if (decision.operation != NONE || (api.unlistedAllowed && !isMe(tables, api))) return Reason.Allowed;
  return Reason.MethodNotAllowed;
}

/** True at the path at which the API tells callers of their quotas: that is listed wherever it is given. */
function isMe(tables: Tables, api: Api): bool {
  return api.mePath != ABSENT && tables.operations.at(tables.operationTree.at(matched).operation).mePerMinute > 0;
}

/** The operation that names the method, or else the one that takes any; NONE if there is neither. */
function find(tables: Tables, method: View): i32 {
  let any = NONE;
  for (let i = tables.operationTree.at(matched).operation; i != NONE; i = tables.operations.at(i).next) {
    const operation = tables.operations.at(i);
    if (operation.methodCount == 0) any = i;
    for (let m = 0; m < operation.methodCount; m++) {
      if (equals(tables.values.at(operation.firstMethod + m).value, method)) return i;
    }
  }
  return any;
}

/** The methods that the path of a request takes whose method it does not: for the header that RFC 9110 requires with a 405. */
export function allowedMethods(tables: Tables): View {
  begin();
  let some = false;
  for (let i = tables.operationTree.at(matched).operation; i != NONE; i = tables.operations.at(i).next) {
    const operation = tables.operations.at(i);
    for (let m = 0; m < operation.methodCount; m++) {
      if (some) writeView(SEPARATOR);
      writeView(tables.values.at(operation.firstMethod + m).value);
      some = true;
    }
  }
  return end();
}

const SLASH: u8 = 0x2f;
const OPEN: u8 = 0x7b;

/** Bytes of a template's first segments up to one with a variable: what a redirect of the operation replaces. */
export function literalBytes(template: View): i32 {
  let covered = 0;
  for (let i = 1, n = lengthOf(template); i <= n; i++) {
    if (i < n && byteAt(template, i) == OPEN) return covered;
    if (i == n || byteAt(template, i) == SLASH) covered = i;
  }
  return lengthOf(template) == 1 ? 0 : covered;
}

/** Whether the caller's plan and scopes are what the operation asks for. */
export function admit(tables: Tables): Reason {
  const operation = tables.operations.at(decision.operation);
  if (operation.planCount > 0 && !isAmongPlans(tables, operation)) return Reason.OperationNotInPlan;
  const asked = operation.scopes;
  if (asked == 0) return Reason.Allowed;
  let held = scopesOf(tables, decision.consumer);
  if (tables.narrowsScopes && decision.keyId == narrowedKey) held &= narrowedScopes;
  return (asked & ~held) == 0 ? Reason.Allowed : Reason.MissingScope;
}

/** The key whose scopes were read last, and a bit for each that it has if its consumer has it. */
let narrowedKey: View = ABSENT;
let narrowedScopes: u64 = u64.MAX_VALUE;

/** Notes that a request comes with a key that may have fewer scopes than its consumer; ABSENT when a policy comes, whose keys may lie where others lay. */
export function narrowScopes(key: View, scopes: u64): void {
  narrowedKey = key;
  narrowedScopes = scopes;
}

function isAmongPlans(tables: Tables, operation: Operation): bool {
  for (let i = 0; i < operation.planCount; i++) {
    if (tables.references.at(operation.firstPlan + i).index == decision.plan) return true;
  }
  return false;
}

/** A bit for each scope that the consumer has. */
function scopesOf(tables: Tables, consumer: i32): u64 {
  const place = placeOfGrant(tables, consumer);
  return place < tables.grants.count && tables.grants.at(place).consumer == consumer
    ? tables.grants.at(place).scopes
    : 0;
}

/** The index of the consumer's grant, if it has one; those who have some stand in order. */
// @ts-ignore: decorator
@inline
export function placeOfGrant(tables: Tables, consumer: i32): i32 {
  let low = 0;
  let high = tables.grants.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tables.grants.at(middle).consumer < consumer) low = middle + 1;
    else high = middle;
  }
  return low;
}
