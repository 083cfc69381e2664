import { NONE } from "../bytes/rows";
import { Tables } from "../tables/tables";
import { decision } from "./decision";
import { isAllowed } from "./reason";

/** Adds the decision to the tables' own counters, which the binding passes to the host from time to time. */
export function countDecision(tables: Tables): void {
  tables.reasonCounts[<i32>decision.reason]++;
  tables.uncounted = true;
  if (decision.offer == NONE) return;
  const offer = tables.offers.at(decision.offer);
  if (isAllowed(decision.reason)) offer.allowed++;
  else offer.refused++;
}
