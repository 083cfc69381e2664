import { NONE } from "../bytes/rows";
import { bill, isOwn } from "../quota/attempt";
import { Tables } from "../tables/tables";
import { EXCEEDED, UNCOUNTED, Usage } from "../usage/usage";
import { Reason, decision } from "./decision";

/**
 * Counts a decision that is in force: by pair of API and plan, by API where it came to no plan, and where it came to no API for all of those;
 * and by operation.
 */
export function countDecision(tables: Tables, usage: Usage): void {
  if (decision.api == NONE) return usage.none.add(<i32>decision.reason);
  if (decision.offer != NONE) tables.offers.at(decision.offer).usage.add(cellOf(decision.reason));
  else tables.apis.at(decision.api).usage.add(<i32>decision.reason);
  if (decision.operation != NONE) tables.operations.at(decision.operation).usage.add(ownCellOf(decision.reason));
}

/** Counts a request that only observing let pass, twice: by the reason for which it would have been refused, and as what it passed. */
export function countObserved(tables: Tables, usage: Usage): void {
  const cell = cellOf(decision.observed);
  const offer = decision.offer;
  if (offer != NONE) tables.offers.at(offer).observed.add(cell);
  else if (decision.api != NONE) tables.apis.at(decision.api).observed.add(cell);
  else usage.observedNone.add(cell);
  if (!decision.isNobodys) return countDecision(tables, usage);
  decision.offer = NONE;
  countDecision(tables, usage);
  decision.offer = offer;
}

/** Refusals by a quota are counted by quota: in the row of the plan or in that of the operation, whichever has it. */
function cellOf(reason: Reason): i32 {
  if (reason < Reason.QuotaExceeded) return <i32>reason;
  return isOfQuota(reason) && !isOwn(bill.exceeded) ? quotaCell(reason, bill.exceeded) : <i32>reason;
}

function ownCellOf(reason: Reason): i32 {
  const number = bill.exceeded - bill.planCount;
  return isOfQuota(reason) && isOwn(bill.exceeded) ? quotaCell(reason, number) : <i32>reason;
}

function isOfQuota(reason: Reason): bool {
  return reason == Reason.QuotaExceeded || (reason == Reason.QuotaUnavailable && bill.exceeded != NONE);
}

function quotaCell(reason: Reason, number: i32): i32 {
  return (reason == Reason.QuotaExceeded ? EXCEEDED : UNCOUNTED) + number;
}
