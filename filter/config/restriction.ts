import { NONE } from "../bytes/rows";
import { ABSENT, View, byteAt, equals, indexOf, lengthOf, literal, slice, startsWith } from "../bytes/view";
import { Keyring } from "../keyring/keyring";
import { narrowScopes } from "../operation/choose";
import { maskOf } from "../request/address";
import { isRespelt, name as hostName, portAt, readHost } from "../request/host";
import { ipHigh, ipLow, isMapped, printIp6, readIp } from "../request/ip";
import { KeyRestriction, Restriction } from "../tables/restriction";
import { Tables } from "../tables/tables";
import { Reader } from "./reader";
import {
  MAX_ADDRESS_BLOCKS,
  MAX_BLOCK_BYTES,
  MAX_KEY_APIS,
  MAX_ORIGINS,
  MAX_ORIGIN_BYTES,
  MAX_SCOPES,
  MAX_TRUSTED_HOPS,
} from "./contract";
import { Names, resolve } from "./names";
import { decodeScopes } from "./operation";
import { readName } from "./rule";
import * as Field from "./field";

/** `{"trustedHops": 1, "ipv4": 32, "ipv6": 64}` */
export function decodeClientAddress(reader: Reader, tables: Tables): void {
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.TRUSTED_HOPS, 0)) tables.trustedHops = <i32>reader.integer(1, MAX_TRUSTED_HOPS);
    else if (reader.takes(Field.IPV4, 1)) tables.addressBits4 = <i32>reader.integer(1, 32);
    else if (reader.takes(Field.IPV6, 2)) tables.addressBits6 = <i32>reader.integer(1, 128);
    else reader.unknownField();
  }
}

/** `{"allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16", "2001:db8::/32"]}` */
export function decodeAddresses(reader: Reader, tables: Tables, restriction: Restriction): void {
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.ALLOW, 0)) {
      restriction.firstAllowed = tables.restrictions.blocks.count;
      restriction.allowedCount = decodeBlocks(reader, tables);
    } else if (reader.takes(Field.DENY, 1)) {
      restriction.firstDenied = tables.restrictions.blocks.count;
      restriction.deniedCount = decodeBlocks(reader, tables);
    } else reader.unknownField();
  }
}

/** `["https://app.example.com", "https://*.example.com"]` */
export function decodeCallingOrigins(reader: Reader, tables: Tables, restriction: Restriction): void {
  restriction.firstOrigin = tables.origins.count;
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    if (i == MAX_ORIGINS) reader.fail(literal("at most %d origins"), MAX_ORIGINS);
    decodeOrigin(reader, tables, NONE);
    if (!reader.failed && tables.origins.at(tables.origins.count - 1).isAny)
      reader.fail(literal("must be an origin; leave the field out for any"));
  }
  restriction.originCount = tables.origins.count - restriction.firstOrigin;
  if (restriction.originCount == 0) reader.fail(literal("needs an origin"));
}

/** The restriction of the consumer whose record is the last one. */
export function restrictionOf(tables: Tables, consumer: i32): Restriction {
  const rows = tables.restrictions.ofConsumers;
  if (rows.count > 0 && rows.at(rows.count - 1).consumer == consumer) return rows.at(rows.count - 1);
  const restriction = rows.add();
  restriction.consumer = consumer;
  return restriction;
}

/** The same for a key, by its own term. */
export function restrictionOfKey(tables: Tables, keyring: Keyring, key: i32): KeyRestriction {
  const rows = tables.restrictions.ofKeys;
  const guard = keyring.guard(key);
  if (guard.own != NONE) return rows.at(guard.own);
  guard.own = rows.count;
  const restriction = rows.add();
  restriction.consumer = NONE;
  restriction.scopes = u64.MAX_VALUE;
  restriction.warnFrom = i64.MAX_VALUE;
  return restriction;
}

/** `["orders", "pets"]`: the only APIs on which a key may be used. */
export function decodeKeyApis(reader: Reader, tables: Tables, key: KeyRestriction): void {
  const references = tables.references;
  const first = references.count;
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    if (i == MAX_KEY_APIS) reader.fail(literal("at most %d APIs of a key"), MAX_KEY_APIS);
    const name = readName(reader);
    for (let k = first; k < references.count; k++) {
      if (equals(references.at(k).name, name)) reader.fail(literal("API given twice"));
    }
    references.add().name = name;
  }
  if (references.count == first) reader.fail(literal("needs an API; leave the field out for any"));
  key.firstApi = first;
  key.apiCount = references.count - first;
}

