import {
  ABSENT,
  AnswerVerdict,
  CALL_BYTES,
  Call,
  Claim,
  Count,
  Counter,
  LineState,
  MAX_CALL_COUNTERS,
  NONE,
  Tables,
  View,
  begin,
  claim,
  counterOf,
  end,
  fail,
  findLine,
  firstOf,
  grpcService,
  lines,
  linesToAsk,
  literal,
  messageOf,
  resetArena,
  setState,
  settle,
  unclaim,
  writeFormat,
} from "../filter/index";
import { Account, accountAt } from "./account";
import { Root, findRoot } from "./context";
import { LogLevel, currentTimeNanoseconds, grpcCall, grpcMessage, log, setEffectiveContext } from "./host";

/**
 * Calls to the rate limit service: Envoy's rate limit protocol, asynchronous, from the root context. A call is never started in a
 * callback that sends a reply, because the host does not take both.
 */
const SERVICE = literal("envoy.service.ratelimit.v3.RateLimitService");
const METHOD = literal("ShouldRateLimit");
const MAX_CALLS: i32 = 64;
/** While fewer are under way, a request that finds its counter dry has a call begun for it at once; later ones share calls. */
const FEW_CALLS = 8;
/**
 * Beyond that the pause between two calls grows with the calls under way, so that a slow service is asked for more in each call before
 * there are no calls left. A call that is full is not kept waiting.
 */
const PAUSE_NANOSECONDS: i64 = 500_000;
/** Counters that one callback asks for at most. */
const MAX_ASKS = 32;
/** Answers are this long at most; a longer one is cut off, and then cannot be read. */
const MAX_ANSWER_BYTES: u32 = 4096;
/** A call may take longer than a request waits for it: what it brings late is not lost. */
const CALL_TIMEOUTS = 10;
const MIN_CALL_MILLISECONDS = 200;
const MAX_CALL_MILLISECONDS = 5000;
/** The host ends a call in time; when its root is gone, nobody does. */
const LIFETIME_MARGIN_MILLISECONDS = 1000;

/** The calls, once some policy has a rate limit service. */
let calls: usize = 0;
let inUse = 0;
let lastBegunAt: i64 = 0;

/** Asks for more of a counter that runs low, unless that is under way. */
export function askAhead(root: Root, counter: Counter): void {
  const tables = root.tables;
  const account = root.account;
  const call = freeCall();
  if (call == null || tables == null || account == null) return;
  resetArena();
  if (claim(account.counters, counter, call, 1, currentTimeNanoseconds()) == Claim.Made)
    send(root, tables, account, call);
}

/** Calls for those who have just begun to wait, unless so many calls are under way that the next tick should share some. */
export function askSoon(): void {
  if (inUse < FEW_CALLS) askForWaiting();
}

/** Calls for lines that have not asked, as many in one call as the rate limit service is asked the same number of units for. */
export function askForWaiting(): void {
  let asks = MAX_ASKS;
  while (asks > 0) {
    const index = firstOf(LineState.ToAsk);
    if (index == NONE || isTooSoon()) return;
    const root = findRoot(lines.at(index).rootId);
    const tables: Tables | null = root == null ? null : root.tables;
    const account: Account | null = root == null ? null : root.account;
    if (root == null || tables == null || account == null || lines.at(index).plan == NONE) {
      setState(index, LineState.Ready);
      asks--;
      continue;
    }
    const call = freeCall();
    if (call == null) return;
    asks -= gather(root, account, call, asks);
    if (call.count > 0) send(root, tables, account, call);
  }
}

function isTooSoon(): bool {
  if (inUse < FEW_CALLS || linesToAsk >= MAX_CALL_COUNTERS) return false;
  const since = currentTimeNanoseconds() - lastBegunAt;
  return since >= 0 && since < PAUSE_NANOSECONDS * inUse;
}

