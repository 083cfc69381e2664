import { equals } from "../bytes/view";
import { NONE } from "../tables/record";
import { Tables } from "../tables/tables";
import { MAX_EXACT } from "./number";
import { Reader } from "./reader";
import { readName } from "./rule";
import * as Field from "./field";

export function decodeSubscription(reader: Reader, tables: Tables, firstOfConsumer: i32): void {
  const index = tables.subscriptions.count;
  const subscription = tables.subscriptions.add();
  subscription.until = i64.MAX_VALUE;
  subscription.firstLimit = tables.limits.count;
  let seen: u32 = 0;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.is(Field.API)) {
      seen = reader.mark(seen, 0);
      subscription.apiName = readName(reader);
      for (let i = firstOfConsumer; i < index; i++) {
        if (equals(tables.subscriptions.at(i).apiName, subscription.apiName)) reader.fail("a second subscription to this API");
      }
    } else if (reader.is(Field.PLAN)) {
      seen = reader.mark(seen, 1);
      subscription.planName = readName(reader);
    } else if (reader.is(Field.FROM)) {
      seen = reader.mark(seen, 2);
      subscription.from = reader.integer(0, MAX_EXACT);
    } else if (reader.is(Field.UNTIL)) {
      seen = reader.mark(seen, 3);
      subscription.until = reader.integer(0, MAX_EXACT);
    } else if (reader.is(Field.PAUSED)) {
      seen = reader.mark(seen, 4);
      subscription.paused = reader.boolean();
    } else if (reader.is(Field.LIMITS)) {
      seen = reader.mark(seen, 5);
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodeLimit(reader, tables);
    } else reader.unknownField();
  }
  reader.need(seen, 0, "api");
  reader.need(seen, 1, "plan");
  subscription.limitCount = tables.limits.count - subscription.firstLimit;
}

function decodeLimit(reader: Reader, tables: Tables): void {
  const replacement = tables.limits.add();
  replacement.quota = NONE;
  let seen: u32 = 0;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.is(Field.QUOTA)) {
      seen = reader.mark(seen, 0);
      replacement.quotaName = readName(reader);
    } else if (reader.is(Field.LIMIT)) {
      seen = reader.mark(seen, 1);
      replacement.limit = reader.integer(1, MAX_EXACT);
    } else reader.unknownField();
  }
  reader.need(seen, 0, "quota");
  reader.need(seen, 1, "limit");
}
