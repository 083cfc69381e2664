import { resetArena } from "../bytes/arena";
import { View } from "../bytes/view";
import { MAX_ATTEMPTS, WriteResult, openCell, writeCell } from "../shared/shard";
import { Window } from "../tables/quota";
import { NANOSECONDS, nominalSeconds, windowEnd, windowStart } from "../time/window";
import { Answer, AnswerVerdict, answerAt, readAnswer } from "./answer";
import { Call, Counter, counterOf, unclaim } from "./call";
import { Count, ServiceState } from "./service";
import { REFUSAL_NANOSECONDS, Stock, WHOLE_SHARE, asStock, isOpen } from "./stock";

/** Enough for any real rate, and low enough that products with a time stay far below 2^63. */
const MAX_DECLINE: i64 = 1 << 32;
/** Added to how long a refusal holds, so that Envoys that were refused at the same moment do not all ask again at once. */
const REFUSAL_SPREAD_NANOSECONDS: u64 = 10 * <u64>NANOSECONDS;
/** How long no call is made for a counter that the service does not know: its new configuration may be on its way. */
const UNKNOWN_NANOSECONDS: i64 = 5 * NANOSECONDS;
/** A service that has answered within this time is up. */
const ANSWERED_NANOSECONDS: i64 = 10 * NANOSECONDS;
/** Bounds of the pause while the two clocks disagree about the window. */
const SHORTEST_PAUSE_NANOSECONDS: i64 = NANOSECONDS / 200;
const LONGEST_PAUSE_NANOSECONDS: i64 = NANOSECONDS;
/** For how long each call asks for one unit after the service has counted fewer units than it was asked for. */
const SINGLE_NANOSECONDS: i64 = 60 * NANOSECONDS;
/** Ends that differ by less belong to the same window: answers are exact only to the second. Half a second for windows of one. */
const SAME_END_NANOSECONDS: i64 = (3 * NANOSECONDS) / 2;

/** Records the answer to a call. Only what the answer grants explicitly counts. Resets the arena once the answer is read. */
export function settle(service: ServiceState, call: Call, bytes: View, now: i64): AnswerVerdict {
  readAnswer(bytes, call.count);
  let worst = AnswerVerdict.Granted;
  for (let i = 0; i < call.count; i++) worst = max(worst, answerAt(i).verdict);
  if (worst == AnswerVerdict.Malformed) {
    service.tally.add(Count.Failed, 1);
    giveUp(service, call, now);
    return worst;
  }
  let known = false;
  for (let i = 0; i < call.count; i++) {
    resetArena();
    if (!book(service, call, counterOf(call, i), answerAt(i), now)) worst = AnswerVerdict.Unlimited;
    else known = true;
  }
  if (known) service.outage.noteAnswer(now);
  // A service that does not know one quota may still answer for others, so that alone is no outage.
  else if (now - service.outage.answeredAtNanoseconds > ANSWERED_NANOSECONDS)
    service.outage.noteFailure(call.sentAtNanoseconds, now);
  return worst;
}

/** Records that a call has ended without an answer. If the service has counted the units, they are lost. */
export function fail(service: ServiceState, call: Call, now: i64): void {
  service.tally.add(Count.Failed, 1);
  giveUp(service, call, now);
}

function giveUp(service: ServiceState, call: Call, now: i64): void {
  service.outage.noteFailure(call.sentAtNanoseconds, now);
  unclaim(service, call, now);
}

