import { View, equals, pointerOf, lengthOf, view } from "../bytes/view";
import { Tables } from "../tables/tables";
import { Names } from "./names";
import * as Field from "./field";

/** Fewest bytes that a consumer, key, subscription or limit takes in a document, so that no text can claim more room. */
const LEAST_CONSUMER_BYTES = 12;
const LEAST_KEY_BYTES = 80;
const LEAST_SUBSCRIPTION_BYTES = 20;
const LEAST_LIMIT_BYTES = 20;

/** Longest of the field names below. */
const MAX_FIELD_BYTES = 6;

/**
 * Counts what is still to be read at `rest`, which begins with the consumers, and makes room for it all at once, what is
 * only for the moment last: tables that grew by doubling would leave holes as large as themselves. A field of the same name
 * elsewhere only makes the room larger.
 */
export function makeRoom(rest: View, tables: Tables, names: Names): void {
  let consumers = 0;
  let keys = 0;
  let subscriptions = 0;
  let limits = 0;
  let textBytes = 0;
  let named = false;
  const end = pointerOf(rest) + lengthOf(rest);
  let at = pointerOf(rest);
  while (true) {
    while (at < end && load<u8>(at) != 0x22) at++;
    const start = ++at;
    while (at < end && load<u8>(at) != 0x22) at += load<u8>(at) == 0x5c ? 2 : 1;
    if (at >= end) break;
    const text = view(start, <i32>(at++ - start));
    if (named) textBytes += 1 + lengthOf(text);
    named = false;
    if (lengthOf(text) > MAX_FIELD_BYTES) continue;
    if (equals(text, Field.NAME)) {
      consumers++;
      named = true;
    } else if (equals(text, Field.ID)) named = true;
    else if (equals(text, Field.DIGEST)) keys++;
    else if (equals(text, Field.API)) subscriptions++;
    else if (equals(text, Field.QUOTA)) limits++;
  }
  const bytes = lengthOf(rest);
  consumers = min(consumers, bytes / LEAST_CONSUMER_BYTES);
  tables.consumers.reserve(consumers);
  tables.keyring.reserve(min(keys, bytes / LEAST_KEY_BYTES));
  tables.subscriptions.reserve(min(subscriptions, bytes / LEAST_SUBSCRIPTION_BYTES));
  tables.limits.reserve(min(limits, bytes / LEAST_LIMIT_BYTES));
  tables.texts.reserve(textBytes);
  names.consumers.reserve(consumers);
}
