import { NONE } from "../bytes/rows";
import { sha256 } from "../bytes/sha256";
import { ABSENT, lengthOf, pointerOf } from "../bytes/view";
import { Finding, findKey, foundKey } from "../credential/key";
import { coveredBytes, isDoubtful, matchApi } from "../match/api";
import { Charge, Patience, bill } from "../quota/attempt";
import { Counters, charge } from "../quota/charge";
import { clearEdits, editsOverflowed } from "../request/headers";
import { isPreflight } from "../request/request";
import { chooseRoute } from "../route/choose";
import { Tables, findOffer } from "../tables/tables";
import { NANOSECONDS } from "../time/window";
import { decision } from "./decision";
import { writeEdits } from "./outcome";
import { Reason, isAllowed } from "./reason";
import * as Request from "../request/request";

const DIGEST: usize = memory.data(32, 8);

/**
 * Decides the request whose facts `readHeaders` and `readRequest` hold: `decision` is the answer, the edits are the changes
 * to its headers when it goes on. Spends quota when, and only when, the request is allowed. When `decision.waits` is true
 * nothing is decided yet: the rate limit service must be asked (see quota/mesh), and the request is to be decided again.
 */
export function decide(tables: Tables, counters: Counters, nowNanoseconds: i64, patience: Patience): void {
  decision.reset();
  clearEdits();
  bill.patience = patience;
  decision.reason = judge(tables, counters, nowNanoseconds);
  if (!isAllowed(decision.reason)) return;
  writeEdits(tables);
  if (editsOverflowed) decision.reason = Reason.InternalError;
}

/** Refuses the request just decided: it would have to wait, and no place is free. Nothing was spent on it. */
export function refuseToWait(): void {
  decision.reason = Reason.TooManyWaiting;
  decision.waits = false;
  decision.hasStandings = false;
}

function judge(tables: Tables, counters: Counters, now: i64): Reason {
  if (!Request.hasGoodHost) return Reason.InvalidHost;
  if (Request.path == ABSENT) return judgeWithoutPath(tables);
  decision.api = matchApi(tables.mounts, Request.host, Request.path);
  if (decision.api == NONE) {
    if (!tables.unmatchedAllowed) return Reason.NoApi;
    return isDoubtful ? Reason.InvalidPath : Reason.Unmatched;
  }
  if (isDoubtful) {
    decision.api = NONE;
    return Reason.InvalidPath;
  }
  decision.coveredBytes = coveredBytes;
  const api = tables.apis.at(decision.api);
  const finding = findKey(tables);
  if (api.preflight && isPreflight()) return pass(tables, Reason.Preflight);
  switch (finding) {
    case Finding.Missing:
      return api.anonymous ? pass(tables, Reason.Anonymous) : Reason.MissingApiKey;
    case Finding.Ambiguous:
      return Reason.AmbiguousApiKey;
    case Finding.Malformed:
      return Reason.MalformedApiKey;
  }
  const refused = identify(tables, now / NANOSECONDS);
  if (refused != Reason.Allowed) return refused;
  return subscribe(tables, counters, now);
}

/** Where no API names the host, a path may be anything, as long as it cannot be read as another host. */
function judgeWithoutPath(tables: Tables): Reason {
  if (tables.mounts.hostOf(Request.host) != null) return Reason.InvalidPath;
  if (!tables.unmatchedAllowed) return Reason.NoApi;
  return Request.pathMayNameHost() ? Reason.InvalidPath : Reason.Unmatched;
}

/** Lets a request through without a consumer. */
function pass(tables: Tables, reason: Reason): Reason {
  chooseRoute(tables);
  return reason;
}

/** Key to consumer. */
function identify(tables: Tables, nowSeconds: i64): Reason {
  sha256(pointerOf(foundKey), lengthOf(foundKey), DIGEST);
  const number = tables.keyring.find(DIGEST);
  if (number == NONE) return Reason.UnknownApiKey;
  const key = tables.keyring.keys.at(number);
  decision.keyId = key.id;
  decision.consumer = key.consumer;
  const term = tables.terms.at(key.term);
  if (term.suspended) return Reason.RevokedApiKey;
  if (term.from > nowSeconds) return Reason.InactiveApiKey;
  if (term.until <= nowSeconds) return Reason.ExpiredApiKey;
  return Reason.Allowed;
}

/** Consumer and API to plan, then the plan's quotas, then the route. */
function subscribe(tables: Tables, counters: Counters, now: i64): Reason {
  const number = findSubscription(tables);
  if (number != NONE) {
    const subscription = tables.subscriptions.at(number);
    decision.plan = subscription.plan;
    decision.offer = subscription.offer;
    const term = tables.terms.at(subscription.term);
    if (term.suspended) return Reason.SubscriptionPaused;
    if (term.from > now / NANOSECONDS) return Reason.SubscriptionInactive;
    if (term.until <= now / NANOSECONDS) return Reason.SubscriptionExpired;
  } else {
    const plan = tables.consumers.at(decision.consumer).plan;
    if (plan == NONE) return Reason.NotSubscribed;
    decision.offer = findOffer(tables, decision.api, plan);
    if (decision.offer == NONE) return Reason.NotSubscribed;
    decision.plan = plan;
  }
  chooseRoute(tables);
  return spend(tables, counters, number, now);
}

/** The subscription that names the API; without one, the consumer's own plan applies. */
function findSubscription(tables: Tables): i32 {
  const consumer = tables.consumers.at(decision.consumer);
  for (let i = consumer.firstSubscription; i < consumer.firstSubscription + consumer.subscriptionCount; i++) {
    if (tables.subscriptions.at(i).api == decision.api) return i;
  }
  return NONE;
}

function spend(tables: Tables, counters: Counters, subscription: i32, now: i64): Reason {
  bill.api = decision.api;
  bill.plan = decision.plan;
  bill.consumer = decision.consumer;
  bill.subscription = subscription;
  bill.cost = 1;
  const result = charge(tables, counters, bill, now);
  decision.waits = result == Charge.Wait;
  decision.hasStandings = result != Charge.Unavailable && tables.plans.at(decision.plan).quotaCount > 0;
  if (result == Charge.Enough) return Reason.Allowed;
  if (result == Charge.Wait) return Reason.QuotaUnavailable;
  if (result == Charge.Unavailable) return Reason.QuotaUnavailable;
  decision.quota = bill.exceeded;
  decision.retryAfterSeconds = bill.retryAfterSeconds;
  return Reason.QuotaExceeded;
}
