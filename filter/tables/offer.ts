import { NONE } from "./record";
import { Tables } from "./tables";

/** The pair of an API and a plan that it offers, or NONE. */
export function findOffer(tables: Tables, api: i32, plan: i32): i32 {
  const record = tables.apis.at(api);
  for (let i = record.firstOffer; i < record.firstOffer + record.offerCount; i++) {
    if (tables.offers.at(i).plan == plan) return i;
  }
  return NONE;
}
