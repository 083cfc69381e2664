import { Counters } from "../quota/counters";
import { WriteResult } from "../quota/shardStore";
import { MAX_ATTEMPTS, openCell, readCell, writeCell } from "../quota/store";
import { nominalSeconds } from "../quota/window";
import { Counter } from "./ask";
import { Call, MAX_CALL_COUNTERS, counterOf } from "./call";
import { askSize, isLow } from "./size";
import { asStock, heldIn, isAsked, isPaused, isRefused, isUnknown } from "./stock";

const NANOSECONDS: i64 = 1_000_000_000;

/** What became of an attempt to ask for more of a counter. */
export const enum Claim {
  /** The counter is part of the call. */
  Made,
  /** It wants a call of its own: this one is full, or asks for another number of units. */
  Apart,
  /** Somebody in this Envoy asks for it already, or it is not yet time to. */
  Asked,
  /** There is something to go by: units, a refusal, or the failure mode of a rate limit service that does not answer. */
  Known,
}

/**
 * Adds a counter that `demand` requests want to a call that is being made, and makes this VM the one that asks for it. One call
 * at a time for a counter in this Envoy: an answer says how much the next may ask for. An empty call takes the counter's size.
 */
export function claim(counters: Counters, counter: Counter, call: Call, demand: i64, now: i64): Claim {
  if (counters.outage.isDown(now)) return Claim.Known;
  if (call.count == MAX_CALL_COUNTERS) return Claim.Apart;
  const nowSeconds = now / NANOSECONDS;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = openCell(counters.stocks, counter.consumerId, counter.meter, nowSeconds);
    if (cell == null) return Claim.Known;
    const stock = asStock(cell);
    const held = heldIn(stock, now);
    if (isAsked(stock, now, counters.callLifetimeNanoseconds) || isPaused(stock, now)) return Claim.Asked;
    if (isRefused(stock, counter.limit, now) || isUnknown(stock, now) || (held > 0 && !isLow(stock, held, now)))
      return Claim.Known;
    // A trial after an outage may be lost too, so it asks for one unit.
    const isSingle = counters.outage.failures > 0 || now < counters.singleUntil;
    const units = isSingle ? 1 : askSize(stock, held, counter.limit, demand, now);
    if (call.count > 0 && units != call.units) return Claim.Apart;
    stock.askedAtNanoseconds = now;
    stock.overAtSeconds = max(stock.overAtSeconds, nowSeconds + nominalSeconds(counter.window));
    const result = writeCell(counters.stocks, nowSeconds);
    if (result == WriteResult.Stored) {
      add(call, counter, units, now);
      counters.outage.noteAsk(now);
      return Claim.Made;
    }
    if (result == WriteResult.Failed) return Claim.Known;
  }
  return Claim.Known;
}

function add(call: Call, counter: Counter, units: i64, now: i64): void {
  call.units = units;
  call.sentAtNanoseconds = now;
  memory.copy(changetype<usize>(counterOf(call, call.count)), changetype<usize>(counter), offsetof<Counter>());
  call.count++;
}

/** Whether a request that waits for somebody else's answer about a counter has reason to try again. */
export const enum Prospect {
  None,
  Ask,
  Try,
}

export function prospect(counters: Counters, counter: Counter, now: i64): Prospect {
  const cell = readCell(counters.stocks, counter.consumerId, counter.meter);
  if (cell == null) return Prospect.Try;
  const stock = asStock(cell);
  counters.outage.hear(stock.answeredAtNanoseconds);
  if (
    counters.outage.isDown(now) ||
    heldIn(stock, now) > 0 ||
    isRefused(stock, counter.limit, now) ||
    isUnknown(stock, now)
  )
    return Prospect.Try;
  return isAsked(stock, now, counters.callLifetimeNanoseconds) || isPaused(stock, now) ? Prospect.None : Prospect.Ask;
}

/** Lets others ask: the call has failed, or may never be answered. */
export function unclaim(counters: Counters, call: Call, now: i64): void {
  for (let i = 0; i < call.count; i++) unclaimOne(counters, counterOf(call, i), call.sentAtNanoseconds, now);
}

function unclaimOne(counters: Counters, counter: Counter, sentAt: i64, now: i64): void {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = readCell(counters.stocks, counter.consumerId, counter.meter);
    if (cell == null || asStock(cell).askedAtNanoseconds != sentAt) return;
    asStock(cell).askedAtNanoseconds = 0;
    if (writeCell(counters.stocks, now / NANOSECONDS) != WriteResult.Conflict) return;
  }
}
