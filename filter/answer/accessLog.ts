import { begin, end, writeNumber } from "../bytes/arena";
import { NONE } from "../bytes/rows";
import { ABSENT, View } from "../bytes/view";
import { OBSERVE } from "../config/field";
import { NO_STANDINGS, Reason, codeOf, decision } from "../decision/decision";
import { UNKNOWN, bill, hidden, quotaAt, standingAt } from "../quota/attempt";
import { Tables } from "../tables/tables";
import { LogField } from "../tables/logField";
import * as Request from "../request/request";

/**
 * What an access log can show of the decision in one field, or ABSENT where the decision did not get so far. Values are names of the
 * policy, codes, a number, and a host that has passed for one: at most 255 bytes of printable ASCII without spaces, quotes and
 * backslashes.
 */
export function logField(tables: Tables, field: LogField): View {
  switch (field) {
    case LogField.Reason:
      return codeOf(decision.reason);
    case LogField.Api:
      return decision.api == NONE ? ABSENT : tables.apis.at(decision.api).name;
    case LogField.Operation:
      return decision.operation == NONE ? ABSENT : tables.operations.at(decision.operation).name;
    case LogField.Route:
      return decision.route;
    case LogField.Consumer:
      return decision.consumer == NONE ? ABSENT : tables.consumers.at(decision.consumer).name;
    case LogField.KeyId:
      return decision.keyId;
    case LogField.Plan:
      return decision.plan == NONE ? ABSENT : tables.plans.at(decision.plan).name;
    case LogField.Quota:
      return quotaName(tables);
    case LogField.Remaining:
      return remaining(tables);
    case LogField.Mode:
      return decision.observed == Reason.Allowed ? ABSENT : OBSERVE;
    default:
      return Request.hasGoodHost ? Request.host : ABSENT;
  }
}

function quotaName(tables: Tables): View {
  const index = shownQuota(tables);
  return index == NONE ? ABSENT : quotaAt(tables, index).name;
}

function remaining(tables: Tables): View {
  const index = shownQuota(tables);
  if (index == NONE || decision.standings == NO_STANDINGS) return ABSENT;
  let units = standingAt(index).remaining;
  if (units < 0) {
    if (units == UNKNOWN) return ABSENT;
    units = hidden(units);
  }
  begin(MAX_DIGITS);
  writeNumber(units);
  return end();
}

/** Of a number of units, which is below 2^53. */
const MAX_DIGITS = 16;

/** The quota that refused, by its index among the request's; of a request that none refused, the one of which the smallest part is left. */
function shownQuota(tables: Tables): i32 {
  if (decision.reason == Reason.QuotaUnavailable) return bill.exceeded;
  return decision.quota == NONE ? scarcest(tables) : decision.quota;
}

/** NONE where no quota was looked at. */
function scarcest(tables: Tables): i32 {
  if (decision.standings == NO_STANDINGS) return NONE;
  let found = NONE;
  let least: f64 = Infinity;
  for (
    let i = 0, n = bill.operation == NONE ? tables.plans.at(decision.plan).quotaCount : bill.quotaCount;
    i < n;
    i++
  ) {
    const standing = standingAt(i);
    let units = standing.remaining;
    if (units < 0) {
      if (units == UNKNOWN) continue;
      // Negative, as its limit is.
      units = -hidden(units);
    }
    const part = <f64>units / <f64>standing.limit;
    if (part >= least) continue;
    least = part;
    found = i;
  }
  return found;
}