/** Fills a call with the counters of lines of one root; how many lines it took care of, at least one. */
function gather(root: Root, account: Account, call: Call, most: i32): i32 {
  const now = currentTimeNanoseconds();
  let count = 0;
  while (count < most) {
    const index = firstOf(LineState.ToAsk);
    if (index == NONE) break;
    const line = lines.at(index);
    if (line.rootId != root.id || line.plan == NONE) break;
    // What a claim reads of shared data is large; the message is made when all are claimed.
    resetArena();
    const result = claim(account.counters, line, call, line.count, now);
    if (result == Claim.Apart) break;
    setState(
      index,
      result == Claim.Made ? LineState.Asked : result == Claim.Asked ? LineState.Elsewhere : LineState.Ready,
    );
    count++;
  }
  return count;
}

function send(root: Root, tables: Tables, account: Account, call: Call): void {
  call.account = account.number;
  call.rootId = root.id;
  resetArena();
  call.token = startCall(root, tables, messageOf(tables, call));
  account.counters.tally.add(Count.Asked, 1);
  account.counters.tally.add(Count.AskedUnits, call.units * call.count);
  if (call.token != 0) {
    call.inUse = true;
    call.released = false;
    lastBegunAt = call.sentAtNanoseconds;
    inUse++;
    return;
  }
  fail(account.counters, call, currentTimeNanoseconds());
  wake(call);
}

function startCall(root: Root, tables: Tables, message: View): u32 {
  setEffectiveContext(root.id);
  return grpcCall(grpcService(tables.rateLimitService), SERVICE, METHOD, message, callTimeout(tables));
}

/** In milliseconds. */
function callTimeout(tables: Tables): i32 {
  return min(
    MAX_CALL_MILLISECONDS,
    max(MIN_CALL_MILLISECONDS, tables.rateLimitService.timeoutMilliseconds * CALL_TIMEOUTS),
  );
}

/** What a new policy says of its rate limit service holds from now on. */
export function openRateLimitService(account: Account, tables: Tables): void {
  if (tables.rateLimitService.cluster != ABSENT && calls == 0) {
    calls = heap.alloc(<usize>MAX_CALLS * CALL_BYTES);
    memory.fill(calls, 0, <usize>MAX_CALLS * CALL_BYTES);
  }
  account.counters.callLifetimeNanoseconds = <i64>(callTimeout(tables) + LIFETIME_MARGIN_MILLISECONDS) * 1_000_000;
  releaseCalls(account);
}

/** The answer to a call: it is the turn of those who wait for its counters. */
export function onGrpcReceive(token: u32, size: u32): void {
  const call = findCall(token);
  if (call == null) return;
  const account = accountAt(call.account);
  const message = size > MAX_ANSWER_BYTES ? ABSENT : grpcMessage(size);
  const now = currentTimeNanoseconds();
  reportAnswer(account, settle(account.counters, call, message, now), now);
  close(call);
  wake(call);
}

/** A call has ended without an answer. */
export function onGrpcClose(token: u32, status: u32): void {
  const call = findCall(token);
  if (call == null) return;
  const account = accountAt(call.account);
  const now = currentTimeNanoseconds();
  fail(account.counters, call, now);
  reportFailure(account, status, now);
  close(call);
  wake(call);
}

/** Those who wait for a counter of the call have reason to try again. */
function wake(call: Call): void {
  for (let i = 0; i < call.count; i++) {
    const line = findLine(counterOf(call, i).consumerId, counterOf(call, i).meter);
    if (line != NONE) setState(line, LineState.Ready);
  }
}

/**
 * Lets others ask for what the calls of an account are under way for: the root that made them is replaced, and the host drops
 * the answers of a root that goes.
 */
function releaseCalls(account: Account): void {
  for (let i = 0; inUse > 0 && i < MAX_CALLS; i++) {
    if (callAt(i).account == account.number) release(callAt(i));
  }
}

/** The same for a root that is gone: nobody need have replaced it, when an older one serves again. */
export function releaseCallsOf(rootId: u32): void {
  for (let i = 0; inUse > 0 && i < MAX_CALLS; i++) {
    if (callAt(i).rootId == rootId) release(callAt(i));
  }
}

