import { View } from "../bytes/view";
import { Identity, MAX_ATTEMPTS, WriteResult, openCell, readCell, writeCell } from "../shared/shard";
import { Window } from "../tables/quota";
import { NANOSECONDS, nominalSeconds } from "../time/window";
import { ServiceState } from "./service";
import { askSize, asStock, heldWithin, isAsked, isLow, isPaused, isRefused, isSpent, isUnknown } from "./stock";

/**
 * A counter of the rate limit service, with the limit that applies. API, operations, plan and consumer are indexes into the tables of the
 * root that makes the call.
 */
@unmanaged
export class Counter extends Identity {
  limit: i64;
  /** Units that a request lacks, which the stock must hold before it can pass; at least 1. */
  need: i64;
  api: i32;
  /** NONE for a quota of an operation whose caller has none. */
  plan: i32;
  /** The operation whose own quota it is, or NONE. */
  operation: i32;
  /** The operation that the request is for, or NONE. */
  requested: i32;
  /** Index of the quota within its plan, or among those of its operation. */
  quota: i32;
  /** NONE for callers without a key, whom an operation counts together. */
  consumer: i32;
  window: Window;
  /** The service counts what is only observed apart. */
  isObserved: bool;
  /** The id of the request's key, among the strings that are freed with the tables; ABSENT without a key. */
  keyId: View;
}

/** The most counters in one call. */
export const MAX_CALL_COUNTERS = 16;

/** A call to the rate limit service. It asks for the same number of units of each of the counters, which follow the record. */
@unmanaged
export class Call {
  /** 0: it asks only what is used, and nothing is counted. */
  units: i64;
  /** When its counters were claimed, all at once: their stocks carry the same time in `askedAtNanoseconds`. */
  sentAtNanoseconds: i64;
  count: i32;
}

const HEADER_BYTES: usize = (offsetof<Call>() + 7) & ~7;

/** Bytes of a call and the counters that follow it. */
export const CALL_BYTES: usize = HEADER_BYTES + MAX_CALL_COUNTERS * offsetof<Counter>();

export function counterOf(call: Call, index: i32): Counter {
  return changetype<Counter>(changetype<usize>(call) + HEADER_BYTES + <usize>index * offsetof<Counter>());
}

/** The result of trying to add a counter to a call. */
export const enum Claim {
  /** The counter is part of the call. */
  Made,
  /** It needs another call: this one is full, or asks for a different number of units. */
  Apart,
  /** A call of this Envoy already asks for it, or it is paused. */
  Asked,
  /** No call is needed to decide: there are units, a refusal, or an outage, in which the failure mode applies. */
  Known,
}

/** The most units that a call asks for: the service reads 32 bits. What a stock owes beyond them is for the next call. */
const MOST_UNITS: i64 = 1 << 31;

/**
 * Adds a counter that `demand` requests want to a call that is being prepared, and claims it for this VM. An Envoy makes one call
 * at a time for a counter, because each answer says how much the next call may ask for. The first counter of a call decides how
 * many units it asks for.
 */
export function claim(service: ServiceState, counter: Counter, call: Call, demand: i64, now: i64): Claim {
  if (service.outage.isDown(now)) return Claim.Known;
  if (call.count == MAX_CALL_COUNTERS) return Claim.Apart;
  const nowSeconds = now / NANOSECONDS;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = openCell(service.stocks, counter, nowSeconds);
    if (cell == null) return Claim.Known;
    const stock = asStock(cell);
    const held = heldWithin(stock, counter.limit, now);
    if (isAsked(stock, now, service.callLifetimeNanoseconds) || isPaused(stock, now)) return Claim.Asked;
    if (
      isRefused(stock, counter.limit, now) ||
      isUnknown(stock, now) ||
      (held >= counter.need && !isLow(stock, held, counter.limit, now))
    )
      return Claim.Known;
    // The answer to a trial call may be lost as well, and its units with it, so it asks for one.
    const isSingle = service.outage.failures > 0 || now < service.singleUntilNanoseconds;
    // Where nothing was left, a unit would most likely be counted and could not be spent.
    const units = isSpent(stock, counter.limit, now)
      ? 0
      : isSingle
        ? 1
        : min(askSize(stock, held, counter.limit, demand, counter.need, now) - min<i64>(0, held), MOST_UNITS);
    if (call.count > 0 && units != call.units) return Claim.Apart;
    stock.askedAtNanoseconds = now;
    stock.overAtSeconds = max(stock.overAtSeconds, nowSeconds + nominalSeconds(counter.window));
    const result = writeCell(service.stocks, nowSeconds);
    if (result == WriteResult.Stored) {
      add(call, counter, units, now);
      service.outage.noteAsk(now);
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

/** What a request should do next that waits for another worker's call about its counter. */
export const enum NextStep {
  Wait,
  /** No call is under way any more: make one. */
  Ask,
  /** Something is known about the counter: decide the request again. */
  Retry,
}

export function nextStep(service: ServiceState, counter: Counter, now: i64): NextStep {
  const cell = readCell(service.stocks, counter);
  if (cell == null) return NextStep.Retry;
  const stock = asStock(cell);
  service.outage.noteAnswerElsewhere(stock.answeredAtNanoseconds);
  if (
    service.outage.isDown(now) ||
    heldWithin(stock, counter.limit, now) >= counter.need ||
    isRefused(stock, counter.limit, now) ||
    isUnknown(stock, now)
  )
    return NextStep.Retry;
  return isAsked(stock, now, service.callLifetimeNanoseconds) || isPaused(stock, now) ? NextStep.Wait : NextStep.Ask;
}

/** Releases the call's counters for other calls: this one has failed or may never be answered. */
export function unclaim(service: ServiceState, call: Call, now: i64): void {
  for (let i = 0; i < call.count; i++) unclaimOne(service, counterOf(call, i), call.sentAtNanoseconds, now);
}

function unclaimOne(service: ServiceState, counter: Counter, sentAt: i64, now: i64): void {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = readCell(service.stocks, counter);
    if (cell == null || asStock(cell).askedAtNanoseconds != sentAt) return;
    asStock(cell).askedAtNanoseconds = 0;
    if (writeCell(service.stocks, now / NANOSECONDS) != WriteResult.Conflict) return;
  }
}
