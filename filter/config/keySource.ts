import {
  ABSENT,
  View,
  byteAt,
  equals,
  equalsLower,
  lengthOf,
  literal,
  lowerCase,
  pointerOf,
  startsLower,
} from "../bytes/view";
import { begin, end, writeView } from "../bytes/arena";
import { isSpelling } from "../request/headers";
import { ForwardKey, KEY_SOURCE_BYTES, KeySource, KeySourceKind, KeySourceList } from "../tables/keySource";
import { Tables } from "../tables/tables";
import { MAX_KEY_SOURCES, MAX_NAME_BYTES } from "./contract";
import { Reader } from "./reader";
import { readHeaderName, readToken } from "./rule";
import * as Field from "./field";

const AUTHORIZATION_HEADER = literal("authorization");
const NO_SCHEME = literal("none");
const MODULE = literal("module");
const ROUTES = literal("routes");

/** `[{"header": "x-api-key"}, {"authorization": "Bearer"}, {"basic": "user"}, {"query": "api_key"}, {"cookie": "api_key"}]` */
export function decodeKeySources(reader: Reader, tables: Tables, list: KeySourceList): void {
  const first = tables.keySources.count;
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    if (i == MAX_KEY_SOURCES) reader.fail(literal("at most %d key sources"), MAX_KEY_SOURCES);
    decodeKeySource(reader, tables, first);
  }
  list.firstSource = first;
  list.pastSource = tables.keySources.count;
  if (tables.keySources.count == first) reader.fail(literal("needs a key source"));
}

export function readForwardKey(reader: Reader): ForwardKey {
  return reader.boolean() ? ForwardKey.Yes : ForwardKey.No;
}

/** True for `routes`: keys stay where they are, for the routing table. */
export function readKeyRemoval(reader: Reader): bool {
  const word = reader.text(1, MAX_NAME_BYTES);
  if (equals(word, ROUTES)) return true;
  if (!equals(word, MODULE)) reader.fail(literal('must be "module" or "routes"'));
  return false;
}

/** Gives the APIs that have none of their own what the policy has; to be called once everything is read. */
export function linkKeySources(tables: Tables): void {
  const usual = tables.keySourceList;
  linkList(tables, usual);
  for (let i = 0; i < tables.apis.count; i++) {
    const api = tables.apis.at(i);
    if (api.forwardKey == ForwardKey.Inherited) api.forwardKey = usual.forwardKey;
    if (api.pastSource > 0) linkList(tables, api);
    else {
      api.firstSource = usual.firstSource;
      api.pastSource = usual.pastSource;
    }
  }
}

/** Nothing is added any more, so that no record moves. */
function linkList(tables: Tables, list: KeySourceList): void {
  const records = changetype<usize>(tables.keySources.at(0));
  list.firstSource = records + list.firstSource * KEY_SOURCE_BYTES;
  list.pastSource = records + list.pastSource * KEY_SOURCE_BYTES;
}

function decodeKeySource(reader: Reader, tables: Tables, first: i32): void {
  let kinds = 0;
  let kind = KeySourceKind.Header;
  let name: View = ABSENT;
  let prefix: View = ABSENT;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.PREFIX, 0)) {
      prefix = readPrefixOfKey(reader);
      continue;
    }
    if (kinds++ == 1) reader.fail(literal("one kind to a key source"));
    if (reader.is(Field.HEADER)) {
      name = readHeaderName(reader);
      if (equals(name, AUTHORIZATION_HEADER)) reader.fail(literal('must name a scheme: {"authorization": "Bearer"}'));
    } else if (reader.is(Field.AUTHORIZATION)) {
      name = readToken(reader);
      kind = equalsLower(name, NO_SCHEME) ? KeySourceKind.Bare : KeySourceKind.Authorization;
      if (equalsLower(name, Field.BASIC)) reader.fail(literal('must not be "Basic"; there is {"basic": "user"}'));
    } else if (reader.is(Field.BASIC)) {
      kind = readPartOfBasic(reader);
    } else if (reader.is(Field.QUERY)) {
      kind = KeySourceKind.Query;
      name = readToken(reader);
    } else if (reader.is(Field.COOKIE)) {
      kind = KeySourceKind.Cookie;
      name = readToken(reader);
    } else reader.unknownField();
  }
  if (kinds == 0) reader.fail(literal("needs a kind"));
  if (prefix != ABSENT) {
    if (kind != KeySourceKind.Header) reader.fail(literal("prefix goes with header"));
    kind = KeySourceKind.PrefixedHeader;
  }
  if (!reader.failed) add(reader, tables, first, kind, name, prefix);
}

