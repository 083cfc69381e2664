import { NONE } from "../bytes/rows";
import { ABSENT } from "../bytes/view";
import { judgeBrowser } from "../cors/preflight";
import { findCredential } from "../credential/find";
import { Finding, findKey, forgetKey, foundKey } from "../credential/key";
import { giveBack } from "../credential/token";
import { Keyring } from "../keyring/keyring";
import { beginLifecycles, enter, mockOr } from "../lifecycle/lifecycle";
import { coveredBytes, isAmbiguous, matchApi } from "../match/api";
import { Bill, Charge, Patience, bill } from "../quota/attempt";
import { charge, chargeObserving, nameNobody } from "../quota/charge";
import { Counters } from "../quota/counters";
import { identifyVisitor, makeVisitorRoom, visitorId } from "../quota/visitors";
import { clearEdits, editsOverflowed } from "../request/headers";
import { EMPTY_SEGMENTS } from "../request/pathData";
import { chooseRoute } from "../route/choose";
import { Credential, KEYS_ONLY, takes } from "../tables/alias";
import { ALWAYS } from "../tables/consumer";
import { NO_LIFECYCLE } from "../tables/lifecycle";
import { Anonymous, Api, HAS_COST, Preflight } from "../tables/api";
import { FLIGHT_BIT } from "../tables/quota";
import { Tables, findOffer } from "../tables/tables";
import { admit, chooseOperation, literalBytes } from "../operation/choose";
import { NANOSECONDS } from "../time/window";
import {
  Decision,
  LOGGED,
  NO_SEQUEL,
  NO_STANDINGS,
  Reason,
  SETTLES,
  SHOWN,
  Standings,
  WAITS,
  decision,
  isAllowed,
  isAnswer,
} from "./decision";
import { writeEdits, writeUnknown } from "./edits";
import { judgeGuarded, judgeOther } from "./guard";
import { answerMe, askMe } from "./me";
import { isObserved, note, overlooks } from "./observe";
import { readEmptySegments, readEscapedSlashes } from "./pathData";
import { findSubscription } from "./subscription";
import * as Request from "../request/request";

/**
 * Decides the request that `readHeaders` and `readRequest` have read. The result is in `decision`, and the changes to the headers of an
 * request that passes are the edits: true is returned for one that is allowed, or whose refusal is only observed. Spends quota if and only
 * if the quotas in force allow the request. When `decision.waits` is true, nothing is decided yet: the rate limit service must be asked (see
 * quota/mesh), and the request decided again.
 */
export function decide(
  tables: Tables,
  keyring: Keyring,
  counters: Counters,
  nowNanoseconds: i64,
  patience: Patience,
): bool {
  decision.reset();
  clearEdits();
  bill.patience = patience;
  decision.reason = judge(tables, keyring, counters, nowNanoseconds);
  if (isAllowed(decision.reason)) writeEdits(tables);
  else if (!tables.observes || !letPass(tables, nowNanoseconds)) return false;
  return !editsOverflowed || refuseIncomplete();
}

/** Not every edit found room, and with some of them missing no request may pass, whatever is observed. */
function refuseIncomplete(): bool {
  decision.reason = Reason.InternalError;
  decision.observed = <u8>Reason.Allowed;
  return false;
}

/**
 * Lets a refused request pass, as nobody's, if what refused it is only observed. False where that is in force, and for the answers that a
 * policy gives in any mode: its mocks, redirects and preflights.
 */
function letPass(tables: Tables, now: i64): bool {
  if (isAnswer(decision.reason)) return false;
  if (!isObserved(tables)) {
    decision.observed = <u8>Reason.Allowed;
    return false;
  }
  note(decision.reason);
  forgetNotes();
  return decision.api == NONE ? passUnknown(tables) : passAsNobody(tables, now);
}

/** Routes and edits are those of a request without a key, whoever's it holds; logs show whose that is. */
function passAsNobody(tables: Tables, now: i64): bool {
  const consumer = decision.consumer;
  const plan = decision.plan;
  decision.isNobodys = true;
  decision.consumer = NONE;
  decision.plan = NONE;
  const reason = pass(tables, Reason.Anonymous, now);
  decision.reason = tables.apis.at(decision.api).hasLife ? mockOr(reason) : reason;
  const passes = isAllowed(decision.reason);
  if (passes) writeEdits(tables);
  decision.consumer = consumer;
  decision.plan = plan;
  return passes;
}

function passUnknown(tables: Tables): bool {
  decision.reason = Reason.Unmatched;
  writeUnknown(tables, decision.observed == Reason.NoApi);
  return true;
}

