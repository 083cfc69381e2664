import { resetArena } from "../bytes/arena";
import { QuotaKind } from "../tables/quota";
import { Balance } from "./attempt";
import { Counters } from "./counters";
import * as Local from "./local";
import * as Mesh from "./mesh";

/** Bounds of one sweep: slots visited (about a millisecond) and leases given back (two host calls each). */
const SWEEP_SLOTS = 65536;
const SWEEP_RETURNS = 256;
/** Sweeps without use after which an empty balance is forgotten. */
const FORGET_SWEEPS = 240;

/** Slots in which a balance is looked for that may go. */
const EVICT_SLOTS = 64;

/**
 * One step of the sweep: gives back leases that were not spent from since the last sweep, and removes idle balances. The work is
 * bounded. To be called on every tick, with nothing of value in the arena, which it resets.
 */
export function sweep(counters: Counters, nowNanoseconds: i64): void {
  const balances = counters.balances;
  let returns = 0;
  let slots = min(SWEEP_SLOTS, balances.roundLeft > 0 ? balances.roundLeft : SWEEP_SLOTS);
  while (slots > 0 && returns < SWEEP_RETURNS) {
    const before = balances.roundLeft;
    const balance = balances.next(slots);
    slots -= max(1, before - balances.roundLeft);
    if (balance == null) {
      if (balances.roundLeft == 0) balances.shrink();
      return;
    }
    if (balance.idleSweeps++ == 0) continue;
    if (balance.left > 0) {
      resetArena();
      giveBack(counters, balance, nowNanoseconds);
      returns++;
    } else if (balance.idleSweeps > FORGET_SWEEPS) {
      balances.removeLast();
    }
  }
}

/** Gives back every unit of the lease. A bucket's balance holds none. */
function giveBack(counters: Counters, balance: Balance, now: i64): void {
  if (balance.kind == QuotaKind.Mesh) Mesh.giveBack(counters.service, balance, now);
  else Local.giveBack(counters.pool, balance, now);
  balance.usedUnits -= balance.left;
  balance.leaseUnits = max<i64>(1, balance.leaseUnits - balance.left);
  balance.left = 0;
}

/** Makes room for another balance: the next one of the round goes, and what it had leased goes back. False when there was none to be seen. */
export function evict(counters: Counters, now: i64): bool {
  const balance = counters.balances.next(EVICT_SLOTS);
  if (balance == null) return false;
  if (balance.left > 0) giveBack(counters, balance, now);
  counters.balances.removeLast();
  return true;
}
