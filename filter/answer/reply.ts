import { NONE } from "../bytes/rows";
import { begin, end, writeCount, writeNumber, writeView, writeViews } from "../bytes/arena";
import { ABSENT, View, lengthOf, literal, pointerOf, view } from "../bytes/view";
import { SHOWN, decision, isOfLifecycle } from "../decision/decision";
import { Reason, codeOf, detailOf, statusOf } from "../decision/decision";
import { allowedMethods } from "../operation/choose";
import { Credential, takes } from "../tables/alias";
import { KeySource, KeySourceList } from "../tables/keySource";
import { Plan, QuotaList } from "../tables/quota";
import { Tables } from "../tables/tables";
import { RateLimitHeaders, WARNING } from "../tables/disclosure";
import { X_RATELIMIT_HEADERS } from "../config/contract";
import { Standing, UNKNOWN, standings } from "../quota/attempt";
import { addCorsPairs, answersPreflight } from "./cors";
import { RETRY_AFTER, addDeprecation, addLifecycle, lifecycleBody, lifecycleStatus } from "./lifecycle";
import { meBody } from "./me";
import { addPair, beginPairs, endPairs } from "./pairs";
import { beginProblem, endDetail, endProblem } from "./problem";
import { quotaBody, quotaDetail, quotaStatus } from "./refusal";
import { Tightest, findTightest, numberText } from "./tightest";
import { RATELIMIT_WARNING, rateLimitWarning } from "./warning";

const NO_BODY = literal("");

const CONTENT_TYPE = literal("content-type");
const PROBLEM_JSON = literal("application/problem+json");
const JSON = literal("application/json");
const CACHE_CONTROL = literal("cache-control");
const NO_STORE = literal("no-store");
const WWW_AUTHENTICATE = literal("www-authenticate");
const CERTIFICATE_REALM = literal('Certificate realm="');
const BEARER_REALM = literal('Bearer realm="');
const QUOTE = literal('"');
const ALLOW = literal("allow");
/** Seconds until a retry when the time is not known. */
const SOON = literal("1");
export const RATELIMIT = literal("ratelimit");
export const RATELIMIT_POLICY = literal("ratelimit-policy");

/** The status of the reply to a request that goes no further. */
// @ts-ignore: decorator
@inline
export function replyStatus(tables: Tables | null): u32 {
  const reason = decision.reason;
  if (tables != null) {
    if (isOfLifecycle(reason)) return lifecycleStatus(tables);
    if (tables.hasRefusals && reason == Reason.QuotaExceeded) return quotaStatus(tables);
  }
  return statusOf(reason);
}

/** Its body: a problem, or for gRPC the detail, which the host puts into a header. */
// @ts-ignore: decorator
@inline
export function replyBody(tables: Tables | null, grpc: bool): View {
  const reason = decision.reason;
  if (tables != null && reason >= Reason.Retired) {
    if (isOfLifecycle(reason)) return lifecycleBody(tables, grpc);
    if (reason == Reason.MeAnswered && !grpc) return meBody(tables);
  }
  if (grpc) return reason == Reason.QuotaExceeded && tables != null ? quotaDetail(tables) : detailOf(reason);
  if (answersPreflight(reason)) return NO_BODY;
  if (reason == Reason.QuotaExceeded && tables != null) return quotaBody(tables);
  beginProblem(reason, statusOf(reason));
  writeView(detailOf(reason));
  endDetail(reason);
  return endProblem();
}

/** Its headers, serialised for the host. With `grpc` the host sets the content type. */
export function replyPairs(tables: Tables | null, grpc: bool): View {
  beginPairs();
  if (decision.reason < Reason.Mocked || grpc) {
    if (!grpc) addPair(CONTENT_TYPE, PROBLEM_JSON);
    addPair(CACHE_CONTROL, NO_STORE);
  } else if (decision.reason != Reason.Mocked) {
    addPair(CONTENT_TYPE, decision.reason == Reason.MeAnswered ? JSON : PROBLEM_JSON);
    addPair(CACHE_CONTROL, NO_STORE);
  }
  if (tables != null) {
    addPairsOf(tables, decision.reason, grpc);
    if (decision.origin != NONE) addCorsPairs(tables);
  }
  return endPairs();
}

function addPairsOf(tables: Tables, reason: Reason, grpc: bool): void {
  if (decision.deprecated != NONE) addDeprecation(tables);
  if (reason == Reason.QuotaExceeded) {
    addRetryAfter();
    return addStandings(tables);
  }
  if (reason > Reason.QuotaExceeded) return addLaterPairs(tables, reason, grpc);
  if (statusOf(reason) == 401) addPair(WWW_AUTHENTICATE, challenge(tables));
}

// @ts-ignore: decorator
@inline
function addRetryAfter(): void {
  begin(20);
  writeNumber(decision.retryAfterSeconds);
  addPair(RETRY_AFTER, end());
}

