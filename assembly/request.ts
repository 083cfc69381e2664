import {
  ABSENT,
  DEPRECATION,
  Decision,
  EditKind,
  LINK,
  LOGGED,
  LOG_STATES,
  Lifecycle,
  MAX_QUOTAS,
  NONE,
  FLIES,
  NO_SEQUEL,
  Patience,
  RATELIMIT,
  RATELIMIT_POLICY,
  RATELIMIT_WARNING,
  RateLimitHeaders,
  Reason,
  SETTLES,
  SHOWN,
  SUNSET,
  Standing,
  Tables,
  Tightest,
  View,
  WARNING,
  X_RATELIMIT_HEADERS,
  countDecision,
  countObserved,
  countWarnings,
  dateText,
  decide,
  decision,
  editAt,
  editCount,
  findTightest,
  findTightestNow,
  forgetSettlement,
  grpcStatusOf,
  headerCount,
  headerName,
  isGrpc,
  isOwnHeader,
  isSettling,
  keyUntil,
  lengthOf,
  literal,
  logField,
  logText,
  mayBeDecidedAlready,
  numberText,
  observedText,
  rateLimit,
  rateLimitPolicy,
  rateLimitWarning,
  readHeaders,
  readRequest,
  refuseToWait,
  remember,
  replyBody,
  replyPairs,
  replyStatus,
  responseCodeDetailsOf,
  setPeer,
  settleAnswer,
  standingAt,
  standings,
  tellsKeyEnd,
  turnKeyEnd,
} from "../filter/index";
import {
  Account,
  Policy,
  Stream,
  closeStream,
  findStream,
  policyOf,
  showsStandings,
  standingsOf,
  tellsUpstreams,
} from "./context";
import { keepOrigin, writeCors } from "./cors";
import {
  HeaderMap,
  LogLevel,
  NO_GRPC_STATUS,
  addHeader,
  currentTimeNanoseconds,
  hasFilterState,
  headerPairs,
  log,
  removeHeader,
  replaceHeader,
  sendReply,
  setFilterState,
  sourceAddress,
} from "./host";

/** The outcome for a request: allowed with its edits applied, refused with a reply, or paused for a later decision. */
export const enum Verdict {
  Allow,
  Deny,
  Wait,
}

const STATE_NAME = literal("tollgate");
const EMPTY = literal("");

/** Decides one request: reads its headers, decides, and applies the decision. */
export function onRequestHeaders(streamId: u32): Verdict {
  const stream = findStream(streamId);
  return judge(stream, stream == null ? null : policyOf(stream.rootId), Patience.Wait);
}

/** The stream that is decided again: what is kept of it may have been overwritten. */
let resumedId: u32 = 0;

/** Decides a request that has waited; the host's current context must be its stream. */
export function decideAgain(streamId: u32, rootId: u32, patience: Patience): Verdict {
  resumedId = streamId;
  return judge(findStream(streamId), policyOf(rootId), patience);
}

/** Refuses the request just decided, which would have to wait while too many requests do. */
export function turnAway(streamId: u32, rootId: u32): Verdict {
  const policy = policyOf(rootId);
  refuseToWait();
  if (policy != null) countDecision(policy.tables, policy.account.usage);
  return refuse(findStream(streamId), policy == null ? null : policy.tables, decision.reason);
}

function judge(stream: Stream | null, policy: Policy | null, patience: Patience): Verdict {
  const known = readHeaders(headerPairs(HeaderMap.Request));
  readRequest();
  if (policy == null) return refuse(stream, null, Reason.NotConfigured);
  if (!known) {
    decision.reset();
    return fail(stream, policy, literal("tollgate: the host gave no request headers"));
  }

  const tables = policy.tables;
  const account = policy.account;
  if (tables.asksPeer) setPeer(sourceAddress());
  const now = tables.isTimeless ? 0 : currentTimeNanoseconds();
  const passes = decide(tables, policy.keyring, account.counters, now, patience);
  while (decision.isUnusual) {
    if (decision.isRare) {
      if (decision.waits) return wait(stream, tables);
      if (decision.sequel == FLIES) hold(stream, account);
      else if (decision.remarks < SETTLES) keepKeyEnd(stream, passes);
      else expectAnswer(stream, policy, passes);
    } else return carryObserved(stream, policy, passes);
  }
  countDecision(tables, account.usage);
  if (!passes) return refuse(stream, tables, decision.reason);
  if (mayBeDecidedAlready() && hasFilterState(STATE_NAME)) return pass(stream);
  if (tables.logFields != 0) leaveFields(tables);
  if (tables.logLine) setFilterState(STATE_NAME, logText(tables));
  return allow(stream, policy);
}

