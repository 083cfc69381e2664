import { NONE } from "../bytes/rows";
import { ABSENT, View, byteAt, equals, hexDigit, lengthOf, literal, nameInPlace, pointerOf, view } from "../bytes/view";
import { CONSUMER_ID, GROUP_ID, counterId } from "../tables/counterId";
import { Keyring } from "../keyring/keyring";
import { Tables } from "../tables/tables";
import { decodeWorkloads } from "./identity";
import { decodeCalendar } from "./calendar";
import { Names } from "./names";
import { Reader } from "./reader";
import { decodeScopes } from "./operation";
import { decodeOwnLimit } from "./ownLimit";
import {
  decodeAddresses,
  decodeCallingOrigins,
  decodeKeyApis,
  decodeKeyScopes,
  restrictionOf,
  restrictionOfKey,
} from "./restriction";
import { readConsumerName, readName } from "./rule";
import { decodeSubjects } from "./token";
import { DIGEST_DIGITS, MAX_EXACT, MAX_QUOTAS, MAX_SCOPES } from "./contract";
import * as Field from "./field";

export function decodeConsumers(reader: Reader, tables: Tables, keyring: Keyring, names: Names): void {
  if (!reader.beginArray()) return;
  makeRoom(reader.rest(), tables, keyring, names);
  for (let i = 0; reader.nextItem(i); i++) decodeConsumer(reader, tables, keyring, names);
}

function decodeConsumer(reader: Reader, tables: Tables, keyring: Keyring, names: Names): void {
  const index = tables.consumers.count;
  const consumer = tables.consumers.add();
  consumer.plan = NONE;
  consumer.firstSubscription = tables.subscriptions.count;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.NAME, 0)) {
      const name = readConsumerName(reader);
      if (!reader.failed && !names.consumers.add(name)) reader.fail(literal("a second consumer named %q"), name);
      consumer.nameText = tables.texts.keepName(name);
      consumer.id = counterId(CONSUMER_ID, 0, name);
    } else if (reader.takes(Field.PLAN, 1)) {
      consumer.plan = nameInPlace(readName(reader));
    } else if (reader.takes(Field.SUBSCRIPTIONS, 2)) {
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodeSubscription(reader, tables);
    } else if (reader.takes(Field.KEYS, 3)) {
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodeKey(reader, tables, keyring, index);
    } else if (reader.takes(Field.SCOPES, 4)) {
      addGrant(tables, index, decodeScopes(reader, tables, MAX_SCOPES));
    } else if (reader.takes(Field.GROUP, 5)) {
      addMembership(tables, index, readConsumerName(reader));
    } else if (reader.takes(Field.ADDRESSES, 6)) {
      decodeAddresses(reader, tables, restrictionOf(tables, index));
    } else if (reader.takes(Field.ORIGINS, 7)) {
      decodeCallingOrigins(reader, tables, restrictionOf(tables, index));
    } else if (reader.takes(Field.WORKLOADS, 20)) {
      decodeWorkloads(reader, tables, index);
    } else if (reader.takes(Field.TOKENS, 21)) {
      decodeSubjects(reader, tables, index);
    } else if (reader.takes(Field.CALENDAR, 8)) {
      decodeCalendar(reader, tables.calendars.ofConsumers.add(), index);
    } else reader.unknownField();
  }
  reader.needs(0, Field.NAME);
  // A token's scopes stand in the place of the consumer's while its request is decided.
  if (reader.has(21)) ensureGrant(tables, index);
  consumer.subscriptionCount = tables.subscriptions.count - consumer.firstSubscription;
}

function addGrant(tables: Tables, consumer: i32, scopes: u64): void {
  if (scopes == 0) return;
  const grant = tables.grants.add();
  grant.consumer = consumer;
  grant.scopes = scopes;
}

/** The record of the consumer that was read last, also where it has no scopes. */
function ensureGrant(tables: Tables, consumer: i32): void {
  const count = tables.grants.count;
  if (count == 0 || tables.grants.at(count - 1).consumer != consumer) tables.grants.add().consumer = consumer;
}

function addMembership(tables: Tables, consumer: i32, group: View): void {
  const membership = tables.memberships.add();
  membership.consumer = consumer;
  membership.group = counterId(GROUP_ID, 0, group);
  membership.nameText = tables.texts.keepName(group);
}

function decodeKey(reader: Reader, tables: Tables, keyring: Keyring, consumer: i32): void {
  const index = keyring.keys.count;
  const key = keyring.keys.add();
  key.consumer = consumer;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.ID, 0)) {
      key.idText = keyring.names.keepName(readName(reader));
    } else if (reader.takes(Field.DIGEST, 1)) {
      readDigest(reader, changetype<usize>(key));
    } else if (reader.takes(Field.FROM, 2)) {
      key.term = keyring.terms.own(key.term);
      keyring.terms.at(key.term).from = reader.integer(0, MAX_EXACT);
    } else if (reader.takes(Field.UNTIL, 3)) {
      key.term = keyring.terms.own(key.term);
      keyring.terms.at(key.term).until = reader.integer(0, MAX_EXACT);
    } else if (reader.takes(Field.REVOKED, 4)) {
      key.term = keyring.terms.own(key.term);
      keyring.terms.at(key.term).suspended = reader.boolean();
    } else if (reader.takes(Field.ADDRESSES, 5)) {
      decodeAddresses(reader, tables, restrictionOfKey(tables, keyring, index));
    } else if (reader.takes(Field.APIS, 6)) {
      decodeKeyApis(reader, tables, restrictionOfKey(tables, keyring, index));
    } else if (reader.takes(Field.SCOPES, 7)) {
      decodeKeyScopes(reader, tables, restrictionOfKey(tables, keyring, index));
    } else reader.unknownField();
  }
  reader.needs(0, Field.ID);
  reader.needs(1, Field.DIGEST);
}

