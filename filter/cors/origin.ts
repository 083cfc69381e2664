import { NONE } from "../bytes/rows";
import { ABSENT, View, byteAt, endsWith, equals, indexOf, lengthOf, literal, slice, startsWith } from "../bytes/view";
import { MAX_ORIGIN_BYTES } from "../config/contract";
import { findHeader, headerValue } from "../request/headers";
import { Api, Cors, Origin } from "../tables/api";
import { Tables } from "../tables/tables";

/** In place of an origin's index: the API's cors names no origin that covers the request's. */
export const FOREIGN: i32 = -2;

export const ORIGIN = literal("origin");
const REFERER = literal("referer");
const SCHEME_END = literal("://");

/** What allows the request's origin: an index into the tables' origins, FOREIGN, or NONE for a request without the header. */
export function originOf(tables: Tables, api: Api): i32 {
  const at = findHeader(ORIGIN);
  if (at < 0) return NONE;
  const cors = tables.cors.at(api.cors);
  // Browsers send one. Envoy joins several with a comma, which no origin holds.
  const origin = findHeader(ORIGIN, at + 1) < 0 ? headerValue(at) : ABSENT;
  for (let i = cors.firstOrigin, past = i + cors.originCount; i < past; i++) {
    if (covers(tables.origins.at(i), origin)) return i;
  }
  return FOREIGN;
}

/**
 * True when one of `count` origins from `first` on covers the one that a page calls from: the request's `Origin`, or without one that of its
 * `Referer`, which browsers send with what needs no CORS.
 */
export function isCalledFrom(tables: Tables, first: i32, count: i32): bool {
  const header = findHeader(ORIGIN) >= 0 ? ORIGIN : REFERER;
  const at = findHeader(header);
  if (at < 0 || findHeader(header, at + 1) >= 0) return false;
  const origin = header == ORIGIN ? headerValue(at) : originOfUrl(headerValue(at));
  if (lengthOf(origin) == 0) return false;
  for (let i = first; i < first + count; i++) {
    if (covers(tables.origins.at(i), origin)) return true;
  }
  return false;
}

/** Scheme, host and port of a URL as browsers write it; ABSENT for one that has more of these than any origin. */
function originOfUrl(url: View): View {
  const length = min(lengthOf(url), MAX_ORIGIN_BYTES + 1);
  let at = indexOf(slice(url, 0, length), 0x3a);
  if (at < 0 || at + lengthOf(SCHEME_END) > length || !startsWith(slice(url, at, length), SCHEME_END)) return ABSENT;
  at += lengthOf(SCHEME_END);
  while (at < length && !endsAuthority(byteAt(url, at))) at++;
  return at > MAX_ORIGIN_BYTES ? ABSENT : slice(url, 0, at);
}

/** True for `/`, `?` and `#`. */
function endsAuthority(byte: u8): bool {
  return byte == 0x2f || byte == 0x3f || byte == 0x23;
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
