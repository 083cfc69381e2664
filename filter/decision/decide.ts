import { begin, end, writeByte, writeView } from "../bytes/arena";
import { NONE } from "../bytes/rows";
import { sha256 } from "../bytes/sha256";
import {
  ABSENT,
  View,
  byteAt,
  equals,
  equalsLower,
  indexOf,
  lengthOf,
  literal,
  pointerOf,
  slice,
  startsWith,
  trim,
} from "../bytes/view";
import { judgeBrowser } from "../cors/preflight";
import { Finding, findKey, foundKey, stripHeaders, strippedQuery } from "../credential/key";
import { Keyring } from "../keyring/keyring";
import { beginLifecycles, enter, mockOr } from "../lifecycle/lifecycle";
import { coveredBytes, hostIsServed, isAmbiguous, matchApi } from "../match/api";
import { Bill, Charge, Patience, bill, isOwn } from "../quota/attempt";
import { Counters, charge, chargeObserving } from "../quota/charge";
import {
  COMMA,
  ENTRY_BYTES,
  clearEdits,
  dropHeader,
  editCount,
  editsOverflowed,
  firstEntry,
  headerCount,
  member,
  nextMember,
  removeOtherSpellings,
  removeSpellings,
  setHeader,
} from "../request/headers";
import { isRespelt, portAt } from "../request/host";
import { forwardedLength, isOwnHeader } from "../request/request";
import { chooseRoute } from "../route/choose";
import { NO_LIFECYCLE } from "../tables/lifecycle";
import { Anonymous, Api, Preflight, Route, Tables, findOffer } from "../tables/tables";
import { admit, chooseOperation, literalBytes } from "../operation/choose";
import { NANOSECONDS } from "../time/window";
import { EXCEEDED, UNCOUNTED, Usage } from "../usage/usage";
import { Decision, LOGGED, NO_STANDINGS, Reason, SHOWN, decision, isAllowed, isAnswer } from "./decision";
import { isObserved, note, overlooks } from "./observe";
import * as Request from "../request/request";

const DIGEST: usize = memory.data(32, 8);

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
  decision.waits = false;
  decision.standings = NO_STANDINGS;
}

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
  if (decision.isNobodys) decision.offer = NONE;
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

function judge(tables: Tables, keyring: Keyring, counters: Counters, now: i64): Reason {
  if (!Request.hasGoodHost) return Reason.InvalidHost;
  if (Request.path == ABSENT) return judgeWithoutPath(tables);
  decision.api = matchApi(tables.mounts, Request.host, Request.path);
  if (decision.api == NONE) {
    if (!tables.unmatchedAllowed) return Reason.NoApi;
    return isAmbiguous ? Reason.InvalidPath : Reason.Unmatched;
  }
  if (isAmbiguous) {
    decision.api = NONE;
    return Reason.InvalidPath;
  }
  decision.coveredBytes = coveredBytes;
  const api = tables.apis.at(decision.api);
  if (api.isSpecial) {
    const reason = judgeStages(tables, api, now);
    if (reason != Reason.Allowed) return api.hasLife ? mockOr(reason) : reason;
  }
  const reason = judgeKey(tables, api, keyring, counters, now);
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
  if (api.hasLife) {
    const refused = enterApi(tables, api, now);
    if (refused != Reason.Allowed) return refused;
  }
  return api.operationCount > 0 ? judgeOperation(tables, api, now) : Reason.Allowed;
}

function enterApi(tables: Tables, api: Api, now: i64): Reason {
  beginLifecycles();
  return enter(tables, api.lifecycle, now / NANOSECONDS);
}

/** Lets the upstream answer a preflight, if there is one. A key that it carries all the same goes no further. */
function passPreflight(tables: Tables, api: Api, now: i64): Reason {
  const refused = enterApi(tables, api, now);
  if (refused != Reason.Allowed) return refused;
  findKey(tables);
  return pass(tables, Reason.Preflight, now);
}

function judgeOperation(tables: Tables, api: Api, now: i64): Reason {
  const refused = chooseOperation(tables, api);
  if (refused != Reason.Allowed) return overlooks(tables, refused) ? Reason.Allowed : refused;
  if (decision.operation == NONE) return Reason.Allowed;
  const operation = tables.operations.at(decision.operation);
  if (operation.lifecycle == NO_LIFECYCLE) return Reason.Allowed;
  const reason = enter(tables, operation.lifecycle, now / NANOSECONDS);
  if (reason == Reason.Redirected) decision.coveredBytes += literalBytes(operation.path);
  return reason;
}

