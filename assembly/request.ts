import {
  EditKind, Patience, Reason, Tables, View, countDecision, decide, decision, detailOf, editCount, editKind, editName, editValue,
  grpcStatusOf, isAllowed, isGrpc, literal, logText, mayBeDecidedAlready, noted, notedCount, problemBody, readHeaders,
  readRequest, replyPairs, responseCodeDetailsOf, standings, statusOf, MAX_STANDINGS, Standing,
} from "../filter/index";
import {
  HeaderMap, LogLevel, NO_GRPC_STATUS, currentTimeNanoseconds, hasFilterState, headerPairs, log, removeHeader, replaceHeader, 
  sendReply, setFilterState,
} from "./host";
import { ask } from "./ledger";
import { Root, findRoot } from "./root";
import { Stream, closeStream, findStream, standingsOf } from "./stream";
import { isFull, wait } from "./waiting";

/** What a header callback tells the host to do next. */
export const enum FilterHeadersStatus { Continue = 0, StopIteration = 1 }

/** What became of a request: let through with its changes made, answered, or kept for a later decision. */
export const enum Verdict { Allow, Deny, Wait }

const STATE_NAME = literal("tollgate");

/** Decides one request: facts from the host, the decision, then its effects. */
export function onRequestHeaders(streamId: u32): FilterHeadersStatus {
  const stream = findStream(streamId);
  const root: Root | null = stream == null ? null : findRoot(stream.rootId);
  const verdict = judge(stream, root, isFull() ? Patience.Contended : Patience.Wait);
  if (verdict == Verdict.Wait && root != null) keep(streamId, root);
  // A callback that sends a reply starts no call.
  if (verdict != Verdict.Deny && notedCount > 0 && root != null) askForNoted(root);
  return verdict == Verdict.Allow ? FilterHeadersStatus.Continue : FilterHeadersStatus.StopIteration;
}

/** Decides a request that has waited; the host's present context is its stream. */
export function decideAgain(streamId: u32, root: Root | null, patience: Patience): Verdict {
  return judge(findStream(streamId), root, patience);
}

function judge(stream: Stream | null, root: Root | null, patience: Patience): Verdict {
  const tables: Tables | null = root == null ? null : root.tables;
  const known = readHeaders(headerPairs(HeaderMap.Request));
  readRequest();
  if (root == null || tables == null) return refuse(stream, null, Reason.NotConfigured);
  if (!known) return fail(stream, tables, literal("tollgate: the host gave no request headers"));

  decideFor(root, tables, patience);
  if (decision.waits) return Verdict.Wait;
  countDecision(tables);
  if (!isAllowed(decision.reason)) return refuse(stream, tables, decision.reason);
  if (mayBeDecidedAlready() && hasFilterState(STATE_NAME)) return pass(stream);
  setFilterState(STATE_NAME, logText(tables));
  if (!applyEdits()) return fail(stream, tables, literal("tollgate: the host refused a change to the request headers"));
  if (stream != null) keepStandings(stream);
  return Verdict.Allow;
}

function decideFor(root: Root, tables: Tables, patience: Patience): void {
  const account = root.account;
  if (account != null) decide(tables, account.counters, currentTimeNanoseconds(), patience);
}

function keep(streamId: u32, root: Root): void {
  const tables = root.tables;
  const account = root.account;
  if (tables != null && account != null) wait(streamId, root, account, tables.ledger.timeoutMilliseconds);
}

/** The ledger is asked for what was found dry, and for what will be soon. */
function askForNoted(root: Root): void {
  const tables = root.tables;
  const account = root.account;
  if (tables == null || account == null) return;
  for (let i = 0; i < notedCount; i++) ask(root, tables, account, noted(i), 1);
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
function pass(stream: Stream | null): Verdict {
  if (stream != null) closeStream(stream);
  return Verdict.Allow;
}

/** The response will show the standings as they are now. */
function keepStandings(stream: Stream): void {
  if (!decision.hasStandings) return closeStream(stream);
  stream.plan = decision.plan;
  memory.copy(standingsOf(stream), standings(), MAX_STANDINGS * offsetof<Standing>());
}

/** What must not happen, and if it does, must not let the request through. */
function fail(stream: Stream | null, tables: Tables, what: View): Verdict {
  log(LogLevel.Error, what);
  decision.reset();
  decision.reason = Reason.InternalError;
  countDecision(tables);
  return refuse(stream, tables, Reason.InternalError);
}

function refuse(stream: Stream | null, tables: Tables | null, reason: Reason): Verdict {
  if (tables == null) decision.reset();
  decision.reason = reason;
  if (stream != null) closeStream(stream);
  setFilterState(STATE_NAME, logText(tables));
  const grpc = isGrpc();
  const body: View = grpc ? detailOf(reason) : problemBody(tables);
  sendReply(statusOf(reason), responseCodeDetailsOf(reason), body, replyPairs(tables, grpc), grpc ? grpcStatusOf(reason) : NO_GRPC_STATUS);
  return Verdict.Deny;
}