/** Records the answer about one counter; false when the service does not know it. */
function book(service: ServiceState, call: Call, counter: Counter, answer: Answer, now: i64): bool {
  const ends = endOfWindow(service, call, counter, answer, now);
  let accepted: i64 = 0;
  let isSpent = answer.verdict == AnswerVerdict.Refused;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = openCell(service.stocks, counter, now / NANOSECONDS);
    if (cell == null) return true;
    const stock = asStock(cell);
    if (stock.askedAtNanoseconds == call.sentAtNanoseconds) stock.askedAtNanoseconds = 0;
    if (answer.verdict == AnswerVerdict.Unlimited) noteUnknown(stock, now);
    else if (ends <= now) notePastWindow(stock, counter, answer, now);
    else {
      openUntil(stock, ends, counter.window, now);
      accepted = addGranted(service, stock, call, counter, answer, now);
      isSpent = answer.verdict == AnswerVerdict.Refused || stock.used >= counter.limit;
      if (isSpent) noteRefusal(service, stock, counter, answer, now);
      else if (stock.refusedForLimit == 0 || stock.refusedForLimit >= counter.limit) forgetRefusal(stock);
    }
    stock.overAtSeconds = max(now, stock.endsAtNanoseconds) / NANOSECONDS + 1;
    const result = writeCell(service.stocks, now / NANOSECONDS);
    if (result == WriteResult.Failed) return true;
    if (result == WriteResult.Stored) break;
  }
  if (accepted > 0) service.tally.add(Count.GrantedUnits, accepted);
  if (isSpent && accepted < max<i64>(1, call.units)) service.tally.add(Count.Refused, 1);
  else if (accepted == 0 && call.units > 0 && ends > now) {
    service.tally.add(Count.Unlimited, 1);
    return false;
  }
  return true;
}

/** The service has no limit for the counter: for a while the quota's failure mode decides, without further calls. */
function noteUnknown(stock: Stock, now: i64): void {
  stock.refusedForLimit = 0;
  stock.refusedUntilNanoseconds = now + UNKNOWN_NANOSECONDS;
}

/**
 * The answer is about a window that may be over: near the end of a window, the service's clock and this Envoy's can disagree about
 * which one it is. The units granted cannot be used, and a refusal says nothing about the next window. The pause before the next
 * call equals the time since the window ended by this Envoy's clock, so it doubles, and a few calls bridge any difference.
 */
function notePastWindow(stock: Stock, counter: Counter, answer: Answer, now: i64): void {
  let since = now - stock.endsAtNanoseconds;
  if (since > LONGEST_PAUSE_NANOSECONDS * 2) {
    stock.endsAtNanoseconds = now;
    stock.held = 0;
    since = 0;
  }
  // If a new window has opened in the meantime, its units stay: this late answer is not about them.
  const until = now + max(SHORTEST_PAUSE_NANOSECONDS, min(since, LONGEST_PAUSE_NANOSECONDS));
  stock.answeredAtNanoseconds = now;
  stock.limit = answer.limit;
  if (answer.verdict == AnswerVerdict.Refused) {
    stock.refusedForLimit = counter.limit;
    stock.refusedUntilNanoseconds = until;
  } else stock.pausedUntilNanoseconds = until;
}

/**
 * Nothing is left of the limit in the window: the refusal holds until it ends, or until it is time to look again. It holds for every
 * limit that is used up. A service that refuses by a lower limit of its own does not say how much is used.
 */
function noteRefusal(service: ServiceState, stock: Stock, counter: Counter, answer: Answer, now: i64): void {
  const spread = <i64>(service.outage.random(now) % REFUSAL_SPREAD_NANOSECONDS);
  stock.refusedForLimit = answer.verdict == AnswerVerdict.Refused ? max(stock.used, counter.limit) : stock.used;
  stock.refusedUntilNanoseconds = min(stock.endsAtNanoseconds, now + REFUSAL_NANOSECONDS + spread);
}

/** There is a limit at the service, and units are left of it. */
function forgetRefusal(stock: Stock): void {
  stock.refusedForLimit = 0;
  stock.refusedUntilNanoseconds = 0;
}

/** Prepares the stock for the window that ends at `endsAt`; units of another window are dropped. */
function openUntil(stock: Stock, endsAt: i64, window: Window, now: i64): void {
  const apart = endsAt - stock.endsAtNanoseconds;
  const most = min(SAME_END_NANOSECONDS, (nominalSeconds(window) * NANOSECONDS) / 2);
  if (isOpen(stock, now) && apart < most && apart > -most) return;
  stock.endsAtNanoseconds = endsAt;
  stock.held = 0;
  stock.granted = 0;
  stock.used = 0;
  stock.topUnits = 0;
  stock.declinePerSecond = 0;
  forgetRefusal(stock);
}

/**
 * Adds the granted units to the stock and returns how many: those of the call whose number is within the policy's limit, however high
 * the service's own is. The service's own count must have risen by at least as many as the call asked for. If it has not, the service
 * counts calls instead of units: then at most one unit is accepted, and for a while each call asks for one.
 */