/** The request is in flight from now on, until its stream ends. */
function hold(stream: Stream | null, account: Account): void {
  const flights = account.counters.flights;
  if (flights != null) flights.hold(stream == null ? resumedId : stream.id);
  decision.sequel = NO_SEQUEL;
}

/** What the request has cost is settled once it is answered. */
function expectAnswer(stream: Stream | null, policy: Policy, passes: bool): void {
  remember(policy.tables, policy.account.counters, stream == null ? resumedId : stream.id, passes);
  decision.remarks &= ~SETTLES;
}

/** Envoy itself may answer meanwhile. */
function wait(stream: Stream | null, tables: Tables): Verdict {
  if (stream != null && decision.showsMore) keepMore(stream, tables);
  return Verdict.Wait;
}

/** The same for a request that would have been refused if something that observes were in force. Logs show for what. */
function carryObserved(stream: Stream | null, policy: Policy, passes: bool): Verdict {
  const tables = policy.tables;
  const reason = decision.reason;
  countObserved(tables, policy.account.usage);
  if (mayBeDecidedAlready() && hasFilterState(STATE_NAME)) return pass(stream);
  decision.reason = decision.observed;
  if (tables.logFields != 0) leaveFields(tables);
  if (tables.logLine) setFilterState(STATE_NAME, observedText(tables));
  decision.reason = reason;
  return passes ? allow(stream, policy) : answer(stream, tables, reason);
}

function allow(stream: Stream | null, policy: Policy): Verdict {
  if (!applyEdits()) return fail(stream, policy, literal("tollgate: the host refused a change to the request headers"));
  if (stream != null) keep(stream, policy.tables);
  return Verdict.Allow;
}

function applyEdits(): bool {
  let good: bool = true;
  for (let i = 0; i < editCount; i++) {
    const edit = editAt(i);
    if (edit.kind == EditKind.Set) good = replaceHeader(HeaderMap.Request, edit.name, edit.value) && good;
    else good = removeHeader(HeaderMap.Request, edit.name) && good;
  }
  return good;
}

/** Another policy in this Envoy has allowed the request: its headers and its access log entry stay. */
function pass(stream: Stream | null): Verdict {
  if (stream != null) closeStream(stream);
  return Verdict.Allow;
}

/** Keeps for the response what its headers will show: the current standings, a deprecation, and the origin that may read it. */
// @ts-ignore: decorator
@inline
function keep(stream: Stream, tables: Tables): void {
  if (decision.showsMore) keepMore(stream, tables);
  else if (decision.standings != SHOWN) return keepNone(stream);
  if (decision.standings != SHOWN) return;
  if (tables.rateLimitHeaders != RateLimitHeaders.Standard) return keepOther(stream, tables);
  // Plan and operation at once.
  store<i64>(
    changetype<usize>(stream),
    load<i64>(changetype<usize>(decision), offsetof<Decision>("plan")),
    offsetof<Stream>("plan"),
  );
  memory.copy(standingsOf(stream), standings(), MAX_QUOTAS * offsetof<Standing>());
}

/** Of all quotas the response shows the tightest, or none; or all with what some of them warn of. */
function keepOther(stream: Stream, tables: Tables): void {
  if ((tables.rateLimitHeaders & (RateLimitHeaders.XRatelimit | WARNING)) == 0) return;
  if ((tables.rateLimitHeaders & WARNING) != 0) return keepWarned(stream, tables);
  keepTightest(stream, tables);
}

// @ts-ignore: decorator
@inline
function keepTightest(stream: Stream, tables: Tables): void {
  // The place of the plan's number tells that there is something.
  if (findTightest(tables, changetype<Tightest>(standingsOf(stream)))) stream.plan = 0;
}

/** Counts what some quotas warn of, and keeps what callers are told. */
function keepWarned(stream: Stream, tables: Tables): void {
  const policy = policyOf(stream.rootId);
  if (policy != null) countWarnings(tables, policy.account.counters);
  const told = tables.rateLimitHeaders & ~WARNING;
  if (told == RateLimitHeaders.XRatelimit) return keepTightest(stream, tables);
  if (told != RateLimitHeaders.Standard) return;
  stream.plan = decision.plan;
  stream.charged = decision.charged;
  memory.copy(standingsOf(stream), standings(), MAX_QUOTAS * offsetof<Standing>());
}

