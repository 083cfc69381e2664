import { resetArena } from "../bytes/arena";
import { View } from "../bytes/view";
import { Counters } from "../quota/counters";
import { WriteResult } from "../quota/shardStore";
import { MAX_ATTEMPTS, openCell, writeCell } from "../quota/store";
import { nominalSeconds, windowEnd, windowStart } from "../quota/window";
import { WindowKind } from "../tables/record";
import { Answer, Verdict, answerAt, readAnswer } from "./answer";
import { Counter } from "./ask";
import { Call, counterOf } from "./call";
import { unclaim } from "./claim";
import { Stock, WHOLE_SHARE, asStock, isOpen } from "./stock";
import { Count } from "./tally";

const NANOSECONDS: i64 = 1_000_000_000;
/** Faster is as good as at once, and products with a time stay far below 2^63. */
const MAX_DECLINE: i64 = 1 << 32;
/**
 * A refusal is believed this long at most: somebody may have raised the limit at the service. The random part keeps those who
 * were refused together from asking again together.
 */
const REFUSAL_NANOSECONDS: i64 = 30_000_000_000;
const REFUSAL_SPREAD_NANOSECONDS: u64 = 10_000_000_000;
/** How long a counter that the rate limit service does not know is not asked for: its configuration may be on its way. */
const UNKNOWN_NANOSECONDS: i64 = 5_000_000_000;
/** A rate limit service that has answered so lately is there. */
const ANSWERED_NANOSECONDS: i64 = 10_000_000_000;
/** Pauses while clocks disagree about the window. */
const SHORTEST_PAUSE_NANOSECONDS: i64 = 5_000_000;
const LONGEST_PAUSE_NANOSECONDS: i64 = 1_000_000_000;
/** How long a service is asked for single units after it has counted fewer than it was asked for. */
const SINGLE_NANOSECONDS: i64 = 60_000_000_000;
/** Ends that differ by no more are of the same window, known to the second; windows of a second are told apart. */
const SAME_END_NANOSECONDS: i64 = 1_500_000_000;

/** Books the answer to a call. What it does not say in so many words is no grant. Resets the arena after the answer is read. */
export function settle(counters: Counters, call: Call, bytes: View, now: i64): Verdict {
  readAnswer(bytes, call.count);
  let worst = Verdict.Granted;
  for (let i = 0; i < call.count; i++) worst = max(worst, answerAt(i).verdict);
  if (worst == Verdict.Malformed) {
    counters.tally.add(Count.Failed, 1);
    giveUp(counters, call, now);
    return worst;
  }
  let known = false;
  for (let i = 0; i < call.count; i++) {
    resetArena();
    if (!book(counters, call, counterOf(call, i), answerAt(i), now)) worst = Verdict.Unlimited;
    else known = true;
  }
  if (known) counters.outage.noteAnswer(now);
  // A quota that the rate limit service does not know is no outage for those that it does.
  else if (now - counters.outage.answeredAt > ANSWERED_NANOSECONDS)
    counters.outage.noteFailure(call.sentAtNanoseconds, now);
  return worst;
}

/** Books that a call has ended without an answer. What it asked for may have been counted: that is lost. */
export function fail(counters: Counters, call: Call, now: i64): void {
  counters.tally.add(Count.Failed, 1);
  giveUp(counters, call, now);
}

function giveUp(counters: Counters, call: Call, now: i64): void {
  counters.outage.noteFailure(call.sentAtNanoseconds, now);
  unclaim(counters, call, now);
}

/** True when the rate limit service knows the counter. */
function book(counters: Counters, call: Call, counter: Counter, answer: Answer, now: i64): bool {
  const ends = endOfWindow(counters, call, counter, answer, now);
  let accepted: i64 = 0;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = openCell(counters.stocks, counter.consumerId, counter.meter, now / NANOSECONDS);
    if (cell == null) return true;
    const stock = asStock(cell);
    if (stock.askedAtNanoseconds == call.sentAtNanoseconds) stock.askedAtNanoseconds = 0;
    if (answer.verdict == Verdict.Unlimited) forgo(stock, now);
    else if (ends <= now) comeAgain(stock, counter, answer, now);
    else {
      openUntil(stock, ends, counter.window, now);
      accepted = take(counters, stock, call, answer, now);
      if (answer.verdict == Verdict.Refused) refuse(counters, stock, counter, now);
    }
    stock.overAtSeconds = max(now, stock.endsAtNanoseconds) / NANOSECONDS + 1;
    const result = writeCell(counters.stocks, now / NANOSECONDS);
    if (result == WriteResult.Failed) return true;
    if (result == WriteResult.Stored) break;
  }
  if (answer.verdict == Verdict.Refused) counters.tally.add(Count.Refused, 1);
  else if (accepted > 0) counters.tally.add(Count.GrantedUnits, accepted);
  else if (ends > now) {
    counters.tally.add(Count.Unlimited, 1);
    return false;
  }
  return true;
}

/** The rate limit service knows no limit for the counter: the quota's failure mode decides for a while, without a call for each request. */
function forgo(stock: Stock, now: i64): void {
  stock.refusedForLimit = 0;
  stock.refusedUntilNanoseconds = now + UNKNOWN_NANOSECONDS;
}

/**
 * The answer speaks of a window that may be over: near its end the clocks of the rate limit service and of this Envoy disagree about which one
 * it is. Units of it cannot be used, and a refusal says nothing about the next. The rate limit service is asked again after as long as it
 * has been since the window's end by this Envoy's clock, so a few calls bridge any difference.
 */
