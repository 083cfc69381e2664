import { View, byteAt, equals, isTokenByte, lengthOf, startsLower, trim } from "../bytes/view";
import { begin, end, writeByte, writeView } from "../bytes/arena";
import {
  COMMA,
  dropHeader,
  findHeader,
  findSpelling,
  headerValue,
  isSpelling,
  member,
  nextMember,
  removeSpellings,
  setHeader,
} from "../request/headers";
import { ForwardKey, KEY_SOURCE_BYTES, KeySource, KeySourceKind } from "../tables/keySource";
import { AUTHORIZATION, beginCredentials, sourceOf } from "./authorization";
import { credentialCount, foundSources, otherSpellings, searched } from "./key";
import { COOKIE, decodeComponent, nextPair, pair, pairName } from "./source";
import * as Request from "../request/request";

/*
 * What `findKey` found is taken off the request, in all sources that it looked in, unless the upstream may see it. Places where other APIs
 * look are not touched.
 */

/** Adds edits that remove the key from every header and cookie that held one. The query is edited with the path. */
export function stripHeaders(): void {
  if (searched.forwardKey == ForwardKey.Yes) return;
  let cookies = false;
  let authorization = false;
  for (let at = searched.firstSource, past = searched.pastSource; at < past; at += KEY_SOURCE_BYTES) {
    const source = changetype<KeySource>(at);
    if (!(foundSources & source.bit)) continue;
    if (source.kind == KeySourceKind.Header) stripHeader(source);
    else if (source.kind >= KeySourceKind.Bare) authorization = true;
    else if (source.kind == KeySourceKind.Cookie) cookies = true;
    else if (source.kind == KeySourceKind.PrefixedHeader) stripPrefixed(source.name);
  }
  if (authorization) {
    if (credentialCount == 1) dropHeader(AUTHORIZATION);
    else stripAuthorization();
  }
  if (cookies) stripCookies();
}

function stripHeader(source: KeySource): void {
  if (otherSpellings & source.bit) removeSpellings(source.name);
  else dropHeader(source.name);
}

/** Values without a prefix of the list stay, in one header, under the name that the policy has for it. */
function stripPrefixed(name: View): void {
  removeSpellings(name);
  begin();
  let some = false;
  for (let i = findSpelling(name); i >= 0; i = findSpelling(name, i + 1)) {
    const value = trim(headerValue(i));
    if (holdsPrefix(name, value)) continue;
    if (some) {
      writeByte(COMMA);
      writeByte(0x20);
    }
    writeView(value);
    some = true;
  }
  if (some) setHeader(name, end());
}

function holdsPrefix(name: View, value: View): bool {
  for (let at = searched.firstSource; at < searched.pastSource; at += KEY_SOURCE_BYTES) {
    const source = changetype<KeySource>(at);
    if (
      source.kind == KeySourceKind.PrefixedHeader &&
      isSpelling(source.name, name) &&
      startsLower(value, source.prefix)
    )
      return true;
  }
  return false;
}

/** Removes the credentials that the list's sources are about from the header; others stay as they are. */
function stripAuthorization(): void {
  begin();
  beginCredentials();
  let some = false;
  for (let i = findHeader(AUTHORIZATION); i >= 0; i = findHeader(AUTHORIZATION, i + 1)) {
    const list = headerValue(i);
    for (let at = nextMember(list, 0); at >= 0; at = nextMember(list, at)) {
      if (sourceOf(searched, member) != null) continue;
      if (some) writeByte(COMMA);
      writeView(member);
      some = true;
    }
  }
  const rest = trim(end());
  if (hasCredentials(rest)) setHeader(AUTHORIZATION, rest);
  else dropHeader(AUTHORIZATION);
}

/** False when the list has only commas and spaces. */
function hasCredentials(list: View): bool {
  for (let i = 0, n = lengthOf(list); i < n; i++) {
    if (isTokenByte(byteAt(list, i))) return true;
  }
  return false;
}

/** Keeps the other cookies, in one header. */
function stripCookies(): void {
  begin();
  let some = false;
  for (let i = findHeader(COOKIE); i >= 0; i = findHeader(COOKIE, i + 1)) {
    const cookies = headerValue(i);
    for (let at = nextPair(cookies, 0, 0x3b); at >= 0; at = nextPair(cookies, at, 0x3b)) {
      if (lengthOf(trim(pair)) == 0 || isSource(KeySourceKind.Cookie, trim(pairName))) continue;
      if (some) {
        writeByte(0x3b);
        writeByte(0x20);
      }
      writeView(trim(pair));
      some = true;
    }
  }
  if (some) setHeader(COOKIE, end());
  else dropHeader(COOKIE);
}

/** The query that the upstream gets: without the key, unless it may see that. */
export function forwardedQuery(): View {
  return searched.forwardKey == ForwardKey.Yes ? Request.query : strippedQuery();
}

/** The query without the parameters that hold keys; the others are unchanged byte for byte. */
export function strippedQuery(): View {
  const query = Request.query;
  if (foundSources == 0 || !isQueryFound()) return query;
  begin(lengthOf(query));
  let separator: u8 = 0x3f;
  for (let at = nextPair(query, 1, 0x26); at >= 0; at = nextPair(query, at, 0x26)) {
    if (isSource(KeySourceKind.Query, decodeComponent(pairName))) continue;
    writeByte(separator);
    writeView(pair);
    separator = 0x26;
  }
  return end();
}

function isQueryFound(): bool {
  for (let at = searched.firstSource; at < searched.pastSource; at += KEY_SOURCE_BYTES) {
    const source = changetype<KeySource>(at);
    if ((foundSources & source.bit) != 0 && source.kind == KeySourceKind.Query) return true;
  }
  return false;
}

function isSource(kind: KeySourceKind, name: View): bool {
  for (let at = searched.firstSource; at < searched.pastSource; at += KEY_SOURCE_BYTES) {
    const source = changetype<KeySource>(at);
    if (source.kind == kind && equals(source.name, name)) return true;
  }
  return false;
}
