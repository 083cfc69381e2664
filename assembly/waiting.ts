import {
  Count,
  LineState,
  NONE,
  Patience,
  Prospect,
  dryIndex,
  findWaiter,
  firstOf,
  isAnswered,
  leave,
  lines,
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
import { findRoot } from "./context";
import { continueRequest, currentTimeNanoseconds, setEffectiveContext } from "./host";
import { askForWaiting } from "./rateLimitService";
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

/** Decides those anew whose turn has come with an answer. */
export function resumeAnswered(): void {
  if (waiting == 0) return;
  callsFirst = resume();
  if (!callsFirst) askForWaiting();
}

/** What a tick does for those who wait; true while there are some. */
export function resumeWaiting(): bool {
  if (waiting == 0) return false;
  if (callsFirst && firstOf(LineState.ToAsk) != NONE) {
    callsFirst = false;
    askForWaiting();
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
    const seen = account == null ? Prospect.Try : prospect(account.counters, lines.at(line), now);
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
    const line = waitFor(index, noted(dryIndex));
    if (lines.at(line).state == LineState.Ready) setState(line, LineState.ToAsk);
    return Verdict.Wait;
  }
  if (verdict == Verdict.Wait) verdict = turnAway(streamId, rootId);
  leave(index);
  if (account != null) {
    account.counters.tally.add(Count.WaitMilliseconds, max<i64>(0, now - since) / 1_000_000);
    if (due) account.counters.tally.add(Count.WaitTimeouts, 1);
  }
  if (verdict == Verdict.Allow) continueRequest();
  return verdict;
}

/** A request has waited long enough: because others were quicker, because nobody answers, or because nobody could ask? */
function patienceAtEnd(index: i32, account: Account | null, now: i64): Patience {
  if (account == null) return Patience.Unanswered;
  const waiter = waiters.at(index);
  const line = lines.at(waiter.line);
  if (isAnswered(account.counters, line.consumerId, line.meter, waiter.sinceNanoseconds)) return Patience.Contended;
  if (line.state == LineState.ToAsk && !account.counters.outage.isDown(now)) return Patience.Wait;
  // One slow call is no outage while others are answered.
  const outage = account.counters.outage;
  if (outage.answeredAt < waiter.sinceNanoseconds) outage.noteFailure(waiter.sinceNanoseconds, now);
  return Patience.Unanswered;
}

function accountOf(rootId: u32): Account | null {
  const root = findRoot(rootId);
  return root == null ? null : root.account;
}