function release(call: Call): void {
  if (!call.inUse || call.released) return;
  const counters = accountAt(call.account).counters;
  call.released = true;
  resetArena();
  unclaim(counters, call, currentTimeNanoseconds());
  counters.outage.forgetTrial();
  wake(call);
}

/** Ends calls whose answers went with their root. */
export function expireCalls(now: i64): void {
  if (inUse == 0) return;
  for (let i = 0; i < MAX_CALLS; i++) {
    const call = callAt(i);
    const age = now - call.sentAtNanoseconds;
    if (!call.inUse || (age >= 0 && age < accountAt(call.account).counters.callLifetimeNanoseconds)) continue;
    resetArena();
    if (!call.released) fail(accountAt(call.account).counters, call, now);
    close(call);
    wake(call);
  }
}

function close(call: Call): void {
  call.inUse = false;
  inUse--;
}

function callAt(index: i32): Call {
  return changetype<Call>(calls + <usize>index * CALL_BYTES);
}

/** A call that is not in use, without counters yet. */
function freeCall(): Call | null {
  if (inUse == MAX_CALLS || calls == 0) return null;
  for (let i = 0; i < MAX_CALLS; i++) {
    const call = callAt(i);
    if (call.inUse) continue;
    call.count = 0;
    return call;
  }
  return null;
}

function findCall(token: u32): Call | null {
  if (inUse == 0) return null;
  for (let i = 0; i < MAX_CALLS; i++) {
    if (callAt(i).inUse && callAt(i).token == token) return callAt(i);
  }
  return null;
}

/** One line in the log when the rate limit service ceases to do its work, and one when it does it again; never one for a call. */
const QUIET_NANOSECONDS: i64 = 30_000_000_000;

const FAILED = literal(
  "tollgate: policy %s: the rate limit service does not answer: gRPC status %d (%s); quotas with scope mesh go by onUnavailable",
);
const MALFORMED = literal(
  "tollgate: policy %s: the rate limit service sent what is no answer to the question; quotas with scope mesh go by onUnavailable",
);
const UNLIMITED = literal(
  "tollgate: policy %s: the rate limit service knows no limit for a quota with scope mesh, which goes by onUnavailable: does its configuration match (tollgate rate-limit-service)?",
);
const BACK = literal("tollgate: policy %s: the rate limit service answers again");

const GRPC_STATUS: StaticArray<View> = [
  literal("ok"),
  literal("cancelled"),
  literal("unknown"),
  literal("invalid argument"),
  literal("deadline exceeded"),
  literal("not found"),
  literal("already exists"),
  literal("permission denied"),
  literal("resource exhausted"),
  literal("failed precondition"),
  literal("aborted"),
  literal("out of range"),
  literal("unimplemented"),
  literal("internal"),
  literal("unavailable"),
  literal("data loss"),
  literal("unauthenticated"),
];

/** A call has ended with a gRPC status. */
function reportFailure(account: Account, status: u32, now: i64): void {
  report(account, FAILED, status, status < <u32>GRPC_STATUS.length ? GRPC_STATUS[status] : GRPC_STATUS[2], now);
}

/** A call was answered. */
function reportAnswer(account: Account, verdict: AnswerVerdict, now: i64): void {
  if (verdict == AnswerVerdict.Malformed) report(account, MALFORMED, 0, ABSENT, now);
  else if (verdict == AnswerVerdict.Unlimited) report(account, UNLIMITED, 0, ABSENT, now);
  else if (account.isRateLimitServiceReported) {
    account.isRateLimitServiceReported = false;
    write(LogLevel.Info, BACK, account.policy, 0, ABSENT);
  }
}

function report(account: Account, text: View, status: u32, name: View, now: i64): void {
  const quiet = now - account.rateLimitServiceReportedAt;
  if (account.isRateLimitServiceReported || (quiet >= 0 && quiet < QUIET_NANOSECONDS)) return;
  account.isRateLimitServiceReported = true;
  account.rateLimitServiceReportedAt = now;
  write(LogLevel.Warn, text, account.policy, status, name);
}

function write(level: LogLevel, text: View, policy: View, status: u32, name: View): void {
  begin();
  writeFormat(text, policy, status, name);
  log(level, end());
}
