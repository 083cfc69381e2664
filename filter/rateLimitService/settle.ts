import { resetArena } from "../bytes/arena";
import { View } from "../bytes/view";
import { MAX_ATTEMPTS, WriteResult, openCell, writeCell } from "../shared/shard";
import { WindowKind } from "../tables/record";
import { NANOSECONDS, nominalSeconds, windowEnd, windowStart } from "../time/window";
import { Answer, AnswerVerdict, answerAt, readAnswer } from "./answer";
import { Call, Counter, counterOf, unclaim } from "./call";
import { Count, ServiceState } from "./service";
import { Stock, WHOLE_SHARE, asStock, isOpen } from "./stock";

/** A faster decline makes no difference, and products with a time stay far below 2^63. */
const MAX_DECLINE: i64 = 1 << 32;
/**
 * A refusal is believed this long at most: somebody may have raised the limit at the service. The random part keeps Envoys that
 * were refused together from asking again together.
 */
const REFUSAL_NANOSECONDS: i64 = 30 * NANOSECONDS;
const REFUSAL_SPREAD_NANOSECONDS: u64 = 10 * <u64>NANOSECONDS;
/** How long a counter that the service does not know is not asked for: the service's configuration may be on its way. */
const UNKNOWN_NANOSECONDS: i64 = 5 * NANOSECONDS;
/** A service that has answered within this time is there. */
const ANSWERED_NANOSECONDS: i64 = 10 * NANOSECONDS;
/** Pauses while the clocks disagree about the window. */
const SHORTEST_PAUSE_NANOSECONDS: i64 = NANOSECONDS / 200;
const LONGEST_PAUSE_NANOSECONDS: i64 = NANOSECONDS;
/** How long a service is asked for single units after it has counted fewer than it was asked for. */
const SINGLE_NANOSECONDS: i64 = 60 * NANOSECONDS;
/** Ends that differ by no more belong to the same window, known to the second; windows of a second are told apart. */
const SAME_END_NANOSECONDS: i64 = (3 * NANOSECONDS) / 2;

/** Books the answer to a call. Only what the answer says explicitly is a grant. Resets the arena once the answer is read. */
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
  // A service that does not know one quota may well answer for the others: that alone is no outage.
  else if (now - service.outage.answeredAtNanoseconds > ANSWERED_NANOSECONDS)
    service.outage.noteFailure(call.sentAtNanoseconds, now);
  return worst;
}

/** Books that a call has ended without an answer. The service may have counted the units: then they are lost. */
export function fail(service: ServiceState, call: Call, now: i64): void {
  service.tally.add(Count.Failed, 1);
  giveUp(service, call, now);
}

function giveUp(service: ServiceState, call: Call, now: i64): void {
  service.outage.noteFailure(call.sentAtNanoseconds, now);
  unclaim(service, call, now);
}

/** Books the answer about one counter; false when the service does not know it. */
function book(service: ServiceState, call: Call, counter: Counter, answer: Answer, now: i64): bool {
  const ends = endOfWindow(service, call, counter, answer, now);
  let accepted: i64 = 0;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = openCell(service.stocks, counter, now / NANOSECONDS);
    if (cell == null) return true;
    const stock = asStock(cell);
    if (stock.askedAtNanoseconds == call.sentAtNanoseconds) stock.askedAtNanoseconds = 0;
    if (answer.verdict == AnswerVerdict.Unlimited) forgo(stock, now);
    else if (ends <= now) comeAgain(stock, counter, answer, now);
    else {
      openUntil(stock, ends, counter.window, now);
      accepted = addGranted(service, stock, call, answer, now);
      if (answer.verdict == AnswerVerdict.Refused) noteRefusal(service, stock, counter, now);
    }
    stock.overAtSeconds = max(now, stock.endsAtNanoseconds) / NANOSECONDS + 1;
    const result = writeCell(service.stocks, now / NANOSECONDS);
    if (result == WriteResult.Failed) return true;
    if (result == WriteResult.Stored) break;
  }
  if (answer.verdict == AnswerVerdict.Refused) service.tally.add(Count.Refused, 1);
  else if (accepted > 0) service.tally.add(Count.GrantedUnits, accepted);
  else if (ends > now) {
    service.tally.add(Count.Unlimited, 1);
    return false;
  }
  return true;
}

