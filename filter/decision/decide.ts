import { ABSENT, pointerOf, lengthOf } from "../bytes/view";
import { findKey, Finding, foundKey } from "../credential/find";
import { sha256 } from "../credential/sha256";
import { Balances } from "../quota/balance";
import { Charge, charge, exceededQuota, retryAfterSeconds } from "../quota/charge";
import { ShardStore } from "../quota/ledger";
import * as Request from "../request/request";
import { isPreflight } from "../request/request";
import { matchApi, servesHost, coveredBytes } from "../route/api";
import { chooseRoute } from "../route/choose";
import { findOffer } from "../tables/offer";
import { NONE, Subscription } from "../tables/record";
import { Tables } from "../tables/tables";
import { clearEdits, editsOverflowed } from "./edit";
import { decision } from "./decision";
import { writeEdits } from "./outcome";
import { isAllowed, Reason } from "./reason";

const NANOSECONDS: i64 = 1_000_000_000;
const DIGEST: usize = memory.data(32, 8);

/**
 * Decides the request whose facts `readHeaders` and `readRequest` hold: `decision` is the answer, the edits are the changes
 * to its headers when it goes on. Spends quota when, and only when, the request is allowed.
 */
export function decide(tables: Tables, balances: Balances, shards: ShardStore, nowNanoseconds: i64): void {
  decision.reset();
  clearEdits();
  decision.reason = judge(tables, balances, shards, nowNanoseconds);
  if (!isAllowed(decision.reason)) return;
  writeEdits(tables);
  if (editsOverflowed) decision.reason = Reason.InternalError;
}

function judge(tables: Tables, balances: Balances, shards: ShardStore, now: i64): Reason {
  if (Request.path == ABSENT) {
    if (servesHost(tables)) return Reason.InvalidPath;
    return tables.unmatchedAllowed ? Reason.Unmatched : Reason.NoApi;
  }
  decision.api = matchApi(tables);
  if (decision.api == NONE) return tables.unmatchedAllowed ? Reason.Unmatched : Reason.NoApi;
  decision.coveredBytes = coveredBytes;
  const api = tables.apis.at(decision.api);
  const finding = findKey(tables);
  if (api.preflight && isPreflight()) return pass(tables, Reason.Preflight);
  switch (finding) {
    case Finding.Missing: return api.anonymous ? pass(tables, Reason.Anonymous) : Reason.MissingApiKey;
    case Finding.Ambiguous: return Reason.AmbiguousApiKey;
    case Finding.Malformed: return Reason.MalformedApiKey;
  }
  const refused = identify(tables, now / NANOSECONDS);
  if (refused != Reason.Allowed) return refused;
  return subscribe(tables, balances, shards, now);
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
  if (key.revoked) return Reason.RevokedApiKey;
  if (key.from > nowSeconds) return Reason.InactiveApiKey;
  if (key.until <= nowSeconds) return Reason.ExpiredApiKey;
  return Reason.Allowed;
}

/** Consumer and API to plan, then the plan's quotas, then the route. */
function subscribe(tables: Tables, balances: Balances, shards: ShardStore, now: i64): Reason {
  const subscription = findSubscription(tables);
  if (subscription != null) {
    decision.plan = subscription.plan;
    decision.offer = subscription.offer;
    if (subscription.paused) return Reason.SubscriptionPaused;
    if (subscription.from > now / NANOSECONDS) return Reason.SubscriptionInactive;
    if (subscription.until <= now / NANOSECONDS) return Reason.SubscriptionExpired;
  } else {
    const plan = tables.consumers.at(decision.consumer).plan;
    if (plan == NONE) return Reason.NotSubscribed;
    decision.offer = findOffer(tables, decision.api, plan);
    if (decision.offer == NONE) return Reason.NotSubscribed;
    decision.plan = plan;
  }
  chooseRoute(tables);
  return spend(tables, balances, shards, subscription, now);
}

/** The subscription that names the API; without one the consumer's own plan counts. */
function findSubscription(tables: Tables): Subscription | null {
  const consumer = tables.consumers.at(decision.consumer);
  for (let i = consumer.firstSubscription; i < consumer.firstSubscription + consumer.subscriptionCount; i++) {
    const subscription = tables.subscriptions.at(i);
    if (subscription.api == decision.api) return subscription;
  }
  return null;
}

function spend(tables: Tables, balances: Balances, shards: ShardStore, subscription: Subscription | null, now: i64): Reason {
  const plan = tables.plans.at(decision.plan);
  const consumer = tables.consumers.at(decision.consumer);
  const result = charge(tables, balances, shards, consumer, plan, subscription, tables.apis.at(decision.api).id, 1, now);
  decision.hasStandings = result != Charge.Unavailable && plan.quotaCount > 0;
  if (result == Charge.Enough) return Reason.Allowed;
  if (result == Charge.Unavailable) return Reason.QuotaUnavailable;
  decision.quota = exceededQuota;
  decision.retryAfterSeconds = retryAfterSeconds;
  return Reason.QuotaExceeded;
}