function judgeKey(tables: Tables, api: Api, keyring: Keyring, counters: Counters, now: i64): Reason {
  const finding = findKey(tables);
  switch (finding) {
    case Finding.Missing:
      return judgeAnonymous(tables, api, counters, now);
    case Finding.Ambiguous:
      return Reason.AmbiguousApiKey;
    case Finding.Malformed:
      return Reason.MalformedApiKey;
  }
  const refused = identify(keyring, now / NANOSECONDS);
  if (refused != Reason.Allowed) return refused;
  return subscribe(tables, counters, now);
}

/** Without a key there is no plan; an operation with quotas of its own counts all such callers together. */
function judgeAnonymous(tables: Tables, api: Api, counters: Counters, now: i64): Reason {
  if (decision.operation == NONE) return api.anonymous ? pass(tables, Reason.Anonymous, now) : Reason.MissingApiKey;
  const operation = tables.operations.at(decision.operation);
  const needsNone = operation.anonymous == Anonymous.AsApi ? api.anonymous : operation.anonymous == Anonymous.Allow;
  if (!needsNone) return Reason.MissingApiKey;
  if (operation.quotaCount == 0) return pass(tables, Reason.Anonymous, now);
  bill.cost = operation.cost;
  return passCharged(tables, counters, NONE, Reason.Anonymous, now);
}

/** Allows a request to an operation that has quotas of its own, if they and those of the plan, if there is one, have enough. */
function passCharged(tables: Tables, counters: Counters, subscription: i32, reason: Reason, now: i64): Reason {
  const passed = pass(tables, reason, now);
  if (passed != reason) return passed;
  decision.charged = decision.operation;
  fillBill(subscription);
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
function identify(keyring: Keyring, nowSeconds: i64): Reason {
  sha256(pointerOf(foundKey), lengthOf(foundKey), DIGEST);
  const number = keyring.find(DIGEST);
  if (number == NONE) return Reason.UnknownApiKey;
  const key = keyring.keys.at(number);
  decision.keyId = key.id;
  decision.consumer = key.consumer;
  const term = keyring.terms.at(key.term);
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
  bill.cost = 1;
  if (decision.operation != NONE) {
    const refused = admit(tables);
    if (refused != Reason.Allowed) return overlooks(tables, refused) ? passUncounted(tables, now) : refused;
    const operation = tables.operations.at(decision.operation);
    bill.cost = operation.cost;
    if (operation.quotaCount > 0) return passCharged(tables, counters, number, Reason.Allowed, now);
    if (bill.cost == 0) return passUncounted(tables, now);
  }
  const lifecycle = chooseRoute(tables);
  if (lifecycle != NO_LIFECYCLE) {
    const refused = enter(tables, lifecycle, now / NANOSECONDS);
    if (refused != Reason.Allowed) return refused;
  }
  return spend(tables, counters, number, now);
}

/** The subscription that names the API; without one, the consumer's own plan applies. */
function findSubscription(tables: Tables): i32 {
  const consumer = tables.consumers.at(decision.consumer);
  const count = consumer.subscriptionCount;
  if (count == 0) return NONE;
  // They stand in the order of their APIs.
  let low = consumer.firstSubscription;
  for (let rest = count; rest > 1;) {
    const half = rest >> 1;
    if (tables.subscriptions.at(low + half).api <= decision.api) low += half;
    rest -= half;
  }
  return tables.subscriptions.at(low).api == decision.api ? low : NONE;
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
  const plan = tables.plans.at(decision.plan);
  if (plan.quotaCount == 0) {
    forgetNotes();
    return Reason.Allowed;
  }
  if (plan.isObserved) return spendObserving(tables, counters, now);
  const result = charge(tables, counters, plan, bill, now);
  if (result != Charge.Unavailable) decision.standings = SHOWN;
  return result == Charge.Enough ? Reason.Allowed : refusalOf(result);
}

/** The same where the operation has quotas of its own, an API that offers the plan observes, or some of its quotas do. What only observing has let come here takes no units. */
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
  if (result != Charge.Unavailable) decision.standings = observed + 1 == 1 << bill.quotaCount ? LOGGED : SHOWN;
  if (result != Charge.Enough) return refusalOf(result);
  if (bill.observed != Charge.Enough) note(refusalOf(bill.observed));
  return Reason.Allowed;
}

function refusalOf(result: Charge): Reason {
  decision.waits = result == Charge.Wait;
  if (result != Charge.Exceeded) return Reason.QuotaUnavailable;
  decision.quota = bill.exceeded;
  decision.retryAfterSeconds = bill.retryAfterSeconds;
  return Reason.QuotaExceeded;
}