/** For the reasons that were added later, in no order. */
function addLaterPairs(tables: Tables, reason: Reason, grpc: bool): void {
  if (answersPreflight(reason)) return;
  switch (reason) {
    case Reason.QuotaUnavailable:
    case Reason.TooManyWaiting:
      return addPair(RETRY_AFTER, SOON);
    case Reason.ConcurrencyExceeded:
      addPair(RETRY_AFTER, SOON);
      if (decision.standings == SHOWN) addStandings(tables);
      return;
    case Reason.MethodNotAllowed:
      return addPair(ALLOW, allowedMethods(tables));
    case Reason.Retired:
    case Reason.Maintenance:
    case Reason.Redirected:
    case Reason.Mocked:
      addLifecycle(tables, grpc);
      if (decision.standings == SHOWN) addStandings(tables);
      return;
    case Reason.MeExceeded:
      return addRetryAfter();
    default:
      if (statusOf(reason) == 401)
        addPair(WWW_AUTHENTICATE, reason == Reason.MissingCredential ? otherChallenge(tables) : challenge(tables));
  }
}

function addStandings(tables: Tables): void {
  if (tables.rateLimitHeaders == RateLimitHeaders.Standard) return addAll(tables);
  if (tables.rateLimitHeaders == RateLimitHeaders.XRatelimit) return addTightest(tables);
  // A mock's answer, which shows them too, is no refusal.
  const isTold = tables.rateLimitHeaders == RateLimitHeaders.Refusals && decision.reason == Reason.QuotaExceeded;
  if (isTold) addAll(tables);
  else if ((tables.rateLimitHeaders & WARNING) != 0) addWarning(tables);
}

/** The same where quotas warn. */
function addWarning(tables: Tables): void {
  switch (tables.rateLimitHeaders & ~WARNING) {
    case RateLimitHeaders.XRatelimit:
      return addTightest(tables);
    case RateLimitHeaders.Refusals:
      if (decision.reason == Reason.QuotaExceeded) addAll(tables);
      return;
    case RateLimitHeaders.Standard:
      addAll(tables);
      const warning = rateLimitWarning(tables, decision.plan, standings());
      if (lengthOf(warning) > 0) addPair(RATELIMIT_WARNING, warning);
  }
}

function addAll(tables: Tables): void {
  addPair(RATELIMIT_POLICY, rateLimitPolicy(tables, decision.plan, decision.charged, standings()));
  const state = rateLimit(tables, decision.plan, decision.charged, standings());
  if (lengthOf(state) > 0) addPair(RATELIMIT, state);
}

const TIGHTEST: Tightest = changetype<Tightest>(memory.data(offsetof<Tightest>(), 8));

function addTightest(tables: Tables): void {
  if (!findTightest(tables, TIGHTEST)) return;
  addPair(unchecked(X_RATELIMIT_HEADERS[0]), numberText(TIGHTEST.limit));
  addPair(unchecked(X_RATELIMIT_HEADERS[1]), numberText(TIGHTEST.remaining));
  addPair(unchecked(X_RATELIMIT_HEADERS[2]), numberText(TIGHTEST.resetAtSeconds));
}

/** The challenge that RFC 9110 requires with a 401, for the first key source. */
function challenge(tables: Tables): View {
  const list: KeySourceList = decision.api == NONE ? tables.keySourceList : tables.apis.at(decision.api);
  begin(128);
  writeViews(changetype<KeySource>(list.firstSource).challenge, realmOf(tables));
  writeView(QUOTE);
  return end();
}

/** The same where the API takes no keys. */
function otherChallenge(tables: Tables): View {
  const isToken = takes(tables.apis.at(decision.api).credentials, Credential.Token);
  begin(128);
  writeViews(isToken ? BEARER_REALM : CERTIFICATE_REALM, realmOf(tables));
  writeView(QUOTE);
  return end();
}

function realmOf(tables: Tables): View {
  if (tables.realm != ABSENT) return tables.realm;
  return decision.api == NONE ? tables.policy : tables.apis.at(decision.api).name;
}

/** Each item is a name in quotes, which hold no quotes and no backslashes, and parameters. */
const OPEN = literal('"');
const NEXT = literal(', "');
const LIMIT = literal('";q=');
const WINDOW = literal(";w=");
const REMAINING = literal('";r=');
const RESET = literal(";t=");
/** Integers in structured fields have at most 15 digits (RFC 8941, 3.3.1); a limit may have 16. */
const MAX_INTEGER: i64 = 999_999_999_999_999;

/**
 * The structured fields of draft-ietf-httpapi-ratelimit-headers-10:
 * `ratelimit-policy: "per-second";q=10;w=1` and `ratelimit: "per-second";r=9;t=1`, one item for each quota of the plan, if there is
 * one, and for each that the operation has of its own, if there is one.
 */
export function rateLimitPolicy(tables: Tables, plan: i32, operation: i32, kept: usize): View {
  if (operation == NONE) {
    const list = tables.plans.at(plan);
    if (!isCurrent(tables, list, kept)) renew(tables, list, kept);
    return list.policyText;
  }
  begin();
  let some: bool = false;
  if (plan != NONE) {
    const list = tables.plans.at(plan);
    some = writeLimits(tables, list, kept, false);
    kept += <usize>list.quotaCount * offsetof<Standing>();
  }
  writeLimits(tables, tables.operations.at(operation), kept, some);
  return end();
}

