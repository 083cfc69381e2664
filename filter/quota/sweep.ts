import { resetArena } from "../bytes/arena";
import { QuotaKind } from "../tables/record";
import { Balance } from "./attempt";
import { Counters } from "./charge";
import * as Local from "./local";
import * as Mesh from "./mesh";

/** What one sweep does at most: slots looked at (about a millisecond) and leases given back (each two host calls). */
const SWEEP_SLOTS = 65536;
const SWEEP_RETURNS = 256;
/** Sweeps without use after which an empty balance is forgotten. */
const FORGET_SWEEPS = 240;

/**
 * One step of the sweep: gives leases back that nobody spent from between two sweeps, and forgets idle balances. Bounded
 * work, to be called on every tick, and with nothing of value in the arena, which is reset as it goes.
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

/** Gives back all that is left. A bucket's balance holds nothing. */
function giveBack(counters: Counters, balance: Balance, now: i64): void {
  if (balance.kind == QuotaKind.Mesh) Mesh.giveBack(counters.service, balance, now);
  else Local.giveBack(counters.pool, balance, now);
  balance.usedUnits -= balance.left;
  balance.leaseUnits = max<i64>(1, balance.leaseUnits - balance.left);
  balance.left = 0;
}
