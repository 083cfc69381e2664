import {
  Call,
  Claim,
  Count,
  Counter,
  LineState,
  MAX_CALL_COUNTERS,
  NONE,
  Patience,
  Prospect,
  bill,
  claim,
  decision,
  findWaiter,
  firstOf,
  isAnswered,
  join,
  leave,
  lines,
  linesToAsk,
  mayWait,
  nextDue,
  noted,
  prospect,
  resetArena,
  setState,
  waitFor,
  waiters,
  waiting,
} from "../filter/index";
import { Account } from "./account";
import { callsUnderWay, freeSlot, lastBegunAtNanoseconds } from "./callout";
import { Root, findRoot, findStream } from "./context";
import { continueRequest, currentTimeNanoseconds, setEffectiveContext } from "./host";
import { RateLimitService, emptyCall } from "./rateLimitService";
import { Verdict, decideAgain, turnAway } from "./request";

/**
 * Requests that wait for the rate limit service are decided anew when it is the turn of their line, and at the latest when they have waited
 * long enough. What one callback does is bounded, however many wait: the host carries replies out after the callback, one inside
 * the other, and about 350 would exceed its stack. The rest has its turn at the next ticks, which come fast while somebody waits.
 */
const MAX_RESUMED = 32;
/** Lines that wait for another worker's call, which cannot wake this one, are looked at in turn. */
const MAX_LOOKS = 16;

/** Replies keep calls from beginning in the same callback, so after some, the next tick begins calls first. */
let callsFirst = false;

/** While fewer calls are under way, a request that finds its counter dry has a call begun for it at once; later ones share calls. */
const FEW_CALLS = 8;
/**
 * Beyond that the pause between two calls grows with the calls under way, so that a slow service is asked for more in each call before
 * there are no calls left. A call that is full is not kept waiting.
 */
const PAUSE_NANOSECONDS: i64 = 500_000;
/** Lines that one callback calls for at most. */
const MAX_ASKS = 32;

/**
 * Does what the decision about a new request leaves to do: a place in a line if it has to wait, and calls for counters that are dry or
 * run low. What comes of the request in the end.
 */
export function attend(streamId: u32, verdict: Verdict): Verdict {
  // What is noted is of an earlier request unless this one came to its plan's quotas.
  if (verdict == Verdict.Deny || bill.notedCount == 0 || decision.plan == NONE) return verdict;
  const stream = findStream(streamId);
  const root: Root | null = stream == null ? null : findRoot(stream.rootId);
  const account: Account | null = root == null ? null : root.account;
  if (root == null || account == null) return verdict;
  if (verdict == Verdict.Wait && !keep(streamId, root, account)) return turnAway(streamId, root.id);
  for (let i = 0; i < bill.notedCount; i++) if (i != bill.dryIndex) askAhead(root, account, noted(i));
  if (verdict == Verdict.Wait && callsUnderWay < FEW_CALLS) askForLines();
  return verdict;
}

/** Puts the paused stream into the line of the counter that its decision found dry; false when there is no room for one more. */
function keep(streamId: u32, root: Root, account: Account): bool {
  const tables = root.tables;
  const counter = noted(bill.dryIndex);
  if (tables == null || !mayWait(counter.consumerId)) return false;
  const now = currentTimeNanoseconds();
  join(streamId, root.id, counter, now, now + <i64>tables.rateLimitService.timeoutMilliseconds * 1_000_000);
  account.counters.service.tally.add(Count.Waits, 1);
  root.hurry();
  return true;
}

/** Asks for more of a counter that runs low, unless that is under way. */
function askAhead(root: Root, account: Account, counter: Counter): void {
  const tables = root.tables;
  const service = account.rateLimitService;
  const slot = freeSlot();
  if (tables == null || service == null || slot == NONE) return;
  resetArena();
  if (claim(account.counters.service, counter, emptyCall(slot), 1, currentTimeNanoseconds()) == Claim.Made)
    service.send(tables, root.id, slot);
}

/** Calls for lines that have not asked, as many in one call as the rate limit service is asked the same number of units for. */
function askForLines(): void {
  let asks = MAX_ASKS;
  while (asks > 0) {
    const index = firstOf(LineState.ToAsk);
    if (index == NONE || isTooSoon()) return;
    const root = findRoot(lines.at(index).rootId);
    const account: Account | null = root == null ? null : root.account;
    const service: RateLimitService | null = account == null ? null : account.rateLimitService;
    if (root == null || account == null || service == null || lines.at(index).plan == NONE) {
      setState(index, LineState.Ready);
      asks--;
      continue;
    }
    const tables = root.tables;
    const slot = freeSlot();
    if (slot == NONE || tables == null) return;
    const call = emptyCall(slot);
    asks -= gather(root, account, call, asks);
    if (call.count > 0) service.send(tables, root.id, slot);
  }
}

