import { ABSENT, ONES, View, byteAt, equals, isTokenByte, lengthOf, literal, pointerOf, trim } from "../bytes/view";
import { MAX_KEY_BYTES } from "../config/contract";
import {
  COMMA,
  dropHeader,
  findHeader,
  findSpelling,
  headerName,
  headerValue,
  member,
  nextMember,
  removeSpellings,
  setHeader,
} from "../request/headers";
import { KeySource, KeySourceKind } from "../tables/consumer";
import { Tables } from "../tables/tables";
import {
  AUTHORIZATION,
  MAX_CREDENTIALS,
  credentialsOf,
  decodeComponent,
  nextPair,
  pair,
  pairName,
  pairValue,
} from "./source";
import * as Request from "../request/request";
import { begin, end, writeByte, writeView } from "../bytes/arena";

const COOKIE = literal("cookie");

/** What was found of a key; or, by `findCredential`, of other credentials. */
export const enum Finding {
  Found,
  Malformed,
  Missing,
  Ambiguous,
  /** A workload's certificate. */
  Workload,
  /** No credential, where the API takes no keys. */
  Nothing,
}

/** The key that was found; meaningful only after `Finding.Found`. */
export let foundKey: View = ABSENT;
/** Bit `i` is set when key source `i` held a value, which must not reach the upstream. */
export let foundSources: u32 = 0;

/** Bit `i` is set when key source `i` is a header that was also sent in another spelling. */
export let otherSpellings: u32 = 0;
/** Number of credentials in `Authorization`, of whatever scheme; set only when a key source is an `Authorization` scheme. */
export let credentialCount: i32 = 0;

let ambiguous: bool = false;
let overlong: bool = false;

/** Looks for a key in all sources of the policy. The same key in two places is one key; two different keys are an error. */
export function findKey(tables: Tables): Finding {
  foundKey = ABSENT;
  foundSources = 0;
  otherSpellings = 0;
  ambiguous = false;
  overlong = false;
  for (let i = 0; i < tables.keySources.count; i++) look(tables.keySources.at(i), i);
  if (overlong) return Finding.Malformed;
  if (foundKey == ABSENT) return Finding.Missing;
  if (ambiguous) return Finding.Ambiguous;
  return isWellFormed(foundKey) ? Finding.Found : Finding.Malformed;
}

/** The same for an API that takes no keys: nothing is found, and nothing stripped. */
export function forgetKey(): Finding {
  foundSources = 0;
  return Finding.Nothing;
}

function look(source: KeySource, index: i32): void {
  switch (source.kind) {
    case KeySourceKind.Header:
      return lookInHeader(source.name, index);
    case KeySourceKind.Authorization:
      return lookInAuthorization(source.name, index);
    case KeySourceKind.Query:
      return lookInQuery(source.name, index);
    default:
      return lookInCookies(source.name, index);
  }
}

function lookInHeader(name: View, index: i32): void {
  for (let i = findSpelling(name); i >= 0; i = findSpelling(name, i + 1)) {
    if (!equals(headerName(i), name)) otherSpellings |= 1 << index;
    note(trim(headerValue(i)), index);
  }
}

function lookInAuthorization(scheme: View, index: i32): void {
  credentialCount = 0;
  for (let i = findHeader(AUTHORIZATION); i >= 0; i = findHeader(AUTHORIZATION, i + 1))
    lookInCredentials(headerValue(i), scheme, index);
}

function lookInCredentials(list: View, scheme: View, index: i32): void {
  for (let at = nextMember(list, 0); at >= 0; at = nextMember(list, at)) {
    if (++credentialCount > MAX_CREDENTIALS) {
      overlong = true;
      return;
    }
    const key = credentialsOf(member, scheme);
    if (key != ABSENT) note(key, index);
  }
}

function lookInQuery(name: View, index: i32): void {
  const query = Request.query;
  for (let at = nextPair(query, 1, 0x26); at >= 0; at = nextPair(query, at, 0x26)) {
    if (equals(decodeComponent(pairName), name)) note(decodeComponent(pairValue), index);
  }
}

function lookInCookies(name: View, index: i32): void {
  for (let i = findHeader(COOKIE); i >= 0; i = findHeader(COOKIE, i + 1)) {
    const cookies = headerValue(i);
    for (let at = nextPair(cookies, 0, 0x3b); at >= 0; at = nextPair(cookies, at, 0x3b)) {
      if (equals(trim(pairName), name)) note(trim(pairValue), index);
    }
  }
}

function note(value: View, index: i32): void {
  foundSources |= 1 << index;
  if (lengthOf(value) == 0) return;
  if (foundKey == ABSENT) foundKey = value;
  else if (!equals(foundKey, value)) ambiguous = true;
}

/** Printable ASCII without spaces. A longer key is refused without being hashed. */
function isWellFormed(key: View): bool {
  const length = lengthOf(key);
  if (length > MAX_KEY_BYTES) return false;
  const stop = pointerOf(key) + length;
  let at = pointerOf(key);
  // Eight bytes at a time: subtracting 0x21 sets the top bit of a byte below it, and adding 1 sets that of 0x7f.
  for (; at + 8 <= stop; at += 8) {
    const bytes = load<u64>(at);
    if ((bytes | (bytes - 0x21 * ONES) | (bytes + ONES)) & (ONES << 7)) return false;
  }
  for (; at < stop; at++) {
    if (<u32>load<u8>(at) - 0x21 > 0x7e - 0x21) return false;
  }
  return true;
}

/** Adds edits that remove the key from every header and cookie that held one. The query is edited with the path. */
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
    if (credentialCount == 1) dropHeader(AUTHORIZATION);
    else stripAuthorization(tables);
  }
  if (cookies) stripCookies(tables);
}

function stripHeader(name: View, index: i32): void {
  if ((otherSpellings >> index) & 1) removeSpellings(name);
  else dropHeader(name);
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
  else dropHeader(AUTHORIZATION);
}

function isOfPolicy(tables: Tables, credentials: View): bool {
  for (let i = 0; i < tables.keySources.count; i++) {
    const source = tables.keySources.at(i);
    if (source.kind == KeySourceKind.Authorization && credentialsOf(credentials, source.name) != ABSENT) return true;
  }
  return false;
}

/** False when the list has only commas and spaces. */
function hasCredentials(list: View): bool {
  for (let i = 0, n = lengthOf(list); i < n; i++) {
    if (isTokenByte(byteAt(list, i))) return true;
  }
  return false;
}

/** Keeps the other cookies, in one header. */
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
  else dropHeader(COOKIE);
}

/** The query without the parameters that hold keys; the others are unchanged byte for byte. */
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