/** `["read:pets"]`: what a key may do of what its consumer may. */
export function decodeKeyScopes(reader: Reader, tables: Tables, key: KeyRestriction): void {
  const scopes = decodeScopes(reader, tables, MAX_SCOPES);
  if (scopes == 0) reader.fail(literal("needs a scope; leave the field out for those of the consumer"));
  key.scopes = scopes;
  tables.narrowsScopes = true;
}

/** Finds the APIs that keys name. */
export function linkKeyApis(reader: Reader, tables: Tables, keyring: Keyring, names: Names): void {
  const restrictions = tables.restrictions.ofKeys;
  if (restrictions.count == 0) return;
  const rule = literal("consumers[%d].keys[%d].apis[%d]: no API named %q");
  let consumer = NONE;
  let number = 0;
  for (let i = 0; i < keyring.keys.count; i++) {
    const key = keyring.keys.at(i);
    number = key.consumer == consumer ? number + 1 : 0;
    consumer = key.consumer;
    const index = keyring.terms.at(key.term).guard;
    if (index == 0) continue;
    const own = restrictions.at(keyring.guards.at(index - 1).own);
    resolve(reader, tables, names.apis, own.firstApi, own.apiCount, rule, consumer, number);
  }
}

function decodeBlocks(reader: Reader, tables: Tables): i32 {
  let count = 0;
  reader.beginArray();
  while (reader.nextItem(count)) {
    if (count == MAX_ADDRESS_BLOCKS) reader.fail(literal("at most %d address blocks"), MAX_ADDRESS_BLOCKS);
    decodeBlock(reader, tables);
    count++;
  }
  if (count == 0) reader.fail(literal("needs an address block"));
  return count;
}

function countsAddresses(tables: Tables): bool {
  for (let i = 0; i < tables.plans.count; i++) if (tables.plans.at(i).addressCount > 0) return true;
  for (let i = 0; i < tables.apis.count; i++) {
    const api = tables.apis.at(i);
    if (api.visitorPlan != NONE && lengthOf(api.visitorHeader) == 0) return true;
  }
  return false;
}

const BLOCK_RULE = literal(
  "must be an address block such as 10.0.0.0/8 or 2001:db8::/32: an address in its usual form whose other bits are 0, and the number of its first bits",
);
const SLASH: u8 = 0x2f;

function decodeBlock(reader: Reader, tables: Tables): void {
  const text = reader.text(1, MAX_BLOCK_BYTES);
  if (reader.failed) return;
  const slash = indexOf(text, SLASH);
  const length = slash < 0 ? NONE : bitsIn(slice(text, slash + 1, lengthOf(text)));
  const address = slash < 0 ? text : slice(text, 0, slash);
  if (length == NONE || !readIp(address)) return reader.fail(BLOCK_RULE);
  const is4 = indexOf(address, 0x3a) < 0;
  if (length > (is4 ? 32 : 128) || (!is4 && !isUsual6(address))) return reader.fail(BLOCK_RULE);
  const bits = is4 ? 96 + length : length;
  const highMask = maskOf(bits);
  const lowMask = maskOf(bits - 64);
  if (((ipHigh & ~highMask) | (ipLow & ~lowMask)) != 0) return reader.fail(BLOCK_RULE);
  const block = tables.restrictions.blocks.add();
  block.high = ipHigh;
  block.low = ipLow;
  block.highMask = highMask;
  block.lowMask = lowMask;
}

/** True for an IPv6 address in its short form, and not an IPv4-mapped one, of which a config has the IPv4 address. */
function isUsual6(address: View): bool {
  if (isMapped(ipHigh, ipLow)) return false;
  const printed = printIp6();
  return equals(slice(printed, 1, lengthOf(printed) - 1), address);
}

/** A decimal number without leading zeros up to 128, or NONE. */
function bitsIn(text: View): i32 {
  const length = lengthOf(text);
  if (length == 0 || length > 3 || (length > 1 && byteAt(text, 0) == 0x30)) return NONE;
  let bits = 0;
  for (let i = 0; i < length; i++) {
    const digit = <u32>byteAt(text, i) - 0x30;
    if (digit >= 10) return NONE;
    bits = bits * 10 + digit;
  }
  return bits <= 128 ? bits : NONE;
}

