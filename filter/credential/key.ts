import { ABSENT, ONES, View, equals, lengthOf, pointerOf, startsLower, slice, trim } from "../bytes/view";
import { MAX_KEY_BYTES } from "../config/contract";
import { dropHeader, findHeader, findSpelling, headerName, headerValue, member, nextMember } from "../request/headers";
import { KEY_SOURCE_BYTES, KeySource, KeySourceKind, KeySourceList } from "../tables/keySource";
import {
  AUTHORIZATION,
  MAX_CREDENTIALS,
  basicPassword,
  basicUser,
  beginCredentials,
  payload,
  readBasic,
  sourceOf,
} from "./authorization";
import { COOKIE, decodeComponent, nextPair, pairName, pairValue } from "./source";
import * as Request from "../request/request";

/** What was found of a key; or, by `findCredential`, of other credentials. */
export const enum Finding {
  Found,
  Malformed,
  Missing,
  Ambiguous,
  /** A workload's certificate or a token, verified. */
  Other,
  /** No credential, where the API takes no keys. */
  Nothing,
}

/** The key that was found; meaningful only after `Finding.Found`. */
export let foundKey: View = ABSENT;
/** Where it was looked for. */
export let searched: KeySourceList = changetype<KeySourceList>(0);
/** The bits of the key sources that held a value, which must not reach the upstream. */
export let foundSources: u32 = 0;
/** The bits of those that are headers and were also sent in another spelling. */
export let otherSpellings: u32 = 0;
/** Number of credentials in `Authorization`, whosever they are; set only when a key source looks there. */
export let credentialCount: i32 = 0;

/** What is wrong with what was found: two different keys, or, of more weight, credentials that cannot be read. */
let fault: Finding = Finding.Found;

/** Looks for a key in all sources of a list. The same key in two places is one key; two different keys are an error. */
export function findKey(list: KeySourceList): Finding {
  foundKey = ABSENT;
  searched = list;
  foundSources = 0;
  otherSpellings = 0;
  fault = Finding.Found;
  for (let at = list.firstSource, past = list.pastSource; at < past; at += KEY_SOURCE_BYTES)
    look(changetype<KeySource>(at));
  if (fault != Finding.Found) return fault;
  if (foundKey == ABSENT) return Finding.Missing;
  return isWellFormed(foundKey) ? Finding.Found : Finding.Malformed;
}

/** The same for an API that takes no keys: nothing is found, and nothing stripped. */
export function forgetKey(list: KeySourceList): Finding {
  searched = list;
  foundSources = 0;
  return Finding.Nothing;
}

/** Takes the whole Authorization header away, in which the token came: whatever else it holds goes with it. */
export function stripToken(): void {
  credentialCount = 1;
  dropHeader(AUTHORIZATION);
}

function look(source: KeySource): void {
  switch (source.kind) {
    case KeySourceKind.Header:
      return lookInHeader(source);
    case KeySourceKind.PrefixedHeader:
      return lookBehindPrefix(source);
    case KeySourceKind.Query:
      return lookInQuery(source);
    case KeySourceKind.Cookie:
      return lookInCookies(source);
    default:
      if (source.leads) lookInAuthorization();
  }
}

function lookInHeader(source: KeySource): void {
  const name = source.name;
  for (let i = findSpelling(name); i >= 0; i = findSpelling(name, i + 1)) {
    if (!equals(headerName(i), name)) otherSpellings |= source.bit;
    note(trim(headerValue(i)), source);
  }
}

/** A value without the prefix is no key: it is left alone. */
function lookBehindPrefix(source: KeySource): void {
  const prefix = source.prefix;
  for (let i = findSpelling(source.name); i >= 0; i = findSpelling(source.name, i + 1)) {
    const value = trim(headerValue(i));
    if (startsLower(value, prefix)) note(trim(slice(value, lengthOf(prefix), lengthOf(value))), source);
  }
}

function lookInAuthorization(): void {
  credentialCount = 0;
  beginCredentials();
  for (let i = findHeader(AUTHORIZATION); i >= 0; i = findHeader(AUTHORIZATION, i + 1))
    lookInCredentials(headerValue(i));
}

function lookInCredentials(list: View): void {
  for (let at = nextMember(list, 0); at >= 0; at = nextMember(list, at)) {
    if (++credentialCount > MAX_CREDENTIALS) {
      fault = Finding.Malformed;
      return;
    }
    const source = sourceOf(searched, member);
    if (source == null) continue;
    if (source.kind < KeySourceKind.BasicUser) note(payload, source);
    else lookInBasic(source);
  }
}

/** A policy may take the user name, the password, or whichever of them is not empty. */
function lookInBasic(source: KeySource): void {
  foundSources |= source.bit;
  if (!readBasic(payload)) {
    fault = Finding.Malformed;
    return;
  }
  for (let at = changetype<usize>(source); at < searched.pastSource; at += KEY_SOURCE_BYTES) {
    const other = changetype<KeySource>(at);
    if (other.kind == KeySourceKind.BasicUser) note(basicUser, other);
    else if (other.kind == KeySourceKind.BasicPassword) note(basicPassword, other);
  }
}

function lookInQuery(source: KeySource): void {
  const query = Request.query;
  for (let at = nextPair(query, 1, 0x26); at >= 0; at = nextPair(query, at, 0x26)) {
    if (equals(decodeComponent(pairName), source.name)) note(decodeComponent(pairValue), source);
  }
}

function lookInCookies(source: KeySource): void {
  for (let i = findHeader(COOKIE); i >= 0; i = findHeader(COOKIE, i + 1)) {
    const cookies = headerValue(i);
    for (let at = nextPair(cookies, 0, 0x3b); at >= 0; at = nextPair(cookies, at, 0x3b)) {
      if (equals(trim(pairName), source.name)) note(trim(pairValue), source);
    }
  }
}

function note(value: View, source: KeySource): void {
  foundSources |= source.bit;
  if (lengthOf(value) == 0) return;
  if (foundKey == ABSENT) foundKey = value;
  else if (!equals(foundKey, value) && fault == Finding.Found) fault = Finding.Ambiguous;
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
