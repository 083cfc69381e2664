import { NONE } from "../bytes/rows";
import { owner } from "../credential/find";
import { isCalledFrom } from "../cors/origin";
import { Keyring } from "../keyring/keyring";
import { narrowScopes } from "../operation/choose";
import { readClientAddress } from "../request/address";
import { Term } from "../tables/consumer";
import { KeyRestriction, Restriction } from "../tables/restriction";
import { Tables } from "../tables/tables";
import { KEY_ENDS, Reason, decision } from "./decision";

/** When the key ends; meaningful only where the decision says that it ends soon. */
export let keyUntil: i64 = 0;

/**
 * What is looked at of a key beside its dates. Such keys are few, so the decision comes here only by a term that seems not to have begun
 * (see `guardKeys`): keys without anything of this kind pay nothing.
 */
export function judgeGuarded(tables: Tables, keyring: Keyring, term: Term, nowSeconds: i64): Reason {
  const guard = keyring.guards.at(term.guard - 1);
  if (guard.from > nowSeconds) return Reason.InactiveApiKey;
  if (term.until <= nowSeconds) return Reason.ExpiredApiKey;
  if (guard.own != NONE) {
    const own = tables.restrictions.ofKeys.at(guard.own);
    if (own.apiCount > 0 && !isForApi(tables, own)) return Reason.ApiNotAllowed;
    narrowScopes(decision.keyId, own.scopes);
    if (own.warnFrom <= nowSeconds) {
      decision.remarks |= KEY_ENDS;
      keyUntil = term.until;
    }
    const refused = judgeRestriction(tables, own);
    if (refused != Reason.Allowed) return refused;
  }
  if (guard.ofConsumer == NONE) return Reason.Allowed;
  return judgeRestriction(tables, tables.restrictions.ofConsumers.at(guard.ofConsumer));
}

function isForApi(tables: Tables, key: KeyRestriction): bool {
  for (let i = key.firstApi, past = i + key.apiCount; i < past; i++) {
    if (tables.references.at(i).index == decision.api) return true;
  }
  return false;
}

/** The same of a credential that is no key: whether its owner is known, and from where that consumer may call. */
export function judgeOther(tables: Tables): Reason {
  if (owner != Reason.Allowed) return owner;
  const number = tables.restrictions.find(decision.consumer);
  return number == NONE ? Reason.Allowed : judgeRestriction(tables, tables.restrictions.ofConsumers.at(number));
}

/** Denied goes before allowed. An address that is not known lies in no block: it is refused where some are allowed. */
function judgeRestriction(tables: Tables, restriction: Restriction): Reason {
  const restrictions = tables.restrictions;
  const allowed = restriction.allowedCount;
  const denied = restriction.deniedCount;
  if (allowed + denied > 0) {
    const isKnown = readClientAddress(tables.trustedHops);
    if (isKnown && restrictions.holds(restriction.firstDenied, denied)) return Reason.AddressNotAllowed;
    if (allowed > 0 && !(isKnown && restrictions.holds(restriction.firstAllowed, allowed)))
      return Reason.AddressNotAllowed;
  }
  if (restriction.originCount == 0) return Reason.Allowed;
  const isExpected = isCalledFrom(tables, restriction.firstOrigin, restriction.originCount);
  return isExpected ? Reason.Allowed : Reason.OriginNotAllowed;
}
