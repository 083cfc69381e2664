import { nameInPlace, viewOf } from "../bytes/name";
import { equals, literal } from "../bytes/view";
import { Tables } from "../tables/tables";
import { MAX_EXACT } from "./number";
import { Reader } from "./reader";
import { readName } from "./rule";
import * as Field from "./field";

export function decodeSubscription(reader: Reader, tables: Tables, firstOfConsumer: i32): void {
  const index = tables.subscriptions.count;
  const subscription = tables.subscriptions.add();
  subscription.firstLimit = tables.limits.count;
  let seen: u32 = 0;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.is(Field.API)) {
      seen = reader.mark(seen, 0);
      const api = readName(reader);
      for (let i = firstOfConsumer; i < index; i++) {
        if (equals(viewOf(tables.subscriptions.at(i).api), api))
          reader.fail(literal("a second subscription to this API"));
      }
      subscription.api = nameInPlace(api);
    } else if (reader.is(Field.PLAN)) {
      seen = reader.mark(seen, 1);
      subscription.plan = nameInPlace(readName(reader));
    } else if (reader.is(Field.FROM)) {
      seen = reader.mark(seen, 2);
      subscription.term = tables.ownTerm(subscription.term);
      tables.terms.at(subscription.term).from = reader.integer(0, MAX_EXACT);
    } else if (reader.is(Field.UNTIL)) {
      seen = reader.mark(seen, 3);
      subscription.term = tables.ownTerm(subscription.term);
      tables.terms.at(subscription.term).until = reader.integer(0, MAX_EXACT);
    } else if (reader.is(Field.PAUSED)) {
      seen = reader.mark(seen, 4);
      subscription.term = tables.ownTerm(subscription.term);
      tables.terms.at(subscription.term).suspended = reader.boolean();
    } else if (reader.is(Field.LIMITS)) {
      seen = reader.mark(seen, 5);
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodeLimit(reader, tables);
    } else reader.unknownField();
  }
  reader.need(seen, 0, Field.API);
  reader.need(seen, 1, Field.PLAN);
  subscription.limitCount = tables.limits.count - subscription.firstLimit;
}

function decodeLimit(reader: Reader, tables: Tables): void {
  const replacement = tables.limits.add();
  let seen: u32 = 0;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.is(Field.QUOTA)) {
      seen = reader.mark(seen, 0);
      replacement.quota = nameInPlace(readName(reader));
    } else if (reader.is(Field.LIMIT)) {
      seen = reader.mark(seen, 1);
      replacement.limit = reader.integer(1, MAX_EXACT);
    } else reader.unknownField();
  }
  reader.need(seen, 0, Field.QUOTA);
  reader.need(seen, 1, Field.LIMIT);
}