/** Without anything to show, the stream is still needed where quotas were counted: for what is asked of the rate limit service next. */
function keepNone(stream: Stream): void {
  if (decision.standings != LOGGED) closeStream(stream);
}

function keepMore(stream: Stream, tables: Tables): void {
  // Lifecycle and origin at once.
  store<i64>(
    changetype<usize>(stream),
    load<i64>(changetype<usize>(decision), offsetof<Decision>("deprecated")),
    offsetof<Stream>("lifecycle"),
  );
  if (decision.origin != NONE) keepOrigin(tables);
}

/** Of a request that is allowed as its key's; to be called before anything else is kept, which goes along. */
function keepKeyEnd(stream: Stream | null, passes: bool): void {
  decision.remarks = 0;
  if (stream == null || !passes || decision.observed != 0) return;
  stream.keyUntil = keyUntil;
  decision.deprecated = turnKeyEnd(decision.deprecated);
}

/** For failures that should never happen: the request is refused, so that none lets it through. */
function fail(stream: Stream | null, policy: Policy, what: View): Verdict {
  log(LogLevel.Error, what);
  forgetSettlement(stream == null ? resumedId : stream.id);
  const origin = decision.origin;
  decision.reset();
  decision.origin = origin;
  decision.reason = Reason.InternalError;
  countDecision(policy.tables, policy.account.usage);
  return refuse(stream, policy.tables, Reason.InternalError);
}

function refuse(stream: Stream | null, tables: Tables | null, reason: Reason): Verdict {
  if (tables == null) return refuseUnconfigured(stream, reason);
  decision.reason = reason;
  if (tables.logFields != 0) leaveFields(tables);
  if (tables.logLine) setFilterState(STATE_NAME, logText(tables));
  return answer(stream, tables, reason);
}

/** The same without a policy, which could say how. */
function refuseUnconfigured(stream: Stream | null, reason: Reason): Verdict {
  decision.reset();
  decision.reason = reason;
  setFilterState(STATE_NAME, logText(null));
  return answer(stream, null, reason);
}

function answer(stream: Stream | null, tables: Tables | null, reason: Reason): Verdict {
  if (stream != null) closeStream(stream);
  const grpc = isGrpc();
  const body = replyBody(tables, grpc);
  sendReply(
    replyStatus(tables),
    responseCodeDetailsOf(reason),
    body,
    replyPairs(tables, grpc),
    grpc ? grpcStatusOf(reason) : NO_GRPC_STATUS,
  );
  return Verdict.Deny;
}

/** Leaves each field that the policy wants for access logs; to be called before the line, by which an earlier decision is known. */
function leaveFields(tables: Tables): void {
  let absent: u32 = 0;
  for (let rest = tables.logFields; rest != 0; rest &= rest - 1) {
    const field = ctz(rest);
    const value = logField(tables, field);
    if (value == ABSENT) absent |= 1 << field;
    else setFilterState(unchecked(LOG_STATES[field]), value);
  }
  if (absent == 0 || !hasFilterState(STATE_NAME)) return;
  // Another policy in this Envoy has decided before: what it has left in these fields does not belong to this decision.
  for (let rest = absent | tables.unusedLogFields; rest != 0; rest &= rest - 1)
    setFilterState(unchecked(LOG_STATES[ctz(rest)]), EMPTY);
}

/**
 * Removes from a request's trailers `x-tollgate-` headers and those by which any policy of this VM tells upstreams who calls: the module never sets any there, and an upstream that merges trailers into
 * headers would trust them. Called only for requests that have trailers.
 */
export function onRequestTrailers(): void {
  if (!readHeaders(headerPairs(HeaderMap.RequestTrailers))) return;
  for (let i = 0; i < headerCount; i++) {
    if (isOwnHeader(headerName(i)) || tellsUpstreams(headerName(i)))
      removeHeader(HeaderMap.RequestTrailers, headerName(i));
  }
}