/** Refuses the request just decided, which would have to wait while no place is free. Nothing was spent on it. */
export function refuseToWait(): void {
  decision.reason = Reason.TooManyWaiting;
  decision.sequel = NO_SEQUEL;
  decision.standings = NO_STANDINGS;
}

function judge(tables: Tables, keyring: Keyring, counters: Counters, now: i64): Reason {
  if (!Request.hasGoodHost) return Reason.InvalidHost;
  if (Request.path == ABSENT) {
    if (!tables.hasEscapedSlashes || !readEscapedSlashes(tables)) return judgeWithoutPath(tables);
  }
  decision.api = matchApi(tables.mounts, Request.host, Request.path);
  if (decision.api == NONE) {
    if (!tables.unmatchedAllowed) return Reason.NoApi;
    return isAmbiguous ? Reason.InvalidPath : Reason.Unmatched;
  }
  if (isAmbiguous) {
    decision.api = NONE;
    return Reason.InvalidPath;
  }
  decision.coveredBytes = <u16>coveredBytes;
  const api = tables.apis.at(decision.api);
  let finding: Finding;
  if (!api.isSpecial) finding = findKey(api);
  else {
    const reason = judgeStages(tables, api, now);
    if (reason != Reason.Allowed) return api.isFollowed ? follow(tables, api, keyring, counters, now, reason) : reason;
    finding = api.credentials == KEYS_ONLY ? findKey(api) : findCredential(tables, api);
  }
  const reason = judgeCaller(tables, api, keyring, counters, now, finding);
  return api.isFollowed ? follow(tables, api, keyring, counters, now, reason) : reason;
}

/** What a request costs that no operation is; 1 except while a request to an API is decided that says so. */
let usualCost: i64 = 1;

/** What is left to do for some APIs once it is known what becomes of the request. */
function follow(tables: Tables, api: Api, keyring: Keyring, counters: Counters, now: i64, reason: Reason): Reason {
  giveBack();
  usualCost = 1;
  if (reason == Reason.MeAnswered) return answerMe(tables, keyring, counters, now);
  return api.hasLife ? mockOr(reason) : reason;
}

/**
 * What stands before the key, for the APIs that have it: the API's life, what it lists, and a browser's question. `Allowed` when there is
 * a key to look at. A preflight that the module answers goes before all, because a page reads the rest only after it.
 */
function judgeStages(tables: Tables, api: Api, now: i64): Reason {
  if (api.preflight != Preflight.Deny) {
    const reason = judgeBrowser(tables, api);
    if (reason != Reason.Allowed) return reason == Reason.Preflight ? passPreflight(tables, api, now) : reason;
  }
  if (api.isEntered) {
    const refused = enterApi(tables, api, now);
    if (refused != Reason.Allowed) return refused;
  }
  return api.operationCount > 0 ? judgeOperation(tables, api, now) : Reason.Allowed;
}

function enterApi(tables: Tables, api: Api, now: i64): Reason {
  const data = api.pathData;
  if (data >= EMPTY_SEGMENTS) {
    const refused = data < HAS_COST ? readEmptySegments(tables) : enterWithCost(tables, api);
    if (refused != Reason.Allowed) return refused;
  }
  beginLifecycles();
  return enter(tables, api.lifecycle, now / NANOSECONDS);
}

/** The same for an API that says what requests cost; empty segments may be data in its paths too. */
function enterWithCost(tables: Tables, api: Api): Reason {
  usualCost = api.cost;
  decision.remarks = SETTLES;
  return (api.pathData & EMPTY_SEGMENTS) != 0 ? readEmptySegments(tables) : Reason.Allowed;
}

/** Lets the upstream answer a preflight, if there is one. A key that it carries all the same goes no further. */
function passPreflight(tables: Tables, api: Api, now: i64): Reason {
  const refused = enterApi(tables, api, now);
  if (refused != Reason.Allowed) return refused;
  if (takes(api.credentials, Credential.Key)) findKey(api);
  else forgetKey(api);
  return pass(tables, Reason.Preflight, now);
}

function judgeOperation(tables: Tables, api: Api, now: i64): Reason {
  const refused = chooseOperation(tables, api);
  if (refused != Reason.Allowed) return overlooks(tables, refused) ? Reason.Allowed : refused;
  if (decision.operation == NONE) return Reason.Allowed;
  const operation = tables.operations.at(decision.operation);
  if (operation.lifecycle == NO_LIFECYCLE) return Reason.Allowed;
  const reason = enter(tables, operation.lifecycle, now / NANOSECONDS);
  if (reason == Reason.Redirected) decision.coveredBytes += <u16>literalBytes(operation.path);
  return reason;
}

