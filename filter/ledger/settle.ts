import { View } from "../bytes/view";
import { Counters } from "../quota/counters";
import { WriteResult } from "../quota/shardStore";
import { MAX_ATTEMPTS, openCell, writeCell } from "../quota/store";
import { WindowKind } from "../tables/record";
import { nominalSeconds, windowEnd, windowStart } from "../quota/window";
import { Verdict, answer, readAnswer } from "./answer";
import { Call } from "./call";
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
/** How long a service is asked for single units after it has counted fewer than it was asked for. */
const SINGLE_NANOSECONDS: i64 = 60_000_000_000;
/** Ends that differ by no more are of the same window, known to the second; windows of a second are told apart. */
const SAME_END_NANOSECONDS: i64 = 1_500_000_000;

/** Books the answer to a call. What it does not say in so many words is no grant. */
export function settle(counters: Counters, call: Call, bytes: View, now: i64): void {
  readAnswer(bytes);
  if (answer.verdict == Verdict.Granted || answer.verdict == Verdict.Refused) return book(counters, call, now);
  counters.tally.add(answer.verdict == Verdict.Unlimited ? Count.Unlimited : Count.Failed, 1);
  giveUp(counters, call, now);
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

function book(counters: Counters, call: Call, now: i64): void {
  const endsAt = endOfWindow(call, now);
  let accepted: i64 = 0;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = openCell(counters.stocks, call.consumer, call.meter, now / NANOSECONDS);
    if (cell == null) return;
    const stock = asStock(cell);
    openUntil(stock, endsAt, call.window, now);
    if (stock.askedAtNanoseconds == call.sentAtNanoseconds) stock.askedAtNanoseconds = 0;
    accepted = take(counters, stock, call, now);
    stock.overAtSeconds = stock.endsAtNanoseconds / NANOSECONDS + 1;
    const result = writeCell(counters.stocks, now / NANOSECONDS);
    if (result == WriteResult.Failed) return;
    if (result == WriteResult.Stored) break;
  }
  if (answer.verdict == Verdict.Granted && accepted == 0) {
    counters.tally.add(Count.Unlimited, 1);
    return counters.outage.noteFailure(call.sentAtNanoseconds, now);
  }
  counters.outage.noteAnswer(now);
  if (answer.verdict == Verdict.Refused) counters.tally.add(Count.Refused, 1);
  else counters.tally.add(Count.GrantedUnits, accepted);
}

/** Makes the stock ready for the window that ends then: nothing of another window is held. */
function openUntil(stock: Stock, endsAt: i64, window: WindowKind, now: i64): void {
  const apart = endsAt - stock.endsAtNanoseconds;
  const most = min(SAME_END_NANOSECONDS, nominalSeconds(window) * NANOSECONDS / 2);
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
function take(counters: Counters, stock: Stock, call: Call, now: i64): i64 {
  const used = answer.limit - answer.remaining;
  // A count that has fallen began anew, in a service that lost its memory.
  const risen = used >= stock.used ? used - stock.used : used;
  const isCounted = risen >= call.units;
  if (answer.verdict == Verdict.Granted && !isCounted) counters.singleUntil = now + SINGLE_NANOSECONDS;
  const accepted = answer.verdict != Verdict.Granted ? 0 : isCounted ? call.units : min<i64>(1, risen);
  const took = (now - stock.answeredAtNanoseconds) / 1_000_000;
  stock.declinePerSecond = stock.used > 0 && took > 0 ? min((risen - accepted) * 1000 / took, MAX_DECLINE) : 0;
  stock.limit = answer.limit;
  stock.used = used;
  stock.held += accepted;
  stock.granted += accepted;
  stock.share = max<i64>(1, min(WHOLE_SHARE, share(stock.granted, used)));
  stock.answeredAtNanoseconds = now;
  stock.heldThen = stock.held;
  if (accepted > 0) stock.lastUnits = accepted;
  if (answer.verdict == Verdict.Refused) {
    stock.refusedForLimit = call.limit;
    const spread = <i64>(counters.outage.random(now) % REFUSAL_SPREAD_NANOSECONDS);
    stock.refusedUntilNanoseconds = min(stock.endsAtNanoseconds, now + REFUSAL_NANOSECONDS + spread);
  }
  return accepted;
}

function share(granted: i64, used: i64): i64 {
  // Halved until the product fits: counts go up to 2^53.
  while (granted > 1 << 40) {
    granted >>= 1;
    used >>= 1;
  }
  return used <= 0 ? WHOLE_SHARE : granted * WHOLE_SHARE / used;
}

/**
 * When the window ends that the answer speaks of, or a little before. The service says how long it goes on in whole seconds,
 * rounded up, counted from some moment between the call and its answer. An end by this Envoy's clock that fits is exact; if
 * the window changed meanwhile and both ends fit, the units may be of the one that is over, and go with it. When none fits,
 * the clocks differ, and the uncertain second is given up.
 */
function endOfWindow(call: Call, now: i64): i64 {
  const earliest = call.sentAtNanoseconds + (answer.resetSeconds - 1) * NANOSECONDS;
  const latest = now + answer.resetSeconds * NANOSECONDS;
  const before = ownEnd(call.window, call.sentAtNanoseconds);
  if (answer.resetSeconds == 0 || (before > earliest && before <= latest)) return before;
  const after = ownEnd(call.window, now);
  if (after > earliest && after <= latest) return after;
  return min(earliest, now + nominalSeconds(call.window) * NANOSECONDS);
}

function ownEnd(window: WindowKind, time: i64): i64 {
  return windowEnd(window, windowStart(window, time / NANOSECONDS)) * NANOSECONDS;
}