function addGranted(service: ServiceState, stock: Stock, call: Call, counter: Counter, answer: Answer, now: i64): i64 {
  const used = answer.limit - answer.remaining;
  const isReset = used < stock.used;
  // A count that has fallen was reset: the service has lost its data.
  const risen = isReset ? used : used - stock.used;
  // Units of a higher limit have numbers that mean nothing any more.
  if (isReset && stock.topUnits > counter.limit) stock.held = 0;
  const isCounted = risen >= call.units;
  const isGranted = answer.verdict == AnswerVerdict.Granted;
  if (isGranted && !isCounted) service.singleUntilNanoseconds = now + SINGLE_NANOSECONDS;
  const within = max<i64>(0, min(call.units, counter.limit - (used - call.units)));
  const accepted = isGranted ? min(within, isCounted ? call.units : min<i64>(1, risen)) : 0;
  // What is owed has been counted now, also where it is past the limit: it must not be asked for again when the limit is raised.
  const owed = max<i64>(0, -stock.held);
  const paid = isGranted && isCounted ? min(owed, call.units) : 0;
  if (accepted > 0) stock.topUnits = max(stock.held > 0 ? stock.topUnits : 0, min(used, counter.limit));
  const tookMilliseconds = (now - stock.answeredAtNanoseconds) / 1_000_000;
  stock.declinePerSecond =
    stock.used > 0 && tookMilliseconds > 0 ? min(((risen - accepted) * 1000) / tookMilliseconds, MAX_DECLINE) : 0;
  stock.limit = answer.limit;
  stock.used = used;
  stock.held += max(accepted, paid);
  stock.granted += accepted;
  stock.share = max<i64>(1, min(WHOLE_SHARE, share(stock.granted, used)));
  stock.answeredAtNanoseconds = now;
  stock.heldAfterGrant = stock.held;
  if (accepted > 0) stock.lastUnits = max<i64>(1, accepted - owed);
  return accepted;
}

function share(granted: i64, used: i64): i64 {
  // Halved until the product fits into 64 bits: counts go up to 2^53.
  while (granted > 1 << 40) {
    granted >>= 1;
    used >>= 1;
  }
  return used <= 0 ? WHOLE_SHARE : (granted * WHOLE_SHARE) / used;
}

/**
 * When the answer's window ends, or a little before; a time up to `now` means that its units cannot safely be used any more. The
 * service gives the remaining time in whole seconds, rounded up, as of some moment between the call and the answer, so the
 * end lies between two times. If a window ends between them by this Envoy's clock, that is the end, corrected by the known
 * difference between the clocks. If none does, the earlier time is used, which gives up the uncertain second.
 */
function endOfWindow(service: ServiceState, call: Call, counter: Counter, answer: Answer, now: i64): i64 {
  const earliest = call.sentAtNanoseconds + (answer.resetSeconds - 1) * NANOSECONDS;
  const latest = now + answer.resetSeconds * NANOSECONDS;
  const before = ownEnd(counter.window, call.sentAtNanoseconds);
  if (answer.resetSeconds == 0) return before;
  if (isAligned(counter.window)) {
    const end = nearestEnd(counter.window, earliest + (latest - earliest) / 2);
    if (service.clock.learn(earliest - end, latest - end, now)) return max(earliest, service.clock.endOf(end));
    return min(earliest, now + nominalSeconds(counter.window) * NANOSECONDS);
  }
  // When the window changed during the call and both ends fit, the units may belong to the past window, so they are given up.
  if (before > earliest && before <= latest) return before;
  const after = ownEnd(counter.window, now);
  if (after > earliest && after <= latest) return after;
  return min(earliest, now + nominalSeconds(counter.window) * NANOSECONDS);
}

/** Windows that every service aligns in the same way, and that are long enough to tell one from the next. */
function isAligned(window: Window): bool {
  return window == 60 || window == 3600 || window == 86400;
}

/** The window boundary closest to `time` by this Envoy's clock. */
function nearestEnd(window: Window, time: i64): i64 {
  const start = windowStart(window, time / NANOSECONDS);
  const end = windowEnd(window, start) * NANOSECONDS;
  return time - start * NANOSECONDS < end - time ? start * NANOSECONDS : end;
}

/** When the window that holds `time` ends by this Envoy's clock. */
function ownEnd(window: Window, time: i64): i64 {
  return windowEnd(window, windowStart(window, time / NANOSECONDS)) * NANOSECONDS;
}
