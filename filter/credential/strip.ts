import { begin, end, writeByte, writeView } from "../bytes/arena";
import { ABSENT, View, byteAt, equals, isTokenByte, lengthOf, literal, trim } from "../bytes/view";
import {
  COMMA,
  findHeader,
  headerValue,
  member,
  nextMember,
  removeHeader,
  removeSpellings,
  setHeader,
} from "../request/headers";
import { KeySourceKind } from "../tables/record";
import { Tables } from "../tables/tables";
import { credentialCount, foundSources, otherSpellings } from "./find";
import { AUTHORIZATION, credentialsOf, decodeComponent, nextPair, pair, pairName } from "./source";
import * as Request from "../request/request";

const COOKIE = literal("cookie");

/** Adds edits that remove the key from every header and cookie that held one. The query is handled with the path. */
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

/** Removes the credentials of the policy's schemes from the header; others stay as they are. */
function stripAuthorization(tables: Tables): void {
  begin();
  let some = false;
  for (let i = findHeader(AUTHORIZATION); i >= 0; i = findHeader(AUTHORIZATION, i + 1)) {
    const list = headerValue(i);
    for (let at = nextMember(list, 0); at >= 0; at = nextMember(list, at)) {
      if (isOfPolicy(tables, member)) continue;
      if (some) writeByte(COMMA);
      writeView(member);
      some = true;
    }
  }
  const rest = trim(end());
  if (hasCredentials(rest)) setHeader(AUTHORIZATION, rest);
  else removeHeader(AUTHORIZATION);
}

function isOfPolicy(tables: Tables, credentials: View): bool {
  for (let i = 0; i < tables.keySources.count; i++) {
    const source = tables.keySources.at(i);
    if (source.kind == KeySourceKind.Authorization && credentialsOf(credentials, source.name) != ABSENT) return true;
  }
  return false;
}

/** False for nothing but commas and spaces. */
function hasCredentials(list: View): bool {
  for (let i = 0, n = lengthOf(list); i < n; i++) {
    if (isTokenByte(byteAt(list, i))) return true;
  }
  return false;
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
