import { Counters } from "../quota/counters";
import { grant } from "../quota/pool";
import { ShardStore, WriteResult } from "../quota/shardStore";
import { MAX_ATTEMPTS, readCell, wasRead, writeCell } from "../quota/store";
import { isLow } from "./size";
import { asStock, heldIn, isAsked, isOpen, isPaused, isRefused, isUnknown, remainingIn } from "./stock";

const NANOSECONDS: i64 = 1_000_000_000;
/** Part of the stock that one worker may take at most. */
const LARGEST_PART: i64 = 4;

/** True when the next grant should be asked for, although the draw found enough. */
export let runsLow: bool = false;
/** True when the rate limit service has said that nothing is left. */
export let refused: bool = false;
/** True when the rate limit service has said that it knows no limit for the counter. */
export let unknown: bool = false;

/**
 * Takes up to `want` units, at least `need`, from this Envoy's stock of a counter. The answer is in `grant`: `window` is the
 * end of the units' window in nanoseconds, `used` what `limit` must be lowered by for the units that remain elsewhere.
 */
export function draw(counters: Counters, consumer: u64, meter: u64, limit: i64, need: i64, want: i64, now: i64): void {
  const stocks = counters.stocks;
  grant.available = false;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    grant.units = 0;
    grant.window = 0;
    grant.used = limit;
    runsLow = false;
    refused = false;
    unknown = false;
    const cell = readCell(stocks, consumer, meter);
    if (cell == null) {
      grant.available = wasRead();
      return;
    }
    const stock = asStock(cell);
    counters.outage.hear(stock.answeredAtNanoseconds);
    const held = heldIn(stock, now);
    const units = held < need ? 0 : max(need, min(want, held / LARGEST_PART));
    const left = held - units;
    refused = isRefused(stock, limit, now);
    unknown = isUnknown(stock, now);
    if (refused) grant.window = stock.refusedUntilNanoseconds;
    if (isOpen(stock, now)) {
      grant.window = stock.endsAtNanoseconds;
      grant.used = max<i64>(0, limit - left - (refused ? 0 : remainingIn(stock, now)));
    }
    grant.available = true;
    if (units == 0) return;
    runsLow = !refused && isLow(stock, left, now) && !isAsked(stock, now, counters.callLifetimeNanoseconds);
    stock.held = left;
    grant.units = units;
    const result = writeCell(stocks, now / NANOSECONDS);
    if (result == WriteResult.Stored) return;
    grant.units = 0;
    grant.available = false;
    if (result == WriteResult.Failed) return;
  }
}

/** True when the rate limit service has said something of the counter since then, to whichever worker, or was not to be asked. */
export function isAnswered(counters: Counters, consumer: u64, meter: u64, since: i64): bool {
  const cell = readCell(counters.stocks, consumer, meter);
  return cell != null && (asStock(cell).answeredAtNanoseconds >= since || isPaused(asStock(cell), since));
}

/** Puts back `units` of the window that ends at `endsAt`; false when that is over, and with it the units. */
export function putBack(stocks: ShardStore, consumer: u64, meter: u64, endsAt: i64, units: i64, now: i64): bool {
  if (now >= endsAt) return false;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = readCell(stocks, consumer, meter);
    if (cell == null || asStock(cell).endsAtNanoseconds != endsAt) return false;
    asStock(cell).held += units;
    const result = writeCell(stocks, now / NANOSECONDS);
    if (result != WriteResult.Conflict) return result == WriteResult.Stored;
  }
  return false;
}
