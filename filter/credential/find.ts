import { View, ABSENT, ONES, byteAt, equals, equalsLower, isBlank, lengthOf, literal, pointerOf, slice, trim } from "../bytes/view";
import { KeySource, KeySourceKind } from "../tables/record";
import { Tables } from "../tables/tables";
import { findHeader, headerValue } from "../request/headers";
import * as Request from "../request/request";
import { decodeComponent } from "./query";
import { nextPair, pairName, pairValue } from "./pair";

/** Keys are short; a longer value is refused without being hashed. */
const MAX_KEY_BYTES = 512;

const AUTHORIZATION = literal("authorization");
const COOKIE = literal("cookie");

export const enum Finding { Missing, Found, Ambiguous, Malformed }

/** The key that was found; meaningful for `Finding.Found`. */
export let foundKey: View = ABSENT;
/** Bit `i` is set when key source `i` held a value: the places to strip. */
export let foundSources: u32 = 0;

let ambiguous: bool = false;

/** Looks for a key in all sources of the policy. The same key in two places is one key; two different ones are none. */
export function findKey(tables: Tables): Finding {
  foundKey = ABSENT;
  foundSources = 0;
  ambiguous = false;
  for (let i = 0; i < tables.keySources.count; i++) look(tables.keySources.at(i), i);
  if (foundKey == ABSENT) return Finding.Missing;
  if (ambiguous) return Finding.Ambiguous;
  return isWellFormed(foundKey) ? Finding.Found : Finding.Malformed;
}

function look(source: KeySource, index: i32): void {
  switch (source.kind) {
    case KeySourceKind.Header: return lookInHeader(source.name, index);
    case KeySourceKind.Authorization: return lookInAuthorization(source.name, index);
    case KeySourceKind.Query: return lookInQuery(source.name, index);
    default: return lookInCookies(source.name, index);
  }
}

function lookInHeader(name: View, index: i32): void {
  for (let i = findHeader(name); i >= 0; i = findHeader(name, i + 1)) note(trim(headerValue(i)), index);
}

/** `Bearer KEY`: the scheme in any case, blanks, the key. Other schemes are somebody else's. */
function lookInAuthorization(scheme: View, index: i32): void {
  for (let i = findHeader(AUTHORIZATION); i >= 0; i = findHeader(AUTHORIZATION, i + 1)) {
    const value = trim(headerValue(i));
    const length = lengthOf(scheme);
    if (lengthOf(value) < length || !equalsLower(slice(value, 0, length), scheme)) continue;
    if (lengthOf(value) == length) note(slice(value, length, length), index);
    else if (isBlank(byteAt(value, length))) note(trim(slice(value, length, lengthOf(value))), index);
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

/** Printable ASCII without blanks, at most 512 bytes. */
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
