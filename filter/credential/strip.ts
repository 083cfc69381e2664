import { View, equals, lengthOf, literal, trim } from "../bytes/view";
import { begin, end, writeByte, writeView } from "../bytes/writer";
import { KeySourceKind } from "../tables/record";
import { Tables } from "../tables/tables";
import { removeHeader, removeSpellings, setHeader } from "../decision/edit";
import { findHeader, headerValue } from "../request/headers";
import * as Request from "../request/request";
import { credentialCount, foundSources, otherSpellings } from "./find";
import { AUTHORIZATION, stripAuthorization } from "./authorization";
import { nextPair, pair, pairName } from "./pair";
import { decodeComponent } from "./query";

const COOKIE = literal("cookie");

/** Edits that take the key out of every header and cookie that held one. The query is the path's matter. */
export function stripHeaders(tables: Tables): void {
  let cookies = false;
  let authorization = false;
  for (let i = 0; i < tables.keySources.count; i++) {
    if (!((foundSources >> i) & 1)) continue;
    const source = tables.keySources.at(i);
    if (source.kind == KeySourceKind.Header) stripHeader(source.name, i);
    else if (source.kind == KeySourceKind.Authorization) authorization = true;
    else if (source.kind == KeySourceKind.Cookie) cookies = true;
  }
  if (authorization) {
    if (credentialCount == 1) removeHeader(AUTHORIZATION);
    else stripAuthorization(tables);
  }
  if (cookies) stripCookies(tables);
}

function stripHeader(name: View, index: i32): void {
  if ((otherSpellings >> index) & 1) removeSpellings(name);
  else removeHeader(name);
}

/** The other cookies, in one header. */
function stripCookies(tables: Tables): void {
  begin();
  let some = false;
  for (let i = findHeader(COOKIE); i >= 0; i = findHeader(COOKIE, i + 1)) {
    const cookies = headerValue(i);
    for (let at = nextPair(cookies, 0, 0x3b); at >= 0; at = nextPair(cookies, at, 0x3b)) {
      if (lengthOf(trim(pair)) == 0 || isSource(tables, KeySourceKind.Cookie, trim(pairName))) continue;
      if (some) {
        writeByte(0x3b);
        writeByte(0x20);
      }
      writeView(trim(pair));
      some = true;
    }
  }
  if (some) setHeader(COOKIE, end());
  else removeHeader(COOKIE);
}

/** The query without the parameters that hold keys; the others stay byte for byte. */
export function strippedQuery(tables: Tables): View {
  const query = Request.query;
  if (!hasQuerySource(tables)) return query;
  begin(lengthOf(query));
  let separator: u8 = 0x3f;
  for (let at = nextPair(query, 1, 0x26); at >= 0; at = nextPair(query, at, 0x26)) {
    if (isSource(tables, KeySourceKind.Query, decodeComponent(pairName))) continue;
    writeByte(separator);
    writeView(pair);
    separator = 0x26;
  }
  return end();
}

function hasQuerySource(tables: Tables): bool {
  for (let i = 0; i < tables.keySources.count; i++) {
    if ((foundSources >> i) & 1 && tables.keySources.at(i).kind == KeySourceKind.Query) return true;
  }
  return false;
}

function isSource(tables: Tables, kind: KeySourceKind, name: View): bool {
  for (let i = 0; i < tables.keySources.count; i++) {
    const source = tables.keySources.at(i);
    if (source.kind == kind && equals(source.name, name)) return true;
  }
  return false;
}
