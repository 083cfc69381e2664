import { View, equals, equalsLower, literal } from "../bytes/view";
import { KeySourceKind } from "../tables/record";
import { Tables } from "../tables/tables";
import { Reader } from "./reader";
import { readHeaderName, readToken } from "./rule";
import * as Field from "./field";

const MAX_KEY_SOURCES = 8;
const BEARER = literal("bearer");
const API_KEY = literal("apikey");
const AUTHORIZATION_HEADER = literal("authorization");

/** `[{"header": "x-api-key"}, {"authorization": "Bearer"}, {"query": "api_key"}, {"cookie": "api_key"}]` */
export function decodeKeySources(reader: Reader, tables: Tables): void {
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    if (i == MAX_KEY_SOURCES) reader.fail(literal("at most %d key sources"), MAX_KEY_SOURCES);
    decodeKeySource(reader, tables);
  }
  if (tables.keySources.count == 0) reader.fail(literal("needs a key source"));
}

function decodeKeySource(reader: Reader, tables: Tables): void {
  let kinds = 0;
  reader.beginObject();
  while (reader.nextField()) {
    if (kinds++ == 1) reader.fail(literal("one kind to a key source"));
    if (reader.is(Field.HEADER)) {
      const name = readHeaderName(reader);
      if (equals(name, AUTHORIZATION_HEADER)) reader.fail(literal('must name a scheme: {"authorization": "Bearer"}'));
      add(reader, tables, KeySourceKind.Header, name);
    } else if (reader.is(Field.AUTHORIZATION)) {
      const scheme = readToken(reader);
      if (equalsLower(scheme, BEARER)) add(reader, tables, KeySourceKind.Authorization, BEARER);
      else if (equalsLower(scheme, API_KEY)) add(reader, tables, KeySourceKind.Authorization, API_KEY);
      else reader.fail(literal('must be "Bearer" or "ApiKey"'));
    } else if (reader.is(Field.QUERY)) {
      add(reader, tables, KeySourceKind.Query, readToken(reader));
    } else if (reader.is(Field.COOKIE)) {
      add(reader, tables, KeySourceKind.Cookie, readToken(reader));
    } else reader.unknownField();
  }
  if (kinds == 0) reader.fail(literal("needs a kind"));
}

function add(reader: Reader, tables: Tables, kind: KeySourceKind, name: View): void {
  if (reader.failed) return;
  for (let i = 0; i < tables.keySources.count; i++) {
    const other = tables.keySources.at(i);
    if (other.kind == kind && equals(other.name, name)) reader.fail(literal("key source given twice"));
  }
  const source = tables.keySources.add();
  source.kind = kind;
  source.name = tables.texts.keep(name);
}
