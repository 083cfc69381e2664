import { NONE } from "../bytes/rows";
import { ABSENT, View, byteAt, endsWith, equals, lengthOf, literal, startsWith } from "../bytes/view";
import { MAX_ORIGIN_BYTES } from "../config/contract";
import { findHeader, headerValue } from "../request/headers";
import { Api, Cors, Origin } from "../tables/api";
import { Tables } from "../tables/tables";

/** In place of an origin's index: the API's cors names no origin that covers the request's. */
export const FOREIGN: i32 = -2;

export const ORIGIN = literal("origin");

/** What allows the request's origin: an index into the tables' origins, FOREIGN, or NONE for a request without the header. */
export function originOf(tables: Tables, api: Api): i32 {
  const at = findHeader(ORIGIN);
  if (at < 0) return NONE;
  const cors = tables.cors.at(api.cors);
  // Browsers send one. Envoy joins several with a comma, which no origin holds.
  const origin = findHeader(ORIGIN, at + 1) < 0 ? headerValue(at) : ABSENT;
  for (let i = cors.firstOrigin; i < cors.firstOrigin + cors.originCount; i++) {
    if (covers(tables.origins.at(i), origin)) return i;
  }
  return FOREIGN;
}

/** The origin as the request spells it: what the answer must name where a wildcard covers it. */
export function sentOrigin(): View {
  return headerValue(findHeader(ORIGIN));
}

/** The settings of the API whose origin this is. */
export function corsOf(tables: Tables, origin: i32): Cors {
  return tables.cors.at(tables.origins.at(origin).cors);
}

function covers(allowed: Origin, origin: View): bool {
  if (allowed.isAny) return true;
  if (allowed.domain == ABSENT) return equals(allowed.start, origin);
  const length = lengthOf(origin);
  if (length > MAX_ORIGIN_BYTES || !startsWith(origin, allowed.start) || !endsWith(origin, allowed.domain))
    return false;
  return isName(origin, lengthOf(allowed.start), length - lengthOf(allowed.domain));
}

/** True when there are labels of a host from `from` up to `to`, which is a dot, and nothing else. */
function isName(origin: View, from: i32, to: i32): bool {
  if (from >= to) return false;
  let isStart = true;
  for (let i = from; i < to; i++) {
    const byte = byteAt(origin, i);
    if (byte == 0x2e) {
      if (isStart) return false;
      isStart = true;
      continue;
    }
    if (<u32>byte - 0x61 >= 26 && <u32>byte - 0x30 >= 10 && byte != 0x2d && byte != 0x5f) return false;
    isStart = false;
  }
  return !isStart;
}
