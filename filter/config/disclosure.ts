import { View, equals, literal } from "../bytes/view";
import { Fact, IdentityHeader, RateLimitHeaders } from "../tables/disclosure";
import { Tables } from "../tables/tables";
import { IDENTITY_HEADERS, LOG_FIELDS, MAX_NAME_BYTES, MAX_WINDOW_SECONDS, RATE_LIMIT_HEADERS } from "./contract";
import { Reader } from "./reader";
import { readHeaderName, readIdentityHeader } from "./rule";
import * as Field from "./field";
import { isOwnHeader } from "../request/request";

/** `{"consumer": "x-consumer", "plan": "x-consumer", "route": "x-tollgate-route"}`; `{}` tells upstreams nothing. */
export function decodeIdentityHeaders(reader: Reader, tables: Tables): void {
  tables.choosesIdentity = true;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.CONSUMER, 0)) decodeFact(reader, tables, Fact.Consumer);
    else if (reader.takes(Field.PLAN, 1)) decodeFact(reader, tables, Fact.Plan);
    else if (reader.takes(Field.ROUTE, 2)) decodeFact(reader, tables, Fact.Route);
    else if (reader.takes(Field.KEY_ID, 3)) decodeFact(reader, tables, Fact.KeyId);
    else reader.unknownField();
  }
}

function decodeFact(reader: Reader, tables: Tables, fact: Fact): void {
  const name = readIdentityHeader(reader, IDENTITY_HEADERS[fact]);
  if (reader.failed) return;
  headerOf(tables, name).facts |= 1 << (<u32>fact);
}

function headerOf(tables: Tables, name: View): IdentityHeader {
  for (let i = 0; i < tables.identityHeaders.count; i++) {
    const header = tables.identityHeaders.at(i);
    if (equals(header.name, name)) return header;
  }
  const header = tables.identityHeaders.add();
  header.name = tables.texts.keep(name);
  header.isOwn = isOwnHeader(name);
  return header;
}

/** One of the words that say how callers learn of their quotas. */
export function readRateLimitHeaders(reader: Reader): RateLimitHeaders {
  const word = reader.text(1, MAX_NAME_BYTES);
  const LAST = RATE_LIMIT_HEADERS.length - 1;
  for (let i = 0; i <= LAST; i++) {
    if (equals(word, RATE_LIMIT_HEADERS[i])) return i == LAST ? RateLimitHeaders.None : <RateLimitHeaders>i;
  }
  reader.fail(literal('must be "standard", "x-ratelimit", "refusals" or "none"'));
  return RateLimitHeaders.Standard;
}

/** `{"header": "x-key-expires", "beforeSeconds": 1209600}` */
export function decodeKeyExpiryWarning(reader: Reader, tables: Tables): void {
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.HEADER, 0)) tables.keyEndHeader = tables.texts.keep(readHeaderName(reader));
    else if (reader.takes(Field.BEFORE_SECONDS, 1)) tables.keyEndSeconds = reader.integer(1, MAX_WINDOW_SECONDS);
    else reader.unknownField();
  }
  reader.needs(0, Field.HEADER);
  reader.needs(1, Field.BEFORE_SECONDS);
}

/** `{"line": false, "fields": ["consumer", "plan"]}` */
export function decodeAccessLog(reader: Reader, tables: Tables): void {
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.FIELDS, 0)) tables.logFields = decodeLogFields(reader);
    else if (reader.takes(Field.LINE, 1)) tables.logLine = reader.boolean();
    else reader.unknownField();
  }
}

/** A bit for each field. */
function decodeLogFields(reader: Reader): u32 {
  let fields: u32 = 0;
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    const bit = (<u32>1) << readLogField(reader);
    if ((fields & bit) != 0) reader.fail(literal("log field given twice"));
    fields |= bit;
  }
  if (fields == 0) reader.fail(literal("needs a log field"));
  return fields;
}

function readLogField(reader: Reader): u32 {
  const word = reader.text(1, MAX_NAME_BYTES);
  for (let i = 0; i < LOG_FIELDS.length; i++) {
    if (equals(word, LOG_FIELDS[i])) return i;
  }
  reader.fail(literal("must be a log field"));
  return 0;
}