/** The service knows no limit for the counter: for a while the quota's failure mode decides, without a call for each request. */
function forgo(stock: Stock, now: i64): void {
  stock.refusedForLimit = 0;
  stock.refusedUntilNanoseconds = now + UNKNOWN_NANOSECONDS;
}

/**
 * The answer is about a window that may be over: near its end, the clocks of the service and of this Envoy disagree about which
 * window it is. The units granted cannot be used, and a refusal says nothing about the next window. The pause before the next
 * call is as long as the time since the window's end by this Envoy's clock, so a few calls bridge any difference.
 */
function comeAgain(stock: Stock, counter: Counter, answer: Answer, now: i64): void {
  let since = now - stock.endsAtNanoseconds;
  if (since > LONGEST_PAUSE_NANOSECONDS * 2) {
    stock.endsAtNanoseconds = now;
    stock.held = 0;
    since = 0;
  }
  // Units of a window that has opened meanwhile stay: this answer is late, and not about them.
  const until = now + max(SHORTEST_PAUSE_NANOSECONDS, min(since, LONGEST_PAUSE_NANOSECONDS));
  stock.answeredAtNanoseconds = now;
  stock.limit = answer.limit;
  if (answer.verdict == AnswerVerdict.Refused) {
    stock.refusedForLimit = counter.limit;
    stock.refusedUntilNanoseconds = until;
  } else stock.pausedUntilNanoseconds = until;
}

/** The service has refused: nothing is left in the window. */
function noteRefusal(service: ServiceState, stock: Stock, counter: Counter, now: i64): void {
  const spread = <i64>(service.outage.random(now) % REFUSAL_SPREAD_NANOSECONDS);
  stock.refusedForLimit = counter.limit;
  stock.refusedUntilNanoseconds = min(stock.endsAtNanoseconds, now + REFUSAL_NANOSECONDS + spread);
}

/** Makes the stock ready for the window that ends at `endsAt`: it holds nothing of another window. */
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
 * Adds the units that the answer grants to the stock; how many. The service's own count must have risen by at least as many.
 * If it has not, the service ignores how many units a call asks for and counts one: then one unit is taken, and for a while
 * each call asks for one.
 */
function addGranted(service: ServiceState, stock: Stock, call: Call, answer: Answer, now: i64): i64 {
  const used = answer.limit - answer.remaining;
  // A count that has fallen has begun anew: the service lost its memory.
  const risen = used >= stock.used ? used - stock.used : used;
  const isCounted = risen >= call.units;
  if (answer.verdict == AnswerVerdict.Granted && !isCounted) service.singleUntilNanoseconds = now + SINGLE_NANOSECONDS;
  const accepted = answer.verdict != AnswerVerdict.Granted ? 0 : isCounted ? call.units : min<i64>(1, risen);
  const tookMilliseconds = (now - stock.answeredAtNanoseconds) / 1_000_000;
  stock.declinePerSecond =
    stock.used > 0 && tookMilliseconds > 0 ? min(((risen - accepted) * 1000) / tookMilliseconds, MAX_DECLINE) : 0;
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
 * When the window of the answer ends, or a little before; now or earlier when no time is left in which its units could safely
 * be used. The service says how long the window goes on in whole seconds, rounded up, counted from some moment between the
 * call and the answer. So the end lies between two times. If a window of this Envoy's clock ends between them, that end is
 * taken, as exact as the clocks are known to agree; if none does, the uncertain second is given up.
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
  // When the window changed during the call and both ends fit, the units may belong to the window that is over: they are lost.
  if (before > earliest && before <= latest) return before;
  const after = ownEnd(counter.window, now);
  if (after > earliest && after <= latest) return after;
  return min(earliest, now + nominalSeconds(counter.window) * NANOSECONDS);
}

/** Windows that every service counts alike, and that are long enough to tell one from the next. */
function isAligned(window: WindowKind): bool {
  return window == WindowKind.Minute || window == WindowKind.Hour || window == WindowKind.Day;
}

/** The window's boundary by this Envoy's clock that lies closest to `time`. */
function nearestEnd(window: WindowKind, time: i64): i64 {
  const start = windowStart(window, time / NANOSECONDS);
  const end = windowEnd(window, start) * NANOSECONDS;
  return time - start * NANOSECONDS < end - time ? start * NANOSECONDS : end;
}

/** When the window that holds `time` ends by this Envoy's clock. */
function ownEnd(window: WindowKind, time: i64): i64 {
  return windowEnd(window, windowStart(window, time / NANOSECONDS)) * NANOSECONDS;
}
