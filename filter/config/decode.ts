import { ABSENT, View, literal } from "../bytes/view";
import { Tables } from "../tables/tables";
import { Reader } from "./reader";
import { decodeApi } from "./api";
import { decodePlan } from "./plan";
import { decodeConsumers } from "./consumer";
import { decodeKeySources } from "./keySource";
import { decodeRateLimitService } from "./rateLimitService";
import { link } from "./link";
import { Names } from "./names";
import { readAllow, readName, readRealm } from "./rule";
import * as Field from "./field";

/** The version of the plugin config that this module reads. */
export const CONFIG_VERSION: i64 = 1;

/** What came of a plugin config: tables, or the first problem in it, as a text in the arena. */
export class Decoded {
  constructor(
    readonly tables: Tables | null,
    readonly problem: View,
  ) {}
}

/**
 * Decodes the plugin config of `length` bytes at `document`, which it overwrites. Refuses what it does not know: a config
 * written for another version must not half work.
 */
export function decodeConfig(document: usize, length: i32): Decoded {
  const reader = new Reader(document, document + length);
  const tables = new Tables();
  const names = new Names();
  decodeRoot(reader, tables, names);
  if (!reader.failed) reader.finish();
  if (!reader.failed) link(reader, tables, names);
  names.free();
  if (reader.failed) {
    tables.free();
    return new Decoded(null, reader.problem);
  }
  tables.shrink();
  return new Decoded(tables, ABSENT);
}

function decodeRoot(reader: Reader, tables: Tables, names: Names): void {
  let seen: u32 = 0;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.is(Field.VERSION)) {
      seen = reader.mark(seen, 0);
      decodeVersion(reader);
    } else if (reader.is(Field.POLICY)) {
      seen = reader.mark(seen, 1);
      tables.policy = tables.texts.keep(readName(reader));
    } else if (reader.is(Field.APIS)) {
      seen = reader.mark(seen, 2);
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodeApi(reader, tables, names);
    } else if (reader.is(Field.PLANS)) {
      seen = reader.mark(seen, 3);
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodePlan(reader, tables, names);
    } else if (reader.is(Field.CONSUMERS)) {
      seen = reader.mark(seen, 4);
      decodeConsumers(reader, tables, names);
    } else if (reader.is(Field.KEY_SOURCES)) {
      seen = reader.mark(seen, 5);
      decodeKeySources(reader, tables);
    } else if (reader.is(Field.UNMATCHED)) {
      seen = reader.mark(seen, 6);
      tables.unmatchedAllowed = readAllow(reader);
    } else if (reader.is(Field.FORWARD_KEY)) {
      seen = reader.mark(seen, 7);
      tables.forwardKey = reader.boolean();
    } else if (reader.is(Field.RATE_LIMIT_SERVICE)) {
      seen = reader.mark(seen, 8);
      decodeRateLimitService(reader, tables);
    } else if (reader.is(Field.REALM)) {
      seen = reader.mark(seen, 9);
      tables.realm = tables.texts.keep(readRealm(reader));
    } else reader.unknownField();
  }
  reader.need(seen, 0, Field.VERSION);
  reader.need(seen, 1, Field.POLICY);
  reader.need(seen, 2, Field.APIS);
  reader.need(seen, 3, Field.PLANS);
  reader.need(seen, 4, Field.CONSUMERS);
  reader.need(seen, 5, Field.KEY_SOURCES);
}

function decodeVersion(reader: Reader): void {
  const version = reader.integer(0, i32.MAX_VALUE);
  if (version != CONFIG_VERSION) {
    reader.fail(literal("this module reads version %d, not %d"), CONFIG_VERSION, version);
  }
}