/**
 * Makes the decision look at the restrictions of keys and of their consumers: the term of such a key never seems to have begun, and when
 * it really begins is in its guard. To be called once everything is read.
 */
export function guardKeys(tables: Tables, keyring: Keyring): void {
  const restrictions = tables.restrictions;
  tables.asksPeer = tables.trustedHops == 0 && (restrictions.blocks.count > 0 || countsAddresses(tables));
  narrowScopes(ABSENT, u64.MAX_VALUE);
  if (tables.keyEndHeader != ABSENT) warnOfEnds(tables, keyring);
  if (restrictions.ofConsumers.count + restrictions.ofKeys.count == 0) return;
  for (let i = 0; i < keyring.keys.count; i++) {
    const number = restrictions.find(keyring.keys.at(i).consumer);
    if (number != NONE) keyring.guard(i).ofConsumer = number;
    const term = keyring.terms.at(keyring.keys.at(i).term);
    if (term.guard == 0) continue;
    keyring.guards.at(term.guard - 1).from = term.from;
    term.from = i64.MAX_VALUE;
  }
}

/** Holders of keys without an end have nothing to be told. */
function warnOfEnds(tables: Tables, keyring: Keyring): void {
  let ending = 0;
  for (let i = 0; i < keyring.terms.count; i++) if (keyring.terms.at(i).until != i64.MAX_VALUE) ending++;
  // Tables that grow by doubling would leave holes as large as themselves.
  tables.restrictions.ofKeys.reserve(tables.restrictions.ofKeys.count + ending);
  keyring.guards.reserve(keyring.guards.count + ending);
  for (let i = 0; i < keyring.keys.count; i++) {
    const until = keyring.terms.at(keyring.keys.at(i).term).until;
    if (until != i64.MAX_VALUE) restrictionOfKey(tables, keyring, i).warnFrom = until - tables.keyEndSeconds;
  }
}

export const WILDCARD = literal("*.");
const ANY = literal("*");
const SCHEME_END = literal("://");
const ORIGIN_RULE = literal(
  "must be '*', or a scheme, '://' and a host in lower case, which may begin with '*.', and a port where it is not the scheme's own",
);

/** Reads an origin and adds it to the tables; `cors` is the index of what it belongs to, or NONE. */
export function decodeOrigin(reader: Reader, tables: Tables, cors: i32): void {
  const text = reader.text(1, MAX_ORIGIN_BYTES);
  if (reader.failed) return;
  const origin = tables.origins.add();
  origin.cors = cors;
  origin.isAny = equals(text, ANY);
  origin.start = tables.texts.keep(text);
  if (origin.isAny) return;
  const colon = schemeLength(text);
  const rest = slice(text, colon, lengthOf(text));
  if (colon == 0 || !startsWith(rest, SCHEME_END)) return reader.fail(ORIGIN_RULE);
  const hostAt = colon + lengthOf(SCHEME_END);
  let host = slice(text, hostAt, lengthOf(text));
  const isBelow = startsWith(host, WILDCARD);
  if (isBelow) host = slice(host, lengthOf(WILDCARD), lengthOf(host));
  if (lengthOf(host) == 0 || !isPlainAuthority(host) || (isBelow && byteAt(host, 0) == 0x5b))
    return reader.fail(ORIGIN_RULE);
  if (!isBelow) return;
  origin.domain = slice(origin.start, hostAt + 1, lengthOf(text));
  origin.start = slice(origin.start, 0, hostAt);
}

/** Length of a URL's scheme in lower case, up to its colon; 0 without one. */
function schemeLength(text: View): i32 {
  const colon = indexOf(text, 0x3a);
  for (let i = 0; i < colon; i++) {
    const byte = byteAt(text, i);
    if (<u32>byte - 0x61 < 26) continue;
    if (i == 0 || (<u32>byte - 0x30 >= 10 && byte != 0x2b && byte != 0x2d && byte != 0x2e)) return 0;
  }
  return max(colon, 0);
}

/** True for a host as browsers write it, with or without a port. */
function isPlainAuthority(authority: View): bool {
  if (!readHost(authority) || isRespelt || !equals(hostName, slice(authority, 0, portAt))) return false;
  return lengthOf(authority) != portAt + 1;
}