/** From what was found of a credential on. */
function judgeCaller(
  tables: Tables,
  api: Api,
  keyring: Keyring,
  counters: Counters,
  now: i64,
  finding: Finding,
): Reason {
  let refused: Reason;
  switch (finding) {
    case Finding.Found:
      refused = identify(tables, keyring, now / NANOSECONDS);
      break;
    case Finding.Other:
      refused = judgeOther(tables);
      break;
    case Finding.Ambiguous:
      return Reason.AmbiguousApiKey;
    case Finding.Malformed:
      return Reason.MalformedApiKey;
    default:
      return judgeAnonymous(tables, api, counters, now);
  }
  return refused == Reason.Allowed ? subscribe(tables, counters, now) : refused;
}

/** Without a key there is no plan; an operation with quotas of its own counts all such callers together. */
function judgeAnonymous(tables: Tables, api: Api, counters: Counters, now: i64): Reason {
  let needsNone: bool = api.anonymous;
  if (decision.operation != NONE) {
    const anonymous = tables.operations.at(decision.operation).anonymous;
    if (anonymous != Anonymous.AsApi) needsNone = anonymous == Anonymous.Allow;
  }
  return needsNone ? passAnonymous(tables, api, counters, now) : api.unidentified;
}

function passAnonymous(tables: Tables, api: Api, counters: Counters, now: i64): Reason {
  if (api.visitorPlan != NONE) return judgeVisitor(tables, api, counters, now);
  if (decision.operation == NONE) return pass(tables, Reason.Anonymous, now);
  const operation = tables.operations.at(decision.operation);
  if (operation.quotaCount == 0) return pass(tables, Reason.Anonymous, now);
  bill.cost = operation.cost;
  nameNobody(0);
  return passCharged(tables, counters, NONE, Reason.Anonymous, now);
}

/** A caller without a key on an API that has a plan for such: counted by address or by a header, in counters of their own. */
function judgeVisitor(tables: Tables, api: Api, counters: Counters, now: i64): Reason {
  decision.plan = api.visitorPlan;
  decision.offer = api.visitorOffer;
  bill.cost = usualCost;
  let counted = tables.plans.at(decision.plan).counterCount;
  if (decision.operation != NONE) {
    if (admit(tables) != Reason.Allowed) {
      // A key may have what it asks for.
      decision.plan = NONE;
      decision.offer = NONE;
      return api.unidentified;
    }
    const operation = tables.operations.at(decision.operation);
    bill.cost = operation.cost;
    counted += operation.quotaCount;
  }
  const visitors = counters.visitors;
  if (bill.cost == 0 || counted == 0 || visitors == null) {
    forgetNotes();
    return pass(tables, Reason.Anonymous, now);
  }
  identifyVisitor(tables, api);
  nameNobody(visitorId);
  // Each counter may need the visitor's balance and its crowd's.
  makeVisitorRoom(visitors, 2 * counted, now);
  return passCharged(tables, visitors, NONE, Reason.Anonymous, now);
}

/** Allows a request to an operation that has quotas of its own, if they and those of the plan, if there is one, have enough. */
function passCharged(tables: Tables, counters: Counters, subscription: i32, reason: Reason, now: i64): Reason {
  const passed = pass(tables, reason, now);
  if (passed != reason) return passed;
  decision.charged = decision.operation;
  fillBill(subscription);
  bill.nowNanoseconds = now;
  const charged = spendObserving(tables, counters, now);
  return charged == Reason.Allowed ? reason : charged;
}

/** On a host that no API names, any path is allowed that cannot be read as another host. */
function judgeWithoutPath(tables: Tables): Reason {
  if (tables.mounts.hostOf(Request.host) != null) return Reason.InvalidPath;
  if (!tables.unmatchedAllowed) return Reason.NoApi;
  return Request.pathMayNameHost() ? Reason.InvalidPath : Reason.Unmatched;
}

/** Allows a request that takes nothing from any quota, unless its route refuses it. */
function pass(tables: Tables, reason: Reason, now: i64): Reason {
  const lifecycle = chooseRoute(tables);
  const refused = lifecycle == NO_LIFECYCLE ? Reason.Allowed : enter(tables, lifecycle, now / NANOSECONDS);
  return refused == Reason.Allowed ? reason : refused;
}

