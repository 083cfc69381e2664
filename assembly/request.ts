import {
  ABSENT,
  EditKind,
  LOG_STATES,
  MAX_QUOTAS,
  NONE,
  Patience,
  RATELIMIT,
  RATELIMIT_POLICY,
  Reason,
  Standing,
  Tables,
  View,
  countDecision,
  decide,
  decision,
  detailOf,
  editCount,
  editKind,
  editName,
  editValue,
  grpcStatusOf,
  headerCount,
  headerName,
  isAllowed,
  isGrpc,
  isOwnHeader,
  lengthOf,
  literal,
  logField,
  logText,
  mayBeDecidedAlready,
  problemBody,
  rateLimit,
  rateLimitPolicy,
  readHeaders,
  readRequest,
  refuseToWait,
  replyPairs,
  responseCodeDetailsOf,
  standings,
  statusOf,
} from "../filter/index";
import { Policy, Stream, closeStream, findStream, policyOf, standingsOf } from "./context";
import { keepOrigin, writeCors } from "./cors";
import {
  HeaderMap,
  LogLevel,
  NO_GRPC_STATUS,
  currentTimeNanoseconds,
  hasFilterState,
  headerPairs,
  log,
  removeHeader,
  replaceHeader,
  sendReply,
  setFilterState,
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

/** Decides a request that has waited; the host's current context must be its stream. */
export function decideAgain(streamId: u32, rootId: u32, patience: Patience): Verdict {
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
  decide(tables, policy.keyring, account.counters, currentTimeNanoseconds(), patience);
  if (decision.waits) {
    // Envoy itself may answer meanwhile.
    if (stream != null && decision.origin != NONE) keepOrigin(stream, tables);
    return Verdict.Wait;
  }
  countDecision(tables, account.usage);
  if (!isAllowed(decision.reason)) return refuse(stream, tables, decision.reason);
  if (mayBeDecidedAlready() && hasFilterState(STATE_NAME)) return pass(stream);
  if (tables.logFields != 0) leaveFields(tables);
  setFilterState(STATE_NAME, logText(tables));
  if (!applyEdits()) return fail(stream, policy, literal("tollgate: the host refused a change to the request headers"));
  if (stream != null) keep(stream, tables);
  return Verdict.Allow;
}

function applyEdits(): bool {
  let good: bool = true;
  for (let i = 0; i < editCount; i++) {
    if (editKind(i) == EditKind.Set) good = replaceHeader(HeaderMap.Request, editName(i), editValue(i)) && good;
    else good = removeHeader(HeaderMap.Request, editName(i)) && good;
  }
  return good;
}

/** Another policy in this Envoy has allowed the request: its headers and its access log entry stay. */
function pass(stream: Stream | null): Verdict {
  if (stream != null) closeStream(stream);
  return Verdict.Allow;
}

/** Keeps for the response what its headers will show: the current standings, and the origin that may read it. */
function keep(stream: Stream, tables: Tables): void {
  if (decision.origin != NONE) keepOrigin(stream, tables);
  else if (!decision.hasStandings) return closeStream(stream);
  if (!decision.hasStandings) return;
  stream.plan = decision.plan;
  memory.copy(standingsOf(stream), standings(), MAX_QUOTAS * offsetof<Standing>());
}

/** For failures that should never happen: the request is refused, so that none lets it through. */
function fail(stream: Stream | null, policy: Policy, what: View): Verdict {
  log(LogLevel.Error, what);
  const origin = decision.origin;
  decision.reset();
  decision.origin = origin;
  decision.reason = Reason.InternalError;
  countDecision(policy.tables, policy.account.usage);
  return refuse(stream, policy.tables, Reason.InternalError);
}

function refuse(stream: Stream | null, tables: Tables | null, reason: Reason): Verdict {
  if (tables == null) decision.reset();
  decision.reason = reason;
  if (stream != null) closeStream(stream);
  if (tables != null && tables.logFields != 0) leaveFields(tables);
  setFilterState(STATE_NAME, logText(tables));
  const grpc = isGrpc();
  const body: View = grpc ? detailOf(reason) : problemBody(tables);
  sendReply(
    statusOf(reason),
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
  for (let rest = absent; rest != 0; rest &= rest - 1) setFilterState(unchecked(LOG_STATES[ctz(rest)]), EMPTY);
}

/**
 * Removes `x-tollgate-` headers from a request's trailers: the module never sets any there, and an upstream that merges trailers into
 * headers would trust them. Called only for requests that have trailers.
 */
export function onRequestTrailers(): void {
  if (!readHeaders(headerPairs(HeaderMap.RequestTrailers))) return;
  for (let i = 0; i < headerCount; i++) {
    if (isOwnHeader(headerName(i))) removeHeader(HeaderMap.RequestTrailers, headerName(i));
  }
}

/** Writes an allowed request's standings and its API's cors to its response. The module's own replies already have theirs. */
export function onResponseHeaders(streamId: u32): void {
  const stream = findStream(streamId);
  if (stream == null) return;
  const policy = policyOf(stream.rootId);
  if (policy == null) return closeStream(stream);
  const tables = policy.tables;
  if (stream.origin != NONE) writeCors(tables, stream.origin);
  if (stream.plan != NONE) {
    const plan = tables.plans.at(stream.plan);
    replaceHeader(HeaderMap.Response, RATELIMIT_POLICY, rateLimitPolicy(tables, plan, standingsOf(stream)));
    const state = rateLimit(tables, plan, standingsOf(stream));
    if (lengthOf(state) > 0) replaceHeader(HeaderMap.Response, RATELIMIT, state);
  }
  closeStream(stream);
}
