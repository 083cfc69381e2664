import { ABSENT, ONES, View, equals, lengthOf, literal, pointerOf, trim } from "../bytes/view";
import { findHeader, findSpelling, headerName, headerValue, member, nextMember } from "../request/headers";
import { KeySource, KeySourceKind } from "../tables/record";
import { Tables } from "../tables/tables";
import {
  AUTHORIZATION,
  MAX_CREDENTIALS,
  credentialsOf,
  decodeComponent,
  nextPair,
  pairName,
  pairValue,
} from "./source";
import * as Request from "../request/request";

/** Room for a signed token; a longer value is refused without being hashed. */
const MAX_KEY_BYTES = 4096;

const COOKIE = literal("cookie");

export const enum Finding {
  Missing,
  Found,
  Ambiguous,
  Malformed,
}

/** The key that was found; meaningful for `Finding.Found`. */
export let foundKey: View = ABSENT;
/** Bit `i` is set when key source `i` held a value: the places to strip. */
export let foundSources: u32 = 0;

/** Bit `i` is set when key source `i` is a header that also came under another spelling. */
export let otherSpellings: u32 = 0;
/** Credentials in `Authorization`, whatever their scheme; counted where a source names one. */
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

/** Printable ASCII without spaces, at most 4096 bytes. */
function isWellFormed(key: View): bool {
  const length = lengthOf(key);
  if (length > MAX_KEY_BYTES) return false;
  const end = pointerOf(key) + length;
  let at = pointerOf(key);
  // Eight bytes at a time: what is too small borrows, what is too large carries, into the byte's first bit.
  for (; at + 8 <= end; at += 8) {
    const bytes = load<u64>(at);
    if ((bytes | (bytes - 0x21 * ONES) | (bytes + ONES)) & (ONES << 7)) return false;
  }
  for (; at < end; at++) {
    if (<u32>load<u8>(at) - 0x21 > 0x7e - 0x21) return false;
  }
  return true;
}