/** The same for a consumer's request. */
function passUncounted(tables: Tables, now: i64): Reason {
  forgetNotes();
  return pass(tables, Reason.Allowed, now);
}

/** What an earlier request has noted of its quotas is not about this one. */
function forgetNotes(): void {
  bill.notedCount = 0;
  bill.dryIndex = NONE;
}

/** Key to consumer. */
function identify(tables: Tables, keyring: Keyring, nowSeconds: i64): Reason {
  const number = keyring.identify(foundKey);
  if (number == NONE) return Reason.UnknownApiKey;
  const key = keyring.keys.at(number);
  decision.keyId = key.id;
  decision.consumer = key.consumer;
  if (key.term == ALWAYS) return Reason.Allowed;
  const term = keyring.terms.at(key.term);
  if (term.suspended) return Reason.RevokedApiKey;
  if (term.from > nowSeconds)
    return term.guard == 0 ? Reason.InactiveApiKey : judgeGuarded(tables, keyring, term, nowSeconds);
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
  bill.cost = usualCost;
  if (decision.operation != NONE) {
    const refused = admit(tables);
    if (refused != Reason.Allowed) return overlooks(tables, refused) ? passUncounted(tables, now) : refused;
    const operation = tables.operations.at(decision.operation);
    bill.cost = operation.cost;
    if (operation.quotaCount > 0) return passCharged(tables, counters, number, Reason.Allowed, now);
    if (bill.cost == 0) return operation.mePerMinute > 0 ? askMe(number) : passUncounted(tables, now);
  }
  const lifecycle = chooseRoute(tables);
  if (lifecycle != NO_LIFECYCLE) {
    const refused = enter(tables, lifecycle, now / NANOSECONDS);
    if (refused != Reason.Allowed) return refused;
  }
  return spend(tables, counters, number, now);
}

// @ts-ignore: decorator
@inline
function fillBill(subscription: i32): void {
  bill.api = decision.api;
  // Plan and operation at once.
  const both = load<i64>(changetype<usize>(decision), offsetof<Decision>("plan"));
  store<i64>(changetype<usize>(bill), both, offsetof<Bill>("plan"));
  bill.consumer = decision.consumer;
  bill.subscription = subscription;
}

function spend(tables: Tables, counters: Counters, subscription: i32, now: i64): Reason {
  fillBill(subscription);
  bill.nowNanoseconds = now;
  const plan = tables.plans.at(decision.plan);
  if (plan.counterCount == 0) {
    forgetNotes();
    return Reason.Allowed;
  }
  if (plan.isUnusual) return spendObserving(tables, counters, now);
  const result = charge(tables, counters, plan, bill, now);
  if (result != Charge.Unavailable) decision.standings = SHOWN;
  return result == Charge.Enough ? Reason.Allowed : refusalOf(result);
}

/**
 * The same where the operation has quotas of its own, an API that offers the plan observes, or some of its quotas do, or the plan limits the
 * requests in flight or counts by address. What only observing has let come here takes no units.
 */
function spendObserving(tables: Tables, counters: Counters, now: i64): Reason {
  if (decision.observed != Reason.Allowed) {
    forgetNotes();
    return Reason.Allowed;
  }
  let observed = decision.offer == NONE ? 0 : tables.offers.at(decision.offer).observedQuotas;
  if (decision.charged != NONE) {
    const before = decision.plan == NONE ? 0 : tables.plans.at(decision.plan).quotaCount;
    observed |= tables.operations.at(decision.charged).observedQuotas << before;
  }
  const result = chargeObserving(tables, counters, observed, bill, now);
  if (result != Charge.Unavailable) decision.standings = standingsOf(observed & ~FLIGHT_BIT, bill.quotaCount);
  if (result != Charge.Enough) return refusalOf(result);
  if (bill.observed != Charge.Enough) note(refusalOf(bill.observed));
  return Reason.Allowed;
}

// @ts-ignore: decorator
@inline
function standingsOf(observed: u32, quotaCount: i32): Standings {
  if (observed + 1 != 1 << quotaCount) return SHOWN;
  return quotaCount == 0 ? NO_STANDINGS : LOGGED;
}

function refusalOf(result: Charge): Reason {
  if (result != Charge.Exceeded) {
    if (result == Charge.Wait) decision.sequel = WAITS;
    return result == Charge.Busy ? Reason.ConcurrencyExceeded : Reason.QuotaUnavailable;
  }
  decision.quota = bill.exceeded;
  decision.retryAfterSeconds = bill.retryAfterSeconds;
  return Reason.QuotaExceeded;
}
