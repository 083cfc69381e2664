import { decision, Reason, detailOf, statusOf } from "../decision/decision";
import { ABSENT, View, literal } from "../bytes/view";
import { isOwn, quotaAt } from "../quota/attempt";
import { NO_REFUSAL } from "../tables/quota";
import { Tables } from "../tables/tables";
import { beginProblem, beginTypedProblem, endDetail, endProblem, writeEscaped, writeQuota } from "./problem";
import { writeView } from "../bytes/arena";

/*
 * What a caller is told whom a quota refuses: in a sentence of the module's, or in the words and with the status of its plan. The reason and
 * the gRPC status are the same in any case, so that logs, metrics and gRPC clients need not know of it.
 */

const OWN_QUOTA = literal("A quota of the operation is used up.");

/** The number of the refusal of the plan whose quota refused; an operation's own quotas speak for themselves. */
// @ts-ignore: decorator
@inline
function refusalNumber(tables: Tables, isOwns: bool): i32 {
  return !tables.hasRefusals || isOwns ? NO_REFUSAL : tables.plans.at(decision.plan).refusal;
}

export function quotaStatus(tables: Tables): u32 {
  const number = refusalNumber(tables, isOwn(decision.quota));
  return number == NO_REFUSAL ? statusOf(Reason.QuotaExceeded) : tables.refusals.at(number).status;
}

/** What gRPC callers are told. */
export function quotaDetail(tables: Tables): View {
  const isOwns = isOwn(decision.quota);
  const number = refusalNumber(tables, isOwns);
  if (number != NO_REFUSAL && tables.refusals.at(number).detail != ABSENT) return tables.refusals.at(number).detail;
  return isOwns ? OWN_QUOTA : detailOf(Reason.QuotaExceeded);
}

/** The problem, which names the quota. */
export function quotaBody(tables: Tables): View {
  const isOwns = isOwn(decision.quota);
  const number = refusalNumber(tables, isOwns);
  if (number == NO_REFUSAL) {
    beginProblem(Reason.QuotaExceeded, statusOf(Reason.QuotaExceeded));
    writeView(isOwns ? OWN_QUOTA : detailOf(Reason.QuotaExceeded));
  } else {
    const refusal = tables.refusals.at(number);
    beginTypedProblem(refusal.type, Reason.QuotaExceeded, refusal.status);
    writeEscaped(refusal.detail == ABSENT ? detailOf(Reason.QuotaExceeded) : refusal.detail);
  }
  endDetail(Reason.QuotaExceeded);
  writeQuota(quotaAt(tables, decision.quota).name);
  return endProblem();
}
