import { NONE } from "../bytes/rows";
import { Tables } from "../tables/tables";
import { decision } from "./decision";

/** The subscription that names the API; without one, the consumer's own plan applies. */
export function findSubscription(tables: Tables): i32 {
  const consumer = tables.consumers.at(decision.consumer);
  const count = consumer.subscriptionCount;
  if (count == 0) return NONE;
  // They stand in the order of their APIs.
  let low = consumer.firstSubscription;
  for (let rest = count; rest > 1;) {
    const half = rest >> 1;
    if (tables.subscriptions.at(low + half).api <= decision.api) low += half;
    rest -= half;
  }
  return tables.subscriptions.at(low).api == decision.api ? low : NONE;
}
