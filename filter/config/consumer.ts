import { nameInPlace } from "../bytes/name";
import { byteAt, lengthOf, literal } from "../bytes/view";
import { NONE } from "../tables/record";
import { Tables } from "../tables/tables";
import { CONSUMER_ID, counterId } from "../tables/counterId";
import { makeRoom } from "./census";
import { Names } from "./names";
import { MAX_EXACT } from "./number";
import { Reader } from "./reader";
import { readConsumerName, readName } from "./rule";
import { hexDigit } from "../bytes/hex";
import { decodeSubscription } from "./subscription";
import * as Field from "./field";

const DIGEST_HEX_BYTES = 64;

export function decodeConsumers(reader: Reader, tables: Tables, names: Names): void {
  if (!reader.beginArray()) return;
  makeRoom(reader.rest(), tables, names);
  for (let i = 0; reader.nextItem(i); i++) decodeConsumer(reader, tables, names);
}

function decodeConsumer(reader: Reader, tables: Tables, names: Names): void {
  const index = tables.consumers.count;
  const consumer = tables.consumers.add();
  consumer.plan = NONE;
  consumer.firstSubscription = tables.subscriptions.count;
  let seen: u32 = 0;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.is(Field.NAME)) {
      seen = reader.mark(seen, 0);
      const name = readConsumerName(reader);
      if (!reader.failed && !names.consumers.add(name)) reader.fail(literal("a second consumer named %q"), name);
      consumer.nameText = tables.texts.keepName(name);
      consumer.id = counterId(CONSUMER_ID, 0, name);
    } else if (reader.is(Field.PLAN)) {
      seen = reader.mark(seen, 1);
      consumer.plan = nameInPlace(readName(reader));
    } else if (reader.is(Field.SUBSCRIPTIONS)) {
      seen = reader.mark(seen, 2);
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodeSubscription(reader, tables, consumer.firstSubscription);
    } else if (reader.is(Field.KEYS)) {
      seen = reader.mark(seen, 3);
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodeKey(reader, tables, index);
    } else reader.unknownField();
  }
  reader.need(seen, 0, Field.NAME);
  consumer.subscriptionCount = tables.subscriptions.count - consumer.firstSubscription;
}

function decodeKey(reader: Reader, tables: Tables, consumer: i32): void {
  const key = tables.keyring.keys.add();
  key.consumer = consumer;
  let seen: u32 = 0;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.is(Field.ID)) {
      seen = reader.mark(seen, 0);
      key.idText = tables.texts.keepName(readName(reader));
    } else if (reader.is(Field.DIGEST)) {
      seen = reader.mark(seen, 1);
      readDigest(reader, changetype<usize>(key));
    } else if (reader.is(Field.FROM)) {
      seen = reader.mark(seen, 2);
      key.term = tables.ownTerm(key.term);
      tables.terms.at(key.term).from = reader.integer(0, MAX_EXACT);
    } else if (reader.is(Field.UNTIL)) {
      seen = reader.mark(seen, 3);
      key.term = tables.ownTerm(key.term);
      tables.terms.at(key.term).until = reader.integer(0, MAX_EXACT);
    } else if (reader.is(Field.REVOKED)) {
      seen = reader.mark(seen, 4);
      key.term = tables.ownTerm(key.term);
      tables.terms.at(key.term).suspended = reader.boolean();
    } else reader.unknownField();
  }
  reader.need(seen, 0, Field.ID);
  reader.need(seen, 1, Field.DIGEST);
}

/** The message never repeats the value: somebody may have put the key itself there. */
function readDigest(reader: Reader, to: usize): void {
  const text = reader.text(0, i32.MAX_VALUE);
  let good = lengthOf(text) == DIGEST_HEX_BYTES;
  for (let i = 0; i < DIGEST_HEX_BYTES && good; i += 2) {
    const high = hexDigit(byteAt(text, i));
    const low = hexDigit(byteAt(text, i + 1));
    good = high >= 0 && low >= 0;
    store<u8>(to + (i >> 1), <u8>((high << 4) | low));
  }
  if (!good) reader.fail(literal("must be the 64 hex digits of a SHA-256 digest"));
}
