import { Identity, MAX_ATTEMPTS, WriteResult, readCell, wasRead, writeCell } from "../shared/shard";
import { NANOSECONDS } from "../time/window";
import { ServiceState } from "./service";
import { asStock, heldWithin, isAsked, isLow, isOpen, isPaused, isRefused, isUnknown, remainingIn } from "./stock";

/** One worker takes at most this fraction (1/4) of the stock, unless a request needs more. */
const LARGEST_PART: i64 = 4;

/** The result of `draw`. */
export const enum Draw {
  /** The stock cannot be read or written: nothing is known and nothing was taken. */
  Failed,
  Granted,
  /** The service has said that nothing is left. */
  Refused,
  /** The service has said that it has no limit for the counter. */
  Unlimited,
  /** The stock holds too little, and the service has not said whether there is more. */
  Dry,
}

/** What the last `draw` took and found out. One record, reused. */
@unmanaged
class Drawn {
  units: i64;
  /** End of the window that the units belong to, or of the refusal when no window is open; 0 when nothing is known. */
  untilNanoseconds: i64;
  /** Units of the limit that are used, these included: the limit less what is left in the stock and at the service. */
  usedUnits: i64;
  /** The highest number of any of the units (see `Stock`). */
  topUnits: i64;
  /** True when the next grant should be requested although this draw found enough. */
  runsLow: bool;
}

export const drawn: Drawn = changetype<Drawn>(memory.data(offsetof<Drawn>(), 8));

/** Takes at least `need` and up to `want` units from this Envoy's stock of a counter; `drawn` has the details. */
export function draw(service: ServiceState, counter: Identity, limit: i64, need: i64, want: i64, now: i64): Draw {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    drawn.units = 0;
    drawn.untilNanoseconds = 0;
    drawn.usedUnits = limit;
    drawn.runsLow = false;
    const cell = readCell(service.stocks, counter);
    if (cell == null) return wasRead() ? Draw.Dry : Draw.Failed;
    const stock = asStock(cell);
    service.outage.noteAnswerElsewhere(stock.answeredAtNanoseconds);
    const held = heldWithin(stock, limit, now);
    const units = held < need ? 0 : max(need, min(want, held / LARGEST_PART));
    const left = held - units;
    const refused = isRefused(stock, limit, now);
    if (refused) drawn.untilNanoseconds = stock.refusedUntilNanoseconds;
    if (isOpen(stock, now)) {
      drawn.untilNanoseconds = stock.endsAtNanoseconds;
      drawn.usedUnits = max<i64>(0, limit - left - (refused ? 0 : remainingIn(stock, limit, now)));
    }
    if (units == 0) return refused ? Draw.Refused : isUnknown(stock, now) ? Draw.Unlimited : Draw.Dry;
    drawn.units = units;
    drawn.topUnits = stock.topUnits;
    drawn.runsLow = !refused && isLow(stock, left, limit, now) && !isAsked(stock, now, service.callLifetimeNanoseconds);
    stock.held -= units;
    const result = writeCell(service.stocks, now / NANOSECONDS);
    if (result == WriteResult.Stored) return Draw.Granted;
    if (result == WriteResult.Failed) break;
  }
  return Draw.Failed;
}

/** True when the service has answered any worker about the counter since `since`, or the counter was paused then. */
export function isAnswered(service: ServiceState, counter: Identity, since: i64): bool {
  const cell = readCell(service.stocks, counter);
  return cell != null && (asStock(cell).answeredAtNanoseconds >= since || isPaused(asStock(cell), since));
}

/**
 * Puts back units drawn from the window that ends at `endsAt`, none of which has a higher number than `top`; false when it is over and
 * the units have expired.
 */
export function putBack(service: ServiceState, counter: Identity, endsAt: i64, units: i64, top: i64, now: i64): bool {
  if (now >= endsAt) return false;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = readCell(service.stocks, counter);
    if (cell == null || asStock(cell).endsAtNanoseconds != endsAt) return false;
    asStock(cell).held += units;
    asStock(cell).topUnits = max(asStock(cell).topUnits, top);
    const result = writeCell(service.stocks, now / NANOSECONDS);
    if (result != WriteResult.Conflict) return result == WriteResult.Stored;
  }
  return false;
}

/**
 * Takes units from the stock whether it holds them or not; false when no window is open. What it owes is paid by the next grants, for which
 * calls ask in addition.
 */
export function owe(service: ServiceState, counter: Identity, units: i64, now: i64): bool {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = readCell(service.stocks, counter);
    if (cell == null || !isOpen(asStock(cell), now)) return false;
    asStock(cell).held -= units;
    const result = writeCell(service.stocks, now / NANOSECONDS);
    if (result != WriteResult.Conflict) return result == WriteResult.Stored;
  }
  return false;
}
