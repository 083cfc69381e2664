import { Identity, MAX_ATTEMPTS, WriteResult, openCell, readCell, writeCell } from "../shared/shard";
import { WindowKind } from "../tables/record";
import { NANOSECONDS, nominalSeconds } from "../time/window";
import { ServiceState } from "./service";
import { askSize, asStock, heldIn, isAsked, isLow, isPaused, isRefused, isUnknown } from "./stock";

/**
 * A counter of the rate limit service, with the limit that holds. Its API, plan and consumer are positions in the tables of the
 * root that asks.
 */
@unmanaged
export class Counter extends Identity {
  limit: i64;
  api: i32;
  plan: i32;
  /** Number of the quota within its plan. */
  quota: i32;
  consumer: i32;
  window: WindowKind;
  padding: u32;
}

/** Counters that one call may ask for. */
export const MAX_CALL_COUNTERS = 16;

/** What a call to the rate limit service asks for: the same number of units of each of the counters that follow the record. */
@unmanaged
export class Call {
  units: i64;
  /** When the first counter was claimed for it; the claims bear this time. */
  sentAtNanoseconds: i64;
  count: i32;
}

const HEADER_BYTES: usize = (offsetof<Call>() + 7) & ~7;

/** Bytes of a call with its counters, which follow it. */
export const CALL_BYTES: usize = HEADER_BYTES + MAX_CALL_COUNTERS * offsetof<Counter>();

export function counterOf(call: Call, index: i32): Counter {
  return changetype<Counter>(changetype<usize>(call) + HEADER_BYTES + <usize>index * offsetof<Counter>());
}

/** What became of an attempt to ask for more of a counter. */
export const enum Claim {
  /** The counter is part of the call. */
  Made,
  /** It wants a call of its own: this one is full, or asks for another number of units. */
  Apart,
  /** Somebody in this Envoy asks for it already, or it is not yet time to. */
  Asked,
  /** There is something to go by: units, a refusal, or the failure mode of a service that does not answer. */
  Known,
}

/**
 * Adds a counter that `demand` requests want to a call that is being made, and makes this VM the one that asks for it. An Envoy
 * has one call at a time for a counter, because an answer says how much the next may ask for. The first counter of a call
 * decides how many units the call asks for.
 */
export function claim(service: ServiceState, counter: Counter, call: Call, demand: i64, now: i64): Claim {
  if (service.outage.isDown(now)) return Claim.Known;
  if (call.count == MAX_CALL_COUNTERS) return Claim.Apart;
  const nowSeconds = now / NANOSECONDS;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = openCell(service.stocks, counter, nowSeconds);
    if (cell == null) return Claim.Known;
    const stock = asStock(cell);
    const held = heldIn(stock, now);
    if (isAsked(stock, now, service.callLifetimeNanoseconds) || isPaused(stock, now)) return Claim.Asked;
    if (isRefused(stock, counter.limit, now) || isUnknown(stock, now) || (held > 0 && !isLow(stock, held, now)))
      return Claim.Known;
    // A trial after an outage may be lost too, so it asks for one unit.
    const isSingle = service.outage.failures > 0 || now < service.singleUntilNanoseconds;
    const units = isSingle ? 1 : askSize(stock, held, counter.limit, demand, now);
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

/** What a request that waits for another worker's answer about a counter has reason to do now. */
export const enum Prospect {
  None,
  Ask,
  Try,
}

export function prospect(service: ServiceState, counter: Counter, now: i64): Prospect {
  const cell = readCell(service.stocks, counter);
  if (cell == null) return Prospect.Try;
  const stock = asStock(cell);
  service.outage.hear(stock.answeredAtNanoseconds);
  if (
    service.outage.isDown(now) ||
    heldIn(stock, now) > 0 ||
    isRefused(stock, counter.limit, now) ||
    isUnknown(stock, now)
  )
    return Prospect.Try;
  return isAsked(stock, now, service.callLifetimeNanoseconds) || isPaused(stock, now) ? Prospect.None : Prospect.Ask;
}

/** Lets others ask: the call has failed, or may never be answered. */
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
