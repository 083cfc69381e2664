import {
  EditKind, Reason, Tables, View, countDecision, decide, decision, detailOf, editCount, editKind, editName, editValue,
  grpcStatusOf, isAllowed, isGrpc, literal, logText, mayBeDecidedAlready, problemBody, readHeaders, readRequest, replyPairs,
  responseCodeDetailsOf, standings, statusOf, MAX_STANDINGS, Standing,
} from "../filter/index";
import {
  HeaderMap, LogLevel, NO_GRPC_STATUS, currentTimeNanoseconds, hasFilterState, headerPairs, log, removeHeader, replaceHeader, 
  sendReply, setFilterState,
} from "./host";
import { Root, findRoot } from "./root";
import { Stream, closeStream, findStream, standingsOf } from "./stream";

/** What a header callback tells the host to do next. */
export const enum FilterHeadersStatus { Continue = 0, StopIteration = 1 }

const STATE_NAME = literal("tollgate");

/** Decides one request: facts from the host, the decision, then its effects. */
export function onRequestHeaders(streamId: u32): FilterHeadersStatus {
  const stream = findStream(streamId);
  const root: Root | null = stream == null ? null : findRoot(stream.rootId);
  const tables: Tables | null = root == null ? null : root.tables;
  const known = readHeaders(headerPairs(HeaderMap.Request));
  readRequest();
  if (root == null || tables == null) return refuse(stream, null, Reason.NotConfigured);
  if (!known) return fail(stream, tables, "the host gave no request headers");

  decideFor(root, tables);
  countDecision(tables);
  if (!isAllowed(decision.reason)) return refuse(stream, tables, decision.reason);
  if (mayBeDecidedAlready() && hasFilterState(STATE_NAME)) return pass(stream);
  setFilterState(STATE_NAME, logText(tables));
  if (!applyEdits()) return fail(stream, tables, "the host refused a change to the request headers");
  if (stream != null) keepStandings(stream);
  return FilterHeadersStatus.Continue;
}

function decideFor(root: Root, tables: Tables): void {
  const account = root.account;
  if (account != null) decide(tables, account.balances, account.pool, currentTimeNanoseconds());
}

function applyEdits(): bool {
  let good = true;
  for (let i = 0; i < editCount; i++) {
    if (editKind(i) == EditKind.Set) good = replaceHeader(HeaderMap.Request, editName(i), editValue(i)) && good;
    else good = removeHeader(HeaderMap.Request, editName(i)) && good;
  }
  return good;
}

/** Another policy in this Envoy has let the request through: its headers and its log text stay. */
function pass(stream: Stream | null): FilterHeadersStatus {
  if (stream != null) closeStream(stream);
  return FilterHeadersStatus.Continue;
}

/** The response will show the standings as they are now. */
function keepStandings(stream: Stream): void {
  if (!decision.hasStandings) return closeStream(stream);
  stream.plan = decision.plan;
  memory.copy(standingsOf(stream), standings(), MAX_STANDINGS * offsetof<Standing>());
}

/** What must not happen, and if it does, must not let the request through. */
function fail(stream: Stream | null, tables: Tables, what: string): FilterHeadersStatus {
  log(LogLevel.Error, "tollgate: " + what);
  decision.reset();
  decision.reason = Reason.InternalError;
  countDecision(tables);
  return refuse(stream, tables, Reason.InternalError);
}

function refuse(stream: Stream | null, tables: Tables | null, reason: Reason): FilterHeadersStatus {
  if (tables == null) decision.reset();
  decision.reason = reason;
  if (stream != null) closeStream(stream);
  setFilterState(STATE_NAME, logText(tables));
  const grpc = isGrpc();
  const body: View = grpc ? detailOf(reason) : problemBody(tables);
  sendReply(statusOf(reason), responseCodeDetailsOf(reason), body, replyPairs(tables, grpc), grpc ? grpcStatusOf(reason) : NO_GRPC_STATUS);
  return FilterHeadersStatus.StopIteration;
}
