import { ABSENT, View, literal } from "../bytes/view";
import { Keyring } from "../keyring/keyring";
import { ForwardKey } from "../tables/keySource";
import { Tables } from "../tables/tables";
import { decodeApi } from "./api";
import { decodeAccessLog, decodeIdentityHeaders, decodeKeyExpiryWarning, readRateLimitHeaders } from "./disclosure";
import { decodeZones } from "./calendar";
import { decodeConsumers } from "./consumer";
import { readWorkloadProof } from "./identity";
import { decodeKeySources, readForwardKey, readKeyRemoval } from "./keySource";
import { link } from "./link";
import { Names } from "./names";
import { decodePlan } from "./plan";
import { Reader } from "./reader";
import { decodeClientAddress } from "./restriction";
import { readAllow, readMode, readName, readRealm, readShownDigest } from "./rule";
import { decodeTokens } from "./token";
import { MAX_CLUSTER_BYTES, MAX_DOMAIN_BYTES, MAX_TIMEOUT_MILLISECONDS, TIMEOUT_MILLISECONDS } from "./contract";
import * as Field from "./field";

/** The version of the plugin config that this module reads. */
export const CONFIG_VERSION: i64 = 1;

/** A decoded plugin config: tables and keyring, or the first problem in it, as a string in the arena. */
export class Decoded {
  constructor(
    readonly tables: Tables | null,
    readonly keyring: Keyring | null,
    readonly problem: View,
  ) {}
}

/**
 * Decodes the plugin config of `length` bytes at `document`, which it overwrites. Refuses everything unknown: a config for another
 * version must not work in part.
 */
export function decodeConfig(document: usize, length: i32): Decoded {
  const reader = new Reader(document, document + length);
  const tables = new Tables();
  const keyring = new Keyring();
  const names = new Names();
  decodeRoot(reader, tables, keyring, names);
  if (!reader.failed) reader.finish();
  if (!reader.failed) link(reader, tables, keyring, names);
  names.free();
  if (reader.failed) {
    tables.free();
    keyring.free();
    return new Decoded(null, null, reader.problem);
  }
  tables.shrink();
  keyring.shrink();
  return new Decoded(tables, keyring, ABSENT);
}

function decodeRoot(reader: Reader, tables: Tables, keyring: Keyring, names: Names): void {
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.VERSION, 0)) {
      decodeVersion(reader);
    } else if (reader.takes(Field.POLICY, 1)) {
      tables.policy = tables.texts.keep(readName(reader));
    } else if (reader.takes(Field.APIS, 2)) {
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodeApi(reader, tables, names);
    } else if (reader.takes(Field.PLANS, 3)) {
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodePlan(reader, tables, names);
    } else if (reader.takes(Field.CONSUMERS, 4)) {
      decodeConsumers(reader, tables, keyring, names);
    } else if (reader.takes(Field.KEY_SOURCES, 5)) {
      decodeKeySources(reader, tables, tables.keySourceList);
    } else if (reader.takes(Field.UNMATCHED, 6)) {
      tables.unmatchedAllowed = readAllow(reader);
    } else if (reader.takes(Field.FORWARD_KEY, 7)) {
      if (readForwardKey(reader) == ForwardKey.Yes) tables.keySourceList.forwardKey = ForwardKey.Yes;
    } else if (reader.takes(Field.KEY_REMOVAL, 17)) {
      if (readKeyRemoval(reader)) tables.keySourceList.forwardKey = ForwardKey.Yes;
    } else if (reader.takes(Field.RATE_LIMIT_SERVICE, 8)) {
      decodeRateLimitService(reader, tables);
    } else if (reader.takes(Field.REALM, 9)) {
      tables.realm = tables.texts.keep(readRealm(reader));
    } else if (reader.takes(Field.DIGEST, 10)) {
      tables.digest = tables.texts.keep(readShownDigest(reader));
    } else if (reader.takes(Field.ACCESS_LOG, 11)) {
      decodeAccessLog(reader, tables);
    } else if (reader.takes(Field.WORKLOAD_PROOF, 20)) {
      tables.trustsListeners = readWorkloadProof(reader);
    } else if (reader.takes(Field.TOKENS, 21)) {
      decodeTokens(reader, tables);
    } else if (reader.takes(Field.MODE, 12)) {
      tables.mode = readMode(reader);
    } else if (reader.takes(Field.CLIENT_ADDRESS, 13)) {
      decodeClientAddress(reader, tables);
    } else if (reader.takes(Field.IDENTITY_HEADERS, 14)) {
      decodeIdentityHeaders(reader, tables);
    } else if (reader.takes(Field.KEY_EXPIRY_WARNING, 25)) {
      decodeKeyExpiryWarning(reader, tables);
    } else if (reader.takes(Field.RATE_LIMIT_HEADERS, 15)) {
      tables.rateLimitHeaders = readRateLimitHeaders(reader);
    } else if (reader.takes(Field.ZONES, 16)) {
      decodeZones(reader, tables, names);
    } else reader.unknownField();
  }
  reader.needs(0, Field.VERSION);
  reader.needs(1, Field.POLICY);
  reader.needs(2, Field.APIS);
  reader.needs(3, Field.PLANS);
  reader.needs(4, Field.CONSUMERS);
  reader.needs(5, Field.KEY_SOURCES);
}

function decodeVersion(reader: Reader): void {
  const version = reader.integer(0, i32.MAX_VALUE);
  if (version != CONFIG_VERSION) {
    reader.fail(literal("this module reads version %d, not %d"), CONFIG_VERSION, version);
  }
}

export function decodeRateLimitService(reader: Reader, tables: Tables): void {
  const rateLimitService = tables.rateLimitService;
  rateLimitService.timeoutMilliseconds = TIMEOUT_MILLISECONDS;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.CLUSTER, 0)) {
      rateLimitService.cluster = tables.texts.keep(reader.text(1, MAX_CLUSTER_BYTES));
    } else if (reader.takes(Field.DOMAIN, 1)) {
      rateLimitService.domain = tables.texts.keep(reader.text(1, MAX_DOMAIN_BYTES));
    } else if (reader.takes(Field.TIMEOUT, 2)) {
      rateLimitService.timeoutMilliseconds = <i32>reader.integer(1, MAX_TIMEOUT_MILLISECONDS);
    } else reader.unknownField();
  }
  reader.needs(0, Field.CLUSTER);
  reader.needs(1, Field.DOMAIN);
}