/** The cached value is rarely out of date: a month of another length, or a subscription with limit overrides. */
function isCurrent(tables: Tables, plan: Plan, kept: usize): bool {
  for (let number = plan.firstQuota, past = number + plan.quotaCount; number < past; number++) {
    const quota = tables.quotas.at(number);
    const state = changetype<Standing>(kept);
    kept += offsetof<Standing>();
    if (quota.textLimit != state.limit || quota.textWindowSeconds != state.windowSeconds) return false;
  }
  return true;
}

function renew(tables: Tables, plan: Plan, kept: usize): void {
  begin();
  writeLimits(tables, plan, kept, false);
  const text = end();
  for (let i = 0; i < plan.quotaCount; i++) {
    const quota = tables.quotas.at(plan.firstQuota + i);
    quota.textLimit = standingAt(kept, i).limit;
    quota.textWindowSeconds = standingAt(kept, i).windowSeconds;
  }
  memory.copy(pointerOf(plan.policyText), pointerOf(text), lengthOf(text));
  plan.policyText = view(pointerOf(plan.policyText), lengthOf(text));
}

/** Those that are not hidden; returns whether any stands there now. */
function writeLimits(tables: Tables, list: QuotaList, kept: usize, some: bool): bool {
  for (let i = 0; i < list.quotaCount; i++) {
    const state = standingAt(kept, i);
    if (state.limit < 0) continue;
    writeViews(some ? NEXT : OPEN, tables.quotas.at(list.firstQuota + i).name);
    writeParameter(LIMIT, state.limit);
    writeParameter(WINDOW, state.windowSeconds);
    some = true;
  }
  return some;
}

/** The most bytes of a quota in the value, without its name: `, "";q=999999999999999;w=4294967295`. */
const MAX_ITEM_BYTES = 35;

/** Allocates room for the values of all plans. */
export function keepPolicyTexts(tables: Tables): void {
  for (let i = 0; i < tables.plans.count; i++) {
    const plan = tables.plans.at(i);
    let bytes = 0;
    for (let q = 0; q < plan.quotaCount; q++)
      bytes += MAX_ITEM_BYTES + lengthOf(tables.quotas.at(plan.firstQuota + q).name);
    plan.policyText = view(tables.texts.allocate(bytes), 0);
  }
}

/** The `ratelimit` value, with only the quotas whose remainder is known; empty when there is none. */
export function rateLimit(tables: Tables, plan: i32, operation: i32, kept: usize): View {
  begin();
  let some = false;
  let list: QuotaList;
  if (plan != NONE) list = tables.plans.at(plan);
  else {
    list = tables.operations.at(operation);
    operation = NONE;
  }
  while (true) {
    for (let number = list.firstQuota, past = number + list.quotaCount; number < past; number++) {
      const state = changetype<Standing>(kept);
      kept += offsetof<Standing>();
      if (state.remaining <= UNKNOWN) continue;
      writeViews(some ? NEXT : OPEN, tables.quotas.at(number).name);
      some = true;
      writeParameter(REMAINING, state.remaining);
      writeParameter(RESET, state.resetSeconds);
    }
    if (operation == NONE) return end();
    list = tables.operations.at(operation);
    operation = NONE;
  }
}

// @ts-ignore: decorator
@inline
function standingAt(kept: usize, index: i32): Standing {
  return changetype<Standing>(kept + <usize>index * offsetof<Standing>());
}

function writeParameter(start: View, value: i64): void {
  writeCount(start, min(value, MAX_INTEGER));
}

const LOG_REASON = literal("reason=");
const LOG_OBSERVE = literal(" mode=observe");
const LOG_API = literal(" api=");
const LOG_OPERATION = literal(" operation=");
const LOG_ROUTE = literal(" route=");
const LOG_CONSUMER = literal(" consumer=");
const LOG_KEY = literal(" key=");
const LOG_PLAN = literal(" plan=");

/** What access logs show of the decision: only names and public ids, so nothing is secret and nothing needs quoting. */
export function logText(tables: Tables | null): View {
  begin(256);
  writeViews(LOG_REASON, codeOf(decision.reason));
  return endText(tables);
}

/** The same of a request that passes because its refusal is only observed. */
export function observedText(tables: Tables): View {
  begin(256);
  writeViews(LOG_REASON, codeOf(decision.reason));
  writeView(LOG_OBSERVE);
  return endText(tables);
}

// @ts-ignore: decorator
@inline
function endText(tables: Tables | null): View {
  if (tables == null) return end();
  if (decision.api != NONE) writeViews(LOG_API, tables.apis.at(decision.api).name);
  if (decision.operation != NONE) writeViews(LOG_OPERATION, tables.operations.at(decision.operation).name);
  if (decision.route != ABSENT) writeViews(LOG_ROUTE, decision.route);
  if (decision.consumer != NONE) writeViews(LOG_CONSUMER, tables.consumers.at(decision.consumer).name);
  if (decision.keyId != ABSENT) writeViews(LOG_KEY, decision.keyId);
  if (decision.plan != NONE) writeViews(LOG_PLAN, tables.plans.at(decision.plan).name);
  return end();
}
