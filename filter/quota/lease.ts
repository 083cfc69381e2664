import { resetArena } from "../bytes/arena";
import { putBack } from "../rateLimitService/draw";
import { Count } from "../rateLimitService/tally";
import { Balance } from "./balance";
import { Counters } from "./counters";
import { giveBack, grant } from "./pool";

/**
 * How large a lease is, and when it goes back.
 *
 * A lease covers what the VM used of the counter in the last quarter second, at most twice the lease before it and at most
 * a small part of what remains; so it is 1 near the limit and for quiet consumers. A lease that nobody spent from between two
 * sweeps goes back to the pool whole.
 */
const LEASE_NANOSECONDS: i64 = 250_000_000;
const MAX_LEASE: i64 = 1 << 20;
/** What one sweep does at most: slots looked at (about a millisecond) and leases given back (each two host calls). */
const SWEEP_SLOTS = 65536;
const SWEEP_RETURNS = 256;
/** Sweeps without use after which an empty balance is forgotten. */
const FORGET_SWEEPS = 240;
const NANOSECONDS: i64 = 1_000_000_000;

/** Units to ask for, given how fast the last lease went. */
export function leaseSize(balance: Balance, cost: i64, nowNanoseconds: i64): i64 {
  const spent = balance.leaseUnits;
  if (spent <= 0) return cost;
  const took = nowNanoseconds - balance.leasedAtNanoseconds;
  const doubled = min(spent * 2, MAX_LEASE);
  if (took <= 0 || took >= 3600 * NANOSECONDS) return took > 0 ? cost : max(cost, doubled);
  // In microseconds, so that the product stays far below 2^63.
  const used = (spent * (LEASE_NANOSECONDS / 1000)) / max<i64>(1, took / 1000);
  return max(cost, min(doubled, used));
}

/** Books the pool's answer. */
export function noteLease(balance: Balance, nowNanoseconds: i64): void {
  if (grant.window != balance.window) balance.left = 0;
  balance.window = grant.window;
  balance.left += grant.units;
  balance.poolUsed = grant.used;
  balance.leaseUnits = grant.units;
  balance.idleSweeps = 0;
  balance.leasedAtNanoseconds = nowNanoseconds;
}

/**
 * One step of the sweep: gives idle leases back and forgets idle balances. Bounded work, to be called on every tick, and
 * with nothing of value in the arena, which is reset as it goes.
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
      giveBackFrom(counters, balance, nowNanoseconds);
      balance.poolUsed -= balance.left;
      balance.leaseUnits = max<i64>(1, balance.leaseUnits - balance.left);
      balance.left = 0;
      returns++;
    } else if (balance.idleSweeps > FORGET_SWEEPS) {
      balances.removeLast();
    }
  }
}

function giveBackFrom(counters: Counters, balance: Balance, now: i64): void {
  if (!balance.mesh)
    return giveBack(counters.pool, balance.consumer, balance.meter, balance.window, balance.left, now / NANOSECONDS);
  const returned = putBack(counters.stocks, balance.consumer, balance.meter, balance.window, balance.left, now);
  if (returned) counters.tally.add(Count.ReturnedUnits, balance.left);
}
