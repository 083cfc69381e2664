import { allocate } from "../bytes/arena";
import { View, byteAt, equals, hexDigit, lengthOf, pointerOf, startsWith, view } from "../bytes/view";
import { nextPair, pairName, pairValue } from "../credential/source";
import * as Request from "../request/request";
import { ConditionKind, HeaderCondition } from "../tables/route";
import { Tables } from "../tables/tables";

/** The most parameters of a query that conditions look at, because a caller may send thousands. */
const MAX_PARAMETERS = 64;


@unmanaged
class Parameter {
  name: View;
  value: View;
}

/** The first parameters of the current request's query, decoded. */
const PARAMETERS: usize = memory.data(MAX_PARAMETERS * 16, 8);
const UNREAD = -1;
let parameterCount: i32 = UNREAD;

/** To be called before a request's first condition on its query. */
export function forgetParameters(): void {
  parameterCount = UNREAD;
}

/** True when the query meets all conditions from this one to the last of its route. */
export function queryHolds(tables: Tables, first: i32): bool {
  if (parameterCount == UNREAD) readParameters();
  let at = first;
  while (parameterHolds(tables, tables.conditions.at(at))) {
    if (tables.conditions.at(at++).isLast) return true;
  }
  return false;
}

/** Each parameter once, however many conditions there are. A parameter without `=` has an empty value. */
function readParameters(): void {
  parameterCount = 0;
  for (let at = nextPair(Request.query, 1, 0x26); at >= 0; at = nextPair(Request.query, at, 0x26)) {
    if (parameterCount == MAX_PARAMETERS) return;
    const parameter = parameterAt(parameterCount++);
    parameter.name = decodeForm(pairName);
    parameter.value = decodeForm(pairValue);
  }
}

// @ts-ignore: decorator
@inline
function parameterAt(index: i32): Parameter {
  return changetype<Parameter>(PARAMETERS + <usize>index * offsetof<Parameter>());
}

/** A parameter that came several times meets a condition when one of its values does. */
function parameterHolds(tables: Tables, condition: HeaderCondition): bool {
  for (let i = 0; i < parameterCount; i++) {
    const parameter = parameterAt(i);
    if (!equals(parameter.name, condition.name)) continue;
    if (condition.kind == ConditionKind.Absent) return false;
    if (condition.kind == ConditionKind.Present || valueHolds(tables, condition, parameter.value)) return true;
  }
  return condition.kind == ConditionKind.Absent;
}

function valueHolds(tables: Tables, condition: HeaderCondition, value: View): bool {
  for (let i = condition.firstValue; i < condition.firstValue + condition.valueCount; i++) {
    const wanted = tables.values.at(i).value;
    if (condition.kind == ConditionKind.Prefix ? startsWith(value, wanted) : equals(value, wanted)) return true;
  }
  return false;
}

/** Decoded as forms are (URL standard): `+` is a space, and an invalid escape stays. */
function decodeForm(text: View): View {
  const length = lengthOf(text);
  let start: usize = 0;
  let to: usize = 0;
  for (let i = 0; i < length; i++) {
    let byte = byteAt(text, i);
    if (byte == 0x2b || byte == 0x25) {
      // Most parameters need no copy.
      if (start == 0) {
        start = allocate(length);
        to = start + <usize>i;
        memory.copy(start, pointerOf(text), i);
      }
      if (byte == 0x2b) byte = 0x20;
      else if (i + 2 < length) {
        const high = hexDigit(byteAt(text, i + 1));
        const low = hexDigit(byteAt(text, i + 2));
        if (high >= 0 && low >= 0) {
          byte = <u8>((high << 4) | low);
          i += 2;
        }
      }
    }
    if (start != 0) store<u8>(to++, byte);
  }
  return start == 0 ? text : view(start, <i32>(to - start));
}