function isTooSoon(): bool {
  if (callsUnderWay < FEW_CALLS || linesToAsk >= MAX_CALL_COUNTERS) return false;
  const since = currentTimeNanoseconds() - lastBegunAtNanoseconds;
  return since >= 0 && since < PAUSE_NANOSECONDS * callsUnderWay;
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
    const result = claim(account.counters.service, line, call, line.count, now);
    if (result == Claim.Apart) break;
    setState(
      index,
      result == Claim.Made ? LineState.Asked : result == Claim.Asked ? LineState.Elsewhere : LineState.Ready,
    );
    count++;
  }
  return count;
}

/** Decides those anew whose turn has come with an answer. */
export function resumeAnswered(): void {
  if (waiting == 0) return;
  callsFirst = resume();
  if (!callsFirst) askForLines();
}

/** What a tick does for those who wait; true while there are some. */
export function resumeWaiting(): bool {
  if (waiting == 0) return false;
  if (callsFirst && firstOf(LineState.ToAsk) != NONE) {
    callsFirst = false;
    askForLines();
    return true;
  }
  resumeAnswered();
  return true;
}

/** The stream has ended, or the host has answered it in our place: nothing of it may be touched any more. */
export function forgetStream(streamId: u32): void {
  if (waiting == 0) return;
  const index = findWaiter(streamId);
  if (index != NONE) leave(index);
}

/** True when a reply was sent. */
function resume(): bool {
  const now = currentTimeNanoseconds();
  let left = MAX_RESUMED;
  let replied = false;
  for (let index = nextDue(); left > 0 && index != NONE && isDue(index, now); index = nextDue(), left--) {
    if (decide(index, true, now) == Verdict.Deny) replied = true;
  }
  lookElsewhere(now);
  for (let line = firstOf(LineState.Ready); left > 0 && line != NONE; line = firstOf(LineState.Ready), left--) {
    // To the end: lines take turns.
    setState(line, LineState.Ready);
    if (decide(lines.at(line).first, false, now) == Verdict.Deny) replied = true;
  }
  return replied;
}

/** A clock that was set back makes everybody due. */
function isDue(index: i32, now: i64): bool {
  const waiter = waiters.at(index);
  return now >= waiter.untilNanoseconds || now < waiter.sinceNanoseconds;
}

function lookElsewhere(now: i64): void {
  let last = NONE;
  for (
    let looks = MAX_LOOKS, line = firstOf(LineState.Elsewhere);
    looks > 0 && line != NONE && line != last;
    looks--, line = firstOf(LineState.Elsewhere)
  ) {
    const account = accountOf(lines.at(line).rootId);
    resetArena();
    const seen = account == null ? Prospect.Try : prospect(account.counters.service, lines.at(line), now);
    setState(
      line,
      seen == Prospect.Try ? LineState.Ready : seen == Prospect.Ask ? LineState.ToAsk : LineState.Elsewhere,
    );
    // Once round is enough.
    if (last == NONE && seen == Prospect.None) last = line;
  }
}

/** Decides a waiting request anew and lets it go on, unless it has to wait longer. */
function decide(index: i32, due: bool, now: i64): Verdict {
  resetArena();
  const waiter = waiters.at(index);
  const streamId = waiter.streamId;
  const rootId = waiter.rootId;
  const since = waiter.sinceNanoseconds;
  if (!setEffectiveContext(streamId)) {
    leave(index);
    return Verdict.Wait;
  }
  const account = accountOf(rootId);
  let verdict = decideAgain(streamId, rootId, due ? patienceAtEnd(index, account, now) : Patience.Wait);
  if (verdict == Verdict.Wait && !due) {
    const line = waitFor(index, noted(bill.dryIndex));
    if (lines.at(line).state == LineState.Ready) setState(line, LineState.ToAsk);
    return Verdict.Wait;
  }
  if (verdict == Verdict.Wait) verdict = turnAway(streamId, rootId);
  leave(index);
  if (account != null) {
    account.counters.service.tally.add(Count.WaitMilliseconds, max<i64>(0, now - since) / 1_000_000);
    if (due) account.counters.service.tally.add(Count.WaitTimeouts, 1);
  }
  if (verdict == Verdict.Allow) continueRequest();
  return verdict;
}

/** A request has waited long enough: because others were quicker, because nobody answers, or because nobody could ask? */
function patienceAtEnd(index: i32, account: Account | null, now: i64): Patience {
  if (account == null) return Patience.Unanswered;
  const waiter = waiters.at(index);
  const line = lines.at(waiter.line);
  if (isAnswered(account.counters.service, line.consumerId, line.meter, waiter.sinceNanoseconds))
    return Patience.Contended;
  if (line.state == LineState.ToAsk && !account.counters.service.outage.isDown(now)) return Patience.Wait;
  // One slow call is no outage while others are answered.
  const outage = account.counters.service.outage;
  if (outage.answeredAtNanoseconds < waiter.sinceNanoseconds) outage.noteFailure(waiter.sinceNanoseconds, now);
  return Patience.Unanswered;
}

function accountOf(rootId: u32): Account | null {
  const root = findRoot(rootId);
  return root == null ? null : root.account;
}