function add(reader: Reader, tables: Tables, first: i32, kind: KeySourceKind, name: View, prefix: View): void {
  const leads = kind >= KeySourceKind.Bare && !looksAtAuthorization(tables, first);
  const number = tables.keySources.count;
  const source = tables.keySources.add();
  source.kind = kind;
  source.bit = 1 << (number - first);
  source.leads = leads;
  source.name = ABSENT;
  source.prefix = ABSENT;
  source.challenge = keepChallenge(tables, kind, name);
  if (kind == KeySourceKind.Authorization) source.name = keepLower(tables, name);
  else if (kind >= KeySourceKind.BasicUser) source.name = Field.BASIC;
  else if (kind < KeySourceKind.Bare) {
    source.name = tables.texts.keep(name);
    if (prefix != ABSENT) source.prefix = keepLower(tables, prefix);
  }
  for (let i = first; i < number; i++) {
    if (overlap(tables.keySources.at(i), source)) return reader.fail(literal("key source given twice"));
  }
}

const API_KEY = literal("ApiKey");
const BASIC = literal("Basic");
const REALM = literal(' realm="');

/** Where no scheme belongs to the place, one that nobody has registered, so that clients and browsers leave it alone. */
function keepChallenge(tables: Tables, kind: KeySourceKind, name: View): View {
  begin();
  if (kind == KeySourceKind.Authorization) writeView(name);
  else writeView(kind >= KeySourceKind.BasicUser ? BASIC : API_KEY);
  writeView(REALM);
  return tables.texts.keep(end());
}

function looksAtAuthorization(tables: Tables, first: i32): bool {
  for (let i = first; i < tables.keySources.count; i++) {
    if (tables.keySources.at(i).kind >= KeySourceKind.Bare) return true;
  }
  return false;
}

/** True when one value could be a key in both: with and without what stands before it, it would be two keys. */
function overlap(a: KeySource, b: KeySource): bool {
  if (areHeaders(a, b)) {
    if (a.prefix == ABSENT && b.prefix == ABSENT) return equals(a.name, b.name);
    if (!isSpelling(a.name, b.name)) return false;
    if (a.prefix == ABSENT || b.prefix == ABSENT) return true;
    return startsLower(a.prefix, b.prefix) || startsLower(b.prefix, a.prefix);
  }
  if (a.kind != b.kind) return false;
  return a.name == ABSENT || equals(a.name, b.name);
}

function areHeaders(a: KeySource, b: KeySource): bool {
  return a.kind <= KeySourceKind.PrefixedHeader && b.kind <= KeySourceKind.PrefixedHeader;
}

function readPartOfBasic(reader: Reader): KeySourceKind {
  const word = reader.text(1, MAX_NAME_BYTES);
  if (equals(word, Field.USER)) return KeySourceKind.BasicUser;
  if (!equals(word, Field.PASSWORD)) reader.fail(literal('must be "user" or "password"'));
  return KeySourceKind.BasicPassword;
}

/** Printable ASCII that begins with no space, because values of headers do not. */
function readPrefixOfKey(reader: Reader): View {
  const prefix = reader.text(1, MAX_NAME_BYTES);
  for (let i = 0, n = lengthOf(prefix); i < n; i++) {
    const byte = byteAt(prefix, i);
    if (byte < 0x20 || byte >= 0x7f || (i == 0 && byte == 0x20)) {
      reader.fail(literal("must be printable ASCII that begins with no space"));
      break;
    }
  }
  return prefix;
}

function keepLower(tables: Tables, text: View): View {
  const kept = tables.texts.keep(text);
  for (let i = 0, n = lengthOf(kept); i < n; i++) store<u8>(pointerOf(kept) + i, lowerCase(byteAt(kept, i)));
  return kept;
}
