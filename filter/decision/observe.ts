import { NONE } from "../bytes/rows";
import { ABSENT } from "../bytes/view";
import { isAmbiguous } from "../match/api";
import { Mode } from "../tables/quota";
import { Tables } from "../tables/tables";
import { Reason, decision } from "./decision";
import * as Request from "../request/request";

/*
 * Observing asks only where something refuses. What stands before the key, and what an operation asks of the caller, is noted at once, and
 * the request goes on as if it had not been refused there; all else is looked at when the decision has ended.
 */

/** Notes for which reason the request would have been refused: the first, which is what enforcing would have said. */
export function note(reason: Reason): void {
  if (decision.observed == Reason.Allowed) decision.observed = <u8>reason;
}

/** True, and noted, when the API that refuses only observes. */
export function overlooks(tables: Tables, reason: Reason): bool {
  if (tables.apis.at(decision.api).mode != Mode.Observe) return false;
  note(reason);
  return true;
}

/**
 * True when the refusal just decided is only observed. The mode that counts is that of what refuses: of the plan on this API for a
 * subscription to it, of the API for all else about it, and of the policy without an API. Quotas have been looked at by then.
 */
export function isObserved(tables: Tables): bool {
  switch (decision.reason) {
    case Reason.QuotaExceeded:
    case Reason.QuotaUnavailable:
    case Reason.ConcurrencyExceeded:
      return false;
    case Reason.SubscriptionPaused:
    case Reason.SubscriptionInactive:
    case Reason.SubscriptionExpired:
      return tables.offers.at(decision.offer).observes;
  }
  if (decision.api != NONE) return tables.apis.at(decision.api).mode == Mode.Observe;
  return canBeReadOtherwise() ? tables.isAmbiguousObserved : tables.mode == Mode.Observe;
}

/** True when the request could be one for an API, for some server behind this one. */
function canBeReadOtherwise(): bool {
  if (decision.reason != Reason.NoApi) return true;
  return Request.path == ABSENT ? Request.pathMayNameHost() : isAmbiguous;
}
