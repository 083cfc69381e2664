import {
  ABSENT, Call, Count, Counter, Tables, View, fail, grpcService, literal, messageOf, prepareCall, settle,
  unclaim,
} from "../filter/index";
import { currentTimeNanoseconds, grpcCall, grpcMessage, setEffectiveContext } from "./host";
import { Account, Root, accountAt } from "./root";
import { resumeCounter } from "./waiting";

/**
 * Calls to the ledger: Envoy's rate limit protocol, asynchronous, from the root context. A call is never started in a
 * callback that sends a reply, because the host does not take both.
 */
const SERVICE = literal("envoy.service.ratelimit.v3.RateLimitService");
const METHOD = literal("ShouldRateLimit");
const MAX_CALLS = 256;
const CALLS: usize = heap.alloc(MAX_CALLS * offsetof<Call>());
memory.fill(CALLS, 0, MAX_CALLS * offsetof<Call>());
/** Answers are this long at most; a longer one is cut off, and then cannot be read. */
const MAX_ANSWER_BYTES: u32 = 4096;
/** A call may take longer than a request waits for it: what it brings late is not lost. */
const CALL_TIMEOUTS = 10;
const MIN_CALL_MILLISECONDS = 200;
const MAX_CALL_MILLISECONDS = 5000;
/** The host ends a call in time; when its root is gone, nobody does. */
const LIFETIME_MARGIN_MILLISECONDS = 1000;

let inUse = 0;

/** Asks for more of a counter that `demand` requests want, unless that is under way; true when a call has begun. */
export function ask(root: Root, tables: Tables, account: Account, counter: Counter, demand: i32): bool {
  const call = freeCall();
  if (call == null) return false;
  const now = currentTimeNanoseconds();
  if (!prepareCall(tables, account.counters, counter, call, demand, now)) return false;
  call.account = account.number;
  // The claim has allocated little; the message is read before this callback ends.
  call.token = startCall(root, tables, messageOf(tables, counter, call));
  account.counters.tally.add(Count.Asked, 1);
  account.counters.tally.add(Count.AskedUnits, call.units);
  if (call.token == 0) {
    fail(account.counters, call, now);
    return false;
  }
  call.inUse = true;
  call.released = false;
  inUse++;
  return true;
}

function startCall(root: Root, tables: Tables, message: View): u32 {
  setEffectiveContext(root.id);
  return grpcCall(grpcService(tables.ledger), SERVICE, METHOD, message, callTimeout(tables));
}

/** In milliseconds. */
function callTimeout(tables: Tables): i32 {
  return min(MAX_CALL_MILLISECONDS, max(MIN_CALL_MILLISECONDS, tables.ledger.timeoutMilliseconds * CALL_TIMEOUTS));
}

/** What a new policy says of its ledger holds from now on. */
export function openLedger(account: Account, tables: Tables): void {
  account.counters.callLifetimeNanoseconds = <i64>(callTimeout(tables) + LIFETIME_MARGIN_MILLISECONDS) * 1_000_000;
  releaseCalls(account);
}

/** The answer to a call. */
export function onGrpcReceive(token: u32, size: u32): void {
  const call = findCall(token);
  if (call == null) return;
  const counters = accountAt(call.account).counters;
  const message = size > MAX_ANSWER_BYTES ? ABSENT : grpcMessage(size);
  const now = currentTimeNanoseconds();
  settle(counters, call, message, now);
  close(call);
  resumeCounter(call.consumer, call.meter);
}

/** A call has ended without an answer. */
export function onGrpcClose(token: u32): void {
  const call = findCall(token);
  if (call == null) return;
  fail(accountAt(call.account).counters, call, currentTimeNanoseconds());
  close(call);
  resumeCounter(call.consumer, call.meter);
}

/**
 * Lets others ask for what the calls of an account are under way for: the root that made them is replaced, and the host drops
 * the answers of a root that goes.
 */
function releaseCalls(account: Account): void {
  if (inUse == 0) return;
  const now = currentTimeNanoseconds();
  for (let i = 0; i < MAX_CALLS; i++) {
    const call = callAt(i);
    if (!call.inUse || call.account != account.number || call.released) continue;
    call.released = true;
    unclaim(account.counters, call, now);
  }
  account.counters.outage.forgetTrial();
}

/** Ends calls whose answers went with their root. */
export function expireCalls(now: i64): void {
  if (inUse == 0) return;
  for (let i = 0; i < MAX_CALLS; i++) {
    const call = callAt(i);
    const age = now - call.sentAtNanoseconds;
    if (!call.inUse || (age >= 0 && age < accountAt(call.account).counters.callLifetimeNanoseconds)) continue;
    if (!call.released) fail(accountAt(call.account).counters, call, now);
    close(call);
  }
}

function close(call: Call): void {
  call.inUse = false;
  inUse--;
}

function callAt(index: i32): Call {
  return changetype<Call>(CALLS + <usize>index * offsetof<Call>());
}

function freeCall(): Call | null {
  for (let i = 0; i < MAX_CALLS; i++) {
    if (!callAt(i).inUse) return callAt(i);
  }
  return null;
}

function findCall(token: u32): Call | null {
  for (let i = 0; i < MAX_CALLS; i++) {
    if (callAt(i).inUse && callAt(i).token == token) return callAt(i);
  }
  return null;
}
