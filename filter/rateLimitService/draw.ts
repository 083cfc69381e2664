import { Identity, MAX_ATTEMPTS, WriteResult, readCell, wasRead, writeCell } from "../shared/shard";
import { NANOSECONDS } from "../time/window";
import { ServiceState } from "./service";
import { asStock, heldIn, isAsked, isLow, isOpen, isPaused, isRefused, isUnknown, remainingIn } from "./stock";

/** Part of the stock that one worker may take at most. */
const LARGEST_PART: i64 = 4;

/** What came of an attempt to draw. */
export const enum Draw {
  /** The stocks cannot be read or written: nothing is known, and nothing was taken. */
  Failed,
  Granted,
  /** The service has said that nothing is left. */
  Refused,
  /** The service has said that it knows no limit for the counter. */
  Unlimited,
  /** Too little is here, and the service has said nothing about it. */
  Dry,
}

/** What the last `draw` took and learnt. One record, reused. */
@unmanaged
class Drawn {
  units: i64;
  /** End of the units' window, or of the refusal when no window is open; 0 when nothing is known. */
  untilNanoseconds: i64;
  /** Units used of the limit, those drawn included: all but what is left in the stock and at the service. */
  usedUnits: i64;
  /** True when the next grant should be asked for, although the draw found enough. */
  runsLow: bool;
}

export const drawn: Drawn = changetype<Drawn>(memory.data(offsetof<Drawn>(), 8));

/** Takes up to `want` units, at least `need`, from this Envoy's stock of a counter; `drawn` says more. */
export function draw(service: ServiceState, counter: Identity, limit: i64, need: i64, want: i64, now: i64): Draw {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    drawn.units = 0;
    drawn.untilNanoseconds = 0;
    drawn.usedUnits = limit;
    drawn.runsLow = false;
    const cell = readCell(service.stocks, counter);
    if (cell == null) return wasRead() ? Draw.Dry : Draw.Failed;
    const stock = asStock(cell);
    service.outage.hear(stock.answeredAtNanoseconds);
    const held = heldIn(stock, now);
    const units = held < need ? 0 : max(need, min(want, held / LARGEST_PART));
    const left = held - units;
    const refused = isRefused(stock, limit, now);
    if (refused) drawn.untilNanoseconds = stock.refusedUntilNanoseconds;
    if (isOpen(stock, now)) {
      drawn.untilNanoseconds = stock.endsAtNanoseconds;
      drawn.usedUnits = max<i64>(0, limit - left - (refused ? 0 : remainingIn(stock, now)));
    }
    if (units == 0) return refused ? Draw.Refused : isUnknown(stock, now) ? Draw.Unlimited : Draw.Dry;
    drawn.units = units;
    drawn.runsLow = !refused && isLow(stock, left, now) && !isAsked(stock, now, service.callLifetimeNanoseconds);
    stock.held = left;
    const result = writeCell(service.stocks, now / NANOSECONDS);
    if (result == WriteResult.Stored) return Draw.Granted;
    if (result == WriteResult.Failed) break;
  }
  return Draw.Failed;
}

/** True when the service has said something about the counter since then, to whichever worker, or was not to be asked. */
export function isAnswered(service: ServiceState, counter: Identity, since: i64): bool {
  const cell = readCell(service.stocks, counter);
  return cell != null && (asStock(cell).answeredAtNanoseconds >= since || isPaused(asStock(cell), since));
}

/** Puts units back that were drawn of the window that ends at `endsAt`; false when that is over, and the units are lost with it. */
export function putBack(service: ServiceState, counter: Identity, endsAt: i64, units: i64, now: i64): bool {
  if (now >= endsAt) return false;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const cell = readCell(service.stocks, counter);
    if (cell == null || asStock(cell).endsAtNanoseconds != endsAt) return false;
    asStock(cell).held += units;
    const result = writeCell(service.stocks, now / NANOSECONDS);
    if (result != WriteResult.Conflict) return result == WriteResult.Stored;
  }
  return false;
}
