import { Counters } from "../quota/counters";
import { WriteResult } from "../quota/shardStore";
import { MAX_ATTEMPTS, openCell, readCell, writeCell } from "../quota/store";
import { nominalSeconds } from "../quota/window";
import { Call } from "./call";
import { askSize, isLow } from "./size";
import { asStock, heldIn, isAsked, isRefused } from "./stock";

const NANOSECONDS: i64 = 1_000_000_000;

/**
 * Makes this VM the one that asks the ledger for more of a counter that `demand` requests want, and sets the call's units;
 * false when nobody need ask, or somebody does already. One call at a time for a counter in this Envoy: an answer says how
 * much the next may ask for.
 */
export function claim(counters: Counters, call: Call, demand: i64, now: i64): bool {
  if (counters.outage.isDown(now)) return false;
  const nowSeconds = now / NANOSECONDS;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = openCell(counters.stocks, call.consumer, call.meter, nowSeconds);
    if (cell == null) return false;
    const stock = asStock(cell);
    const held = heldIn(stock, now);
    if (isAsked(stock, now, counters.callLifetimeNanoseconds) || isRefused(stock, call.limit, now)) return false;
    if (held > 0 && !isLow(stock, held, now)) return false;
    // A trial after an outage may be lost too, so it asks for one unit.
    const isSingle = counters.outage.failures > 0 || now < counters.singleUntil;
    call.units = isSingle ? 1 : askSize(stock, held, call.limit, demand, now);
    call.sentAtNanoseconds = now;
    stock.askedAtNanoseconds = now;
    stock.overAtSeconds = max(stock.overAtSeconds, nowSeconds + nominalSeconds(call.window));
    const result = writeCell(counters.stocks, nowSeconds);
    if (result == WriteResult.Stored) {
      counters.outage.noteAsk(now);
      return true;
    }
    if (result == WriteResult.Failed) return false;
  }
  return false;
}

/** Lets others ask: the call has failed, or may never be answered. */
export function unclaim(counters: Counters, call: Call, now: i64): void {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = readCell(counters.stocks, call.consumer, call.meter);
    if (cell == null || asStock(cell).askedAtNanoseconds != call.sentAtNanoseconds) return;
    asStock(cell).askedAtNanoseconds = 0;
    if (writeCell(counters.stocks, now / NANOSECONDS) != WriteResult.Conflict) return;
  }
}