const CONSUMER = literal("x-tollgate-consumer");
const PLAN = literal("x-tollgate-plan");
const ROUTE = literal("x-tollgate-route");
const PATH = literal(":path");
const AUTHORITY = literal(":authority");
const SLASH: u8 = 0x2f;

/**
 * Writes the edits that an allowed request needs: the key and forged identity headers removed, the route's headers, and the headers
 * that the upstream and Envoy's route table read.
 */
export function writeEdits(tables: Tables): void {
  removeForeignIdentity();
  foreignCount = editCount;
  if (decision.reason == Reason.Unmatched) return writeUnmatchedPath();
  if (!tables.forwardKey) stripHeaders(tables);
  const route: Route | null = decision.routeIndex == NONE ? null : tables.routes.at(decision.routeIndex);
  if (route != null) writeRouteHeaders(tables, route);
  writePath(tables, route);
  if (isRespelt) setHeader(AUTHORITY, normalisedAuthority());
  if (decision.consumer != NONE) setHeader(CONSUMER, tables.consumers.at(decision.consumer).name);
  if (decision.plan != NONE) setHeader(PLAN, tables.plans.at(decision.plan).name);
  setHeader(ROUTE, decision.route);
}

/**
 * The same for a request that no API covers, or, without a path to go by, whose host or path can be read in several ways. Neither identity
 * nor key may reach whatever is there.
 */
function writeUnknown(tables: Tables, hasPath: bool): void {
  if (hasPath) writeEdits(tables);
  else {
    removeForeignIdentity();
    foreignCount = editCount;
  }
  if (tables.forwardKey) return;
  findKey(tables);
  stripHeaders(tables);
  const query = strippedQuery(tables);
  if (query == Request.query || equals(query, Request.query)) return;
  begin(lengthOf(Request.target));
  writeView(hasPath && isPathForwarded() ? Request.forwardedPath : Request.rawPath);
  writeView(query);
  setHeader(PATH, end());
}

/** How many `x-tollgate-` headers the request came with that are not replaced. */
let foreignCount: i32 = 0;

/**
 * True for a request that no API covers and that carries `x-tollgate-` headers. They come from a client, and must be removed, or from
 * another policy in the same Envoy, which only the binding can tell. Another policy would have left the path in its forwarded form.
 */
export function mayBeDecidedAlready(): bool {
  return decision.reason == Reason.Unmatched && foreignCount > 0 && editCount == foreignCount;
}

/** Removes `x-tollgate-` headers from outside, except those that are replaced later, and nominations that could have ours dropped. */
function removeForeignIdentity(): void {
  for (let entry = firstEntry(), past = entry + <usize>headerCount * ENTRY_BYTES; entry < past; entry += ENTRY_BYTES) {
    const name = load<u64>(entry);
    // Every name is followed by a NUL, so even an empty one has a first byte.
    const first = byteAt(name, 0);
    if (first == 0x78) {
      if (isOwnHeader(name) && !isReplaced(name)) dropHeader(name);
    } else if (first == 0x63) {
      if (isConnection(name) && decision.reason != Reason.Unmatched) forgetNominations(load<u64>(entry, 8));
    }
  }
}

function isReplaced(name: View): bool {
  if (decision.reason == Reason.Unmatched) return false;
  if (equals(name, ROUTE)) return true;
  if (equals(name, CONSUMER)) return decision.consumer != NONE;
  return equals(name, PLAN) && decision.plan != NONE;
}

function writeRouteHeaders(tables: Tables, route: Route): void {
  for (let i = route.firstRemove; i < route.firstRemove + route.removeCount; i++)
    removeSpellings(tables.values.at(i).value);
  // Remove all before setting any: a route may set two spellings of one name.
  for (let i = route.firstSet; i < route.firstSet + route.setCount; i++)
    removeOtherSpellings(tables.headers.at(i).name);
  for (let i = route.firstSet; i < route.firstSet + route.setCount; i++) {
    const header = tables.headers.at(i);
    setHeader(header.name, header.value);
  }
}

/**
 * Forwards the path without dot segments and empty segments: the API's prefix as the policy writes it, or the route's rewrite, and the
 * rest in the caller's spelling. The key is removed from the query.
 */