function comeAgain(stock: Stock, counter: Counter, answer: Answer, now: i64): void {
  let since = now - stock.endsAtNanoseconds;
  if (since > LONGEST_PAUSE_NANOSECONDS * 2) {
    stock.endsAtNanoseconds = now;
    stock.held = 0;
    since = 0;
  }
  // Units of a window that has opened meanwhile stay: the answer is late and not about them.
  const until = now + max(SHORTEST_PAUSE_NANOSECONDS, min(since, LONGEST_PAUSE_NANOSECONDS));
  stock.answeredAtNanoseconds = now;
  stock.limit = answer.limit;
  if (answer.verdict == Verdict.Refused) {
    stock.refusedForLimit = counter.limit;
    stock.refusedUntilNanoseconds = until;
  } else stock.pausedUntilNanoseconds = until;
}

/** Nothing is left in the window. */
function refuse(counters: Counters, stock: Stock, counter: Counter, now: i64): void {
  const spread = <i64>(counters.outage.random(now) % REFUSAL_SPREAD_NANOSECONDS);
  stock.refusedForLimit = counter.limit;
  stock.refusedUntilNanoseconds = min(stock.endsAtNanoseconds, now + REFUSAL_NANOSECONDS + spread);
}

/** Makes the stock ready for the window that ends then: nothing of another window is held. */
function openUntil(stock: Stock, endsAt: i64, window: WindowKind, now: i64): void {
  const apart = endsAt - stock.endsAtNanoseconds;
  const most = min(SAME_END_NANOSECONDS, (nominalSeconds(window) * NANOSECONDS) / 2);
  if (isOpen(stock, now) && apart < most && apart > -most) return;
  stock.endsAtNanoseconds = endsAt;
  stock.held = 0;
  stock.granted = 0;
  stock.used = 0;
  stock.declinePerSecond = 0;
}

/**
 * Adds what the answer grants to the stock. The service's own count must have risen by as much: when it has not, the service does
 * not know how many were asked for, and counts one for a call. Then one unit is taken, and no more are asked for in one call.
 */
function take(counters: Counters, stock: Stock, call: Call, answer: Answer, now: i64): i64 {
  const used = answer.limit - answer.remaining;
  // A count that has fallen began anew, in a service that lost its memory.
  const risen = used >= stock.used ? used - stock.used : used;
  const isCounted = risen >= call.units;
  if (answer.verdict == Verdict.Granted && !isCounted) counters.singleUntil = now + SINGLE_NANOSECONDS;
  const accepted = answer.verdict != Verdict.Granted ? 0 : isCounted ? call.units : min<i64>(1, risen);
  const took = (now - stock.answeredAtNanoseconds) / 1_000_000;
  stock.declinePerSecond = stock.used > 0 && took > 0 ? min(((risen - accepted) * 1000) / took, MAX_DECLINE) : 0;
  stock.limit = answer.limit;
  stock.used = used;
  stock.held += accepted;
  stock.granted += accepted;
  stock.share = max<i64>(1, min(WHOLE_SHARE, share(stock.granted, used)));
  stock.answeredAtNanoseconds = now;
  stock.heldThen = stock.held;
  if (accepted > 0) stock.lastUnits = accepted;
  return accepted;
}

function share(granted: i64, used: i64): i64 {
  // Halved until the product fits: counts go up to 2^53.
  while (granted > 1 << 40) {
    granted >>= 1;
    used >>= 1;
  }
  return used <= 0 ? WHOLE_SHARE : (granted * WHOLE_SHARE) / used;
}

/**
 * When the window ends that the answer speaks of, or a little before: now or earlier when nothing of it can be used for sure. The
 * service says how long it goes on in whole seconds, rounded up, counted from some moment between the call and its answer. An end
 * by this Envoy's clock that fits is exact as far as the clocks are known to agree; when none fits, the uncertain second is
 * given up.
 */
function endOfWindow(counters: Counters, call: Call, counter: Counter, answer: Answer, now: i64): i64 {
  const earliest = call.sentAtNanoseconds + (answer.resetSeconds - 1) * NANOSECONDS;
  const latest = now + answer.resetSeconds * NANOSECONDS;
  const before = ownEnd(counter.window, call.sentAtNanoseconds);
  if (answer.resetSeconds == 0) return before;
  if (isAligned(counter.window)) {
    const end = nearestEnd(counter.window, earliest + (latest - earliest) / 2);
    if (counters.serviceClock.learn(earliest - end, latest - end, now))
      return max(earliest, counters.serviceClock.endOf(end));
    return min(earliest, now + nominalSeconds(counter.window) * NANOSECONDS);
  }
  // If the window changed meanwhile and both ends fit, the units may be of the one that is over, and go with it.
  if (before > earliest && before <= latest) return before;
  const after = ownEnd(counter.window, now);
  if (after > earliest && after <= latest) return after;
  return min(earliest, now + nominalSeconds(counter.window) * NANOSECONDS);
}

/** Windows that every service counts alike, and that are long enough to tell one from the next. */
function isAligned(window: WindowKind): bool {
  return window == WindowKind.Minute || window == WindowKind.Hour || window == WindowKind.Day;
}

/** The end of a window by this Envoy's clock that lies next to a time. */
function nearestEnd(window: WindowKind, time: i64): i64 {
  const start = windowStart(window, time / NANOSECONDS);
  const end = windowEnd(window, start) * NANOSECONDS;
  return time - start * NANOSECONDS < end - time ? start * NANOSECONDS : end;
}

function ownEnd(window: WindowKind, time: i64): i64 {
  return windowEnd(window, windowStart(window, time / NANOSECONDS)) * NANOSECONDS;
}