/** The message never repeats the value, because it might be the key itself. */
function readDigest(reader: Reader, to: usize): void {
  const text = reader.text(0, i32.MAX_VALUE);
  let good = lengthOf(text) == DIGEST_DIGITS;
  for (let i = 0; i < DIGEST_DIGITS && good; i += 2) {
    const high = hexDigit(byteAt(text, i));
    const low = hexDigit(byteAt(text, i + 1));
    good = high >= 0 && low >= 0;
    store<u8>(to + (i >> 1), <u8>((high << 4) | low));
  }
  if (!good) reader.fail(literal("must be the 64 hex digits of a SHA-256 digest"));
}

export function decodeSubscription(reader: Reader, tables: Tables): void {
  const subscription = tables.subscriptions.add();
  subscription.firstLimit = tables.limits.count;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.API, 0)) {
      subscription.api = nameInPlace(readName(reader));
    } else if (reader.takes(Field.PLAN, 1)) {
      subscription.plan = nameInPlace(readName(reader));
    } else if (reader.takes(Field.FROM, 2)) {
      subscription.term = tables.terms.own(subscription.term);
      tables.terms.at(subscription.term).from = reader.integer(0, MAX_EXACT);
    } else if (reader.takes(Field.UNTIL, 3)) {
      subscription.term = tables.terms.own(subscription.term);
      tables.terms.at(subscription.term).until = reader.integer(0, MAX_EXACT);
    } else if (reader.takes(Field.PAUSED, 4)) {
      subscription.term = tables.terms.own(subscription.term);
      tables.terms.at(subscription.term).suspended = reader.boolean();
    } else if (reader.takes(Field.OWN_COUNTERS, 6)) {
      subscription.ownCounters = reader.boolean();
    } else if (reader.takes(Field.LIMITS, 5)) {
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) {
        if (i == MAX_QUOTAS) reader.fail(literal("at most %d limits in a subscription"), MAX_QUOTAS);
        decodeOwnLimit(reader, tables);
      }
    } else reader.unknownField();
  }
  reader.needs(0, Field.API);
  reader.needs(1, Field.PLAN);
  subscription.limitCount = <u16>(tables.limits.count - subscription.firstLimit);
}

/** The least bytes of a consumer, key, subscription or limit in a document, which bound the room that a document can claim. */
const LEAST_CONSUMER_BYTES = 12;
const LEAST_KEY_BYTES = 80;
const LEAST_SUBSCRIPTION_BYTES = 20;
const LEAST_LIMIT_BYTES = 20;

/** The length of the longest field name below. */
const MAX_FIELD_BYTES = 6;

/**
 * Counts the records in `rest`, which begins with the consumers, and makes room for all of them at once, for short-lived records last:
 * tables that grow by doubling would leave holes as large as themselves. A field of the same name elsewhere only makes the room
 * larger than needed.
 */
export function makeRoom(rest: View, tables: Tables, keyring: Keyring, names: Names): void {
  let consumers = 0;
  let keys = 0;
  let subscriptions = 0;
  let limits = 0;
  let nameBytes = 0;
  let idBytes = 0;
  let before: View = ABSENT;
  const end = pointerOf(rest) + lengthOf(rest);
  let at = pointerOf(rest);
  while (true) {
    while (at < end && load<u8>(at) != 0x22) at++;
    const start = ++at;
    while (at < end && load<u8>(at) != 0x22) at += load<u8>(at) == 0x5c ? 2 : 1;
    if (at >= end) break;
    const text = view(start, <i32>(at++ - start));
    if (before == Field.NAME) nameBytes += 1 + lengthOf(text);
    else if (before == Field.ID) idBytes += 1 + lengthOf(text);
    before = ABSENT;
    if (lengthOf(text) > MAX_FIELD_BYTES) continue;
    if (equals(text, Field.NAME)) {
      consumers++;
      before = Field.NAME;
    } else if (equals(text, Field.ID)) before = Field.ID;
    else if (equals(text, Field.DIGEST)) keys++;
    else if (equals(text, Field.API)) subscriptions++;
    else if (equals(text, Field.QUOTA)) limits++;
  }
  const bytes = lengthOf(rest);
  consumers = min(consumers, bytes / LEAST_CONSUMER_BYTES);
  tables.consumers.reserve(consumers);
  keyring.reserve(min(keys, bytes / LEAST_KEY_BYTES));
  tables.subscriptions.reserve(min(subscriptions, bytes / LEAST_SUBSCRIPTION_BYTES));
  tables.limits.reserve(min(limits, bytes / LEAST_LIMIT_BYTES));
  tables.texts.reserve(nameBytes);
  keyring.names.reserve(idBytes);
  names.consumers.reserve(consumers);
}