function writePath(tables: Tables, route: Route | null): void {
  const query = tables.forwardKey ? Request.query : strippedQuery(tables);
  const rewrite: View = route == null ? ABSENT : route.rewritePrefix;
  const sameQuery = query == Request.query || equals(query, Request.query);
  // A plain path is its own normalised form.
  if (rewrite == ABSENT && sameQuery && Request.path == Request.rawPath) return;
  const covered = rewrite == ABSENT ? coveredBytes : decision.coveredBytes;
  const before = forwardedLength(covered);
  const prefix = rewrite == ABSENT ? slice(Request.path, 0, covered) : rewrite;
  const rest = slice(Request.forwardedPath, before, lengthOf(Request.forwardedPath));
  if (
    rewrite == ABSENT &&
    sameQuery &&
    decision.operation == NONE &&
    equals(Request.forwardedPath, Request.rawPath) &&
    startsWith(Request.rawPath, prefix)
  )
    return;
  begin(lengthOf(Request.target) + 64);
  // "/" as the new prefix must not double the slash that follows.
  const slash = lengthOf(prefix) > 0 && byteAt(prefix, lengthOf(prefix) - 1) == SLASH;
  writeView(slash && lengthOf(rest) > 0 ? slice(prefix, 0, lengthOf(prefix) - 1) : prefix);
  if (decision.operation == NONE) writeView(rest);
  else writeBelow(tables, rest, covered);
  writeView(query);
  setHeader(PATH, end());
}

/**
 * Writes what is left of the path behind its first `covered` bytes, with the literals of the operation's template as the policy writes
 * them: a server that decodes no escapes must not find another operation.
 */
function writeBelow(tables: Tables, rest: View, covered: i32): void {
  const template = tables.operations.at(decision.operation).path;
  const length = lengthOf(template);
  // A route's path may cover the first segments of the template.
  let at = 0;
  for (let i = coveredBytes; i < covered && length > 1; i++) {
    if (byteAt(Request.path, i) == SLASH) at = endOf(template, at);
  }
  let from = 0;
  while (length > 1 && at < length && from < lengthOf(rest)) {
    const next = endOf(template, at);
    const restNext = endOf(rest, from);
    const brace = indexOf(template, BRACE, at);
    if (brace >= 0 && brace < next) writeView(slice(rest, from, restNext));
    else writeView(slice(template, at, next));
    at = next;
    from = restNext;
  }
  writeView(slice(rest, from, lengthOf(rest)));
}

const BRACE: u8 = 0x7b;

/** The end of the segment that begins with the slash at `at`. */
function endOf(path: View, at: i32): i32 {
  const slash = indexOf(path, SLASH, at + 1);
  return slash < 0 ? lengthOf(path) : slash;
}

/** On hosts that some API names, forwards the normalised path; elsewhere the path stays, unless it could be read as another host. */
function writeUnmatchedPath(): void {
  if (!isPathForwarded()) return;
  if (equals(Request.forwardedPath, Request.rawPath)) return;
  begin(lengthOf(Request.target));
  writeView(Request.forwardedPath);
  writeView(Request.query);
  setHeader(PATH, end());
}

function isPathForwarded(): bool {
  return Request.path != ABSENT && (hostIsServed || Request.pathMayNameHost());
}

/** The authority in the one spelling that was matched: not every server takes a trailing dot or other spellings of an address as equal. */
function normalisedAuthority(): View {
  begin(lengthOf(Request.authority));
  writeView(Request.host);
  writeView(slice(Request.authority, portAt, lengthOf(Request.authority)));
  return end();
}

/**
 * `Connection` nominates headers that the next hop drops (RFC 9110, 7.6.1). Envoy drops them itself and removes the header, except
 * for upgrades: there a caller could make the next hop drop the consumer's name or a header that a route sets.
 */
const CONNECTION = literal("connection");
const UPGRADE = literal("upgrade");
const KEEP_ALIVE = literal("keep-alive");
const CLOSE = literal("close");

export function isConnection(name: View): bool {
  return equals(name, CONNECTION);
}

/** Keeps only those options of a `Connection` header that are about the connection itself. */
export function forgetNominations(list: View): void {
  if (nominates(list)) writeOptions(list);
}

function nominates(list: View): bool {
  for (let at = nextMember(list, 0); at >= 0; at = nextMember(list, at)) {
    if (!isOption(trim(member))) return true;
  }
  return false;
}

function writeOptions(list: View): void {
  begin(lengthOf(list));
  let some = false;
  for (let at = nextMember(list, 0); at >= 0; at = nextMember(list, at)) {
    const option = trim(member);
    if (!isOption(option)) continue;
    if (some) {
      writeByte(COMMA);
      writeByte(0x20);
    }
    writeView(option);
    some = true;
  }
  if (some) setHeader(CONNECTION, end());
  else dropHeader(CONNECTION);
}

function isOption(option: View): bool {
  return equalsLower(option, UPGRADE) || equalsLower(option, KEEP_ALIVE) || equalsLower(option, CLOSE);
}
