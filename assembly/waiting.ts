import {
  Claim,
  Count,
  Counter,
  MAX_CALL_COUNTERS,
  NONE,
  NO_STANDINGS,
  Patience,
  Turn,
  Waiter,
  beginRound,
  bill,
  cannotAsk,
  claim,
  decision,
  fillCall,
  join,
  leave,
  lineToAsk,
  linesToAsk,
  lookAtTurn,
  mayWait,
  nextTurn,
  noted,
  patienceAtEnd,
  resetArena,
  stay,
  turnLine,
  turnWaiter,
  waiting,
} from "../filter/index";
import { callsUnderWay, freeSlot, lastBegunAtNanoseconds } from "./callout";
import { Account, Policy, Root, findRoot, findStream, policyOf } from "./context";
import { continueRequest, currentTimeNanoseconds, setEffectiveContext } from "./host";
import { RateLimitService, emptyCall } from "./rateLimitService";
import { Verdict, decideAgain, turnAway } from "./request";

/**
 * Requests that wait for the rate limit service. The queue in filter/waiting keeps them and says whose turn it is; this file decides
 * them again, resumes them, and begins calls for lines in `ToAsk`. The host does not accept both replies and calls in one
 * callback, so the other half is left to the next tick; ticks come every 2 ms while requests wait.
 */

/** While fewer calls are under way, a request that finds no units gets a call at once; otherwise requests share calls. */
const FEW_CALLS = 8;
/**
 * With more, the pause between two calls grows with the number of calls under way, so that a slow service gets fewer and larger
 * calls before the slots run out. A full call does not wait for the pause to end.
 */
const PAUSE_NANOSECONDS: i64 = 500_000;
/** The most lines that calls are made for in one callback. */
const MAX_ASKS = 32;

/** The last round sent replies and so began no calls: the next tick begins calls before it sends more replies. */
let callsFirst: bool = false;

/**
 * Follows up on the counters that a new request's decision noted: queues the request if it must wait, and begins calls for counters
 * that are empty or run low. Returns the verdict, which is Deny when there is no room to wait.
 */
export function followUp(streamId: u32, verdict: Verdict): Verdict {
  // The noted counters are an earlier request's if this one was decided without its quotas.
  if (verdict == Verdict.Deny || decision.standings == NO_STANDINGS) return verdict;
  const stream = findStream(streamId);
  const root: Root | null = stream == null ? null : findRoot(stream.rootId);
  const policy: Policy | null = root == null ? null : root.policy;
  if (root == null || policy == null) return verdict;
  if (verdict == Verdict.Wait && !enqueue(streamId, root, policy)) return turnAway(streamId, root.id);
  for (let i = 0; i < bill.notedCount; i++) if (i != bill.dryIndex) askAhead(root, policy, noted(i));
  if (verdict == Verdict.Wait && callsUnderWay < FEW_CALLS) askForLines();
  return verdict;
}

/** Puts the paused stream into the line of the counter that has no units; false when there is no room for one more. */
function enqueue(streamId: u32, root: Root, policy: Policy): bool {
  const counter = noted(bill.dryIndex);
  if (!mayWait(counter.consumerId)) return false;
  const timeoutNanoseconds = <i64>policy.tables.rateLimitService.timeoutMilliseconds * 1_000_000;
  join(streamId, root.id, counter, currentTimeNanoseconds(), timeoutNanoseconds);
  policy.account.counters.service.tally.add(Count.Waits, 1);
  root.hurry();
  return true;
}

/** Asks for more of a counter that runs low, unless a call already does. */
function askAhead(root: Root, policy: Policy, counter: Counter): void {
  const service = policy.account.rateLimitService;
  const slot = freeSlot();
  if (service == null || slot == NONE) return;
  resetArena();
  if (claim(policy.account.counters.service, counter, emptyCall(slot), 1, currentTimeNanoseconds()) == Claim.Made)
    service.send(policy.tables, root.id, slot);
}

/** Begins calls for lines in `ToAsk`. Lines that need the same number of units share a call. */
function askForLines(): void {
  let asks = MAX_ASKS;
  while (asks > 0) {
    const line = lineToAsk();
    if (line == null || isTooSoon()) return;
    const policy = policyOf(line.rootId);
    const service: RateLimitService | null = policy == null ? null : policy.account.rateLimitService;
    if (policy == null || service == null || line.api == NONE) {
      cannotAsk(line);
      asks--;
      continue;
    }
    const slot = freeSlot();
    if (slot == NONE) return;
    const call = emptyCall(slot);
    const rootId = line.rootId;
    asks -= fillCall(call, policy.account.counters.service, rootId, asks, currentTimeNanoseconds());
    if (call.count > 0) service.send(policy.tables, rootId, slot);
  }
}

function isTooSoon(): bool {
  if (callsUnderWay < FEW_CALLS || linesToAsk >= MAX_CALL_COUNTERS) return false;
  const since = currentTimeNanoseconds() - lastBegunAtNanoseconds;
  return since >= 0 && since < PAUSE_NANOSECONDS * callsUnderWay;
}

/** After an answer or on a tick: decides again the requests whose turn it is. */
export function resumeAnswered(): void {
  if (waiting == 0) return;
  callsFirst = runRound();
  if (!callsFirst) askForLines();
}

/** What a tick does for waiting requests; true while there are any. */
export function resumeWaiting(): bool {
  if (waiting == 0) return false;
  if (callsFirst && lineToAsk() != null) {
    callsFirst = false;
    askForLines();
  } else resumeAnswered();
  return true;
}

/** Takes all turns of a round; true when a reply was sent. */
function runRound(): bool {
  const now = currentTimeNanoseconds();
  let replied = false;
  beginRound(now);
  for (let turn = nextTurn(); turn != Turn.None; turn = nextTurn()) {
    if (turn == Turn.Look) {
      const account = accountOf(turnLine.rootId);
      lookAtTurn(account == null ? null : account.counters.service);
    } else if (decide(turnWaiter, turn == Turn.Due, now) == Verdict.Deny) replied = true;
  }
  return replied;
}

/** Decides a waiting request again, and resumes or refuses it unless it must wait on. */
function decide(waiter: Waiter, isDue: bool, now: i64): Verdict {
  resetArena();
  const streamId = waiter.streamId;
  const rootId = waiter.rootId;
  if (!setEffectiveContext(streamId)) {
    leave(waiter);
    return Verdict.Wait;
  }
  const account = accountOf(rootId);
  let patience = Patience.Wait;
  if (isDue) patience = account == null ? Patience.Unanswered : patienceAtEnd(waiter, account.counters.service);
  let verdict = decideAgain(streamId, rootId, patience);
  if (verdict == Verdict.Wait && !isDue) {
    stay(waiter, noted(bill.dryIndex));
    return Verdict.Wait;
  }
  if (verdict == Verdict.Wait) verdict = turnAway(streamId, rootId);
  if (account != null) {
    const tally = account.counters.service.tally;
    tally.add(Count.WaitMilliseconds, max<i64>(0, now - waiter.sinceNanoseconds) / 1_000_000);
    if (isDue) tally.add(Count.WaitTimeouts, 1);
  }
  leave(waiter);
  if (verdict == Verdict.Allow) continueRequest();
  return verdict;
}

function accountOf(rootId: u32): Account | null {
  const policy = policyOf(rootId);
  return policy == null ? null : policy.account;
}