/** Settles what the request has cost, by the headers of its answer, before those of its quotas are written. */
export function settleResponse(streamId: u32): void {
  if (!isSettling(streamId)) return;
  if (!readHeaders(headerPairs(HeaderMap.Response))) return forgetSettlement(streamId);
  const now = currentTimeNanoseconds();
  if (!settleAnswer(streamId, now)) return;
  const stream = findStream(streamId);
  if (stream == null || !showsStandings(stream)) return;
  const policy = policyOf(stream.rootId);
  if (policy == null) return;
  if ((policy.tables.rateLimitHeaders & ~WARNING) == RateLimitHeaders.XRatelimit) {
    findTightestNow(now, changetype<Tightest>(standingsOf(stream)));
    return;
  }
  const size = offsetof<Standing>();
  for (let i = 0; i < MAX_QUOTAS; i++) {
    const standing = changetype<usize>(standingAt(i));
    if (standingAt(i).limit > 0) memory.copy(standingsOf(stream) + <usize>i * size, standing, size);
  }
}

/**
 * Writes to an allowed request's response its standings, what is deprecated, and its API's cors. The module's own replies already have
 * theirs.
 */
export function onResponseHeaders(streamId: u32): void {
  const stream = findStream(streamId);
  if (stream == null) return;
  const policy = policyOf(stream.rootId);
  if (policy == null) return closeStream(stream);
  const tables = policy.tables;
  if (stream.origin != NONE) writeCors(tables, stream.origin);
  if (stream.lifecycle != NONE) showLife(tables, stream);
  if (showsStandings(stream)) {
    if (tables.rateLimitHeaders == RateLimitHeaders.Standard) showQuotas(tables, stream);
    else showOther(tables, stream);
  }
  closeStream(stream);
}

function showLife(tables: Tables, stream: Stream): void {
  let lifecycle = stream.lifecycle;
  if (tellsKeyEnd(lifecycle)) {
    replaceHeader(HeaderMap.Response, tables.keyEndHeader, dateText(stream.keyUntil));
    lifecycle = turnKeyEnd(lifecycle);
  }
  if (lifecycle != NONE) showDeprecation(tables.lifecycles.at(lifecycle));
}

// @ts-ignore: decorator
@inline
function showQuotas(tables: Tables, stream: Stream): void {
  const limits = rateLimitPolicy(tables, stream.plan, stream.charged, standingsOf(stream));
  replaceHeader(HeaderMap.Response, RATELIMIT_POLICY, limits);
  const state = rateLimit(tables, stream.plan, stream.charged, standingsOf(stream));
  if (lengthOf(state) > 0) replaceHeader(HeaderMap.Response, RATELIMIT, state);
}

/** The tightest of them, or all with what they warn of. */
function showOther(tables: Tables, stream: Stream): void {
  if (tables.rateLimitHeaders == WARNING) showWarned(tables, stream, standingsOf(stream));
  else showTightest(changetype<Tightest>(standingsOf(stream)));
}

function showWarned(tables: Tables, stream: Stream, kept: usize): void {
  replaceHeader(HeaderMap.Response, RATELIMIT_POLICY, rateLimitPolicy(tables, stream.plan, stream.charged, kept));
  const state = rateLimit(tables, stream.plan, stream.charged, kept);
  if (lengthOf(state) > 0) replaceHeader(HeaderMap.Response, RATELIMIT, state);
  const warning = rateLimitWarning(tables, stream.plan, kept);
  if (lengthOf(warning) > 0) replaceHeader(HeaderMap.Response, RATELIMIT_WARNING, warning);
}

// @ts-ignore: decorator
@inline
function showTightest(quota: Tightest): void {
  replaceHeader(HeaderMap.Response, unchecked(X_RATELIMIT_HEADERS[0]), numberText(quota.limit));
  replaceHeader(HeaderMap.Response, unchecked(X_RATELIMIT_HEADERS[1]), numberText(quota.remaining));
  replaceHeader(HeaderMap.Response, unchecked(X_RATELIMIT_HEADERS[2]), numberText(quota.resetAtSeconds));
}

/** The policy knows better than the upstream what is deprecated; links are many, and each stands for itself. */
function showDeprecation(lifecycle: Lifecycle): void {
  replaceHeader(HeaderMap.Response, DEPRECATION, lifecycle.deprecation);
  if (lifecycle.sunset != ABSENT) replaceHeader(HeaderMap.Response, SUNSET, lifecycle.sunset);
  if (lifecycle.link != ABSENT) addHeader(HeaderMap.Response, LINK, lifecycle.link);
}
