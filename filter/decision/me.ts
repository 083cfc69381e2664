import { NONE } from "../bytes/rows";
import { ABSENT } from "../bytes/view";
import { KEY_DIGEST, Keyring } from "../keyring/keyring";
import { bill } from "../quota/attempt";
import { Counters } from "../quota/counters";
import { mayAsk, peek } from "../quota/peek";
import { Tables } from "../tables/tables";
import { Reason, decision } from "./decision";

/** When the key of the caller who asks expires; NEVER for one without an end, and for other credentials. */
export let keyUntil: i64 = 0;
export const NEVER: i64 = i64.MAX_VALUE;

/** Notes the subscription of a caller who asks for its plan and quotas, and may. */
export function askMe(subscription: i32): Reason {
  bill.subscription = subscription;
  return Reason.MeAnswered;
}

/**
 * Answers the caller that has asked for its plan and quotas, unless it does so too often. Everything else about it has been decided as of any
 * request; nothing is charged.
 */
export function answerMe(tables: Tables, keyring: Keyring, counters: Counters, now: i64): Reason {
  bill.cost = 1;
  bill.nowNanoseconds = now;
  bill.api = decision.api;
  bill.plan = decision.plan;
  bill.operation = NONE;
  bill.consumer = decision.consumer;
  bill.isObserving = false;
  const answered = mayAsk(tables, counters, tables.apis.at(decision.api), bill, now);
  bill.exceeded = NONE;
  decision.retryAfterSeconds = bill.retryAfterSeconds;
  if (answered != Reason.MeAnswered) return answered;
  keyUntil = untilOf(keyring);
  const observed = decision.offer == NONE ? 0 : tables.offers.at(decision.offer).observedQuotas;
  peek(tables, counters, observed, bill, now);
  return answered;
}

function untilOf(keyring: Keyring): i64 {
  const number = decision.keyId == ABSENT ? NONE : keyring.find(KEY_DIGEST);
  return number == NONE ? NEVER : keyring.terms.at(keyring.keys.at(number).term).until;
}
