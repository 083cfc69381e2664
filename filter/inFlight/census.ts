/** Which VMs this Envoy has: what each counts of requests in flight is its own, and goes with it. The binding knows it by heartbeats. */
export abstract class Census {
  /** This VM's number, which no other VM has or had; 0 before it has one. */
  abstract own(): u64;

  /** The same, given now if it has none; 0 when that fails. */
  abstract enlist(nowNanoseconds: i64): u64;

  /** False for a VM that has died or no longer serves the policy. */
  abstract isAlive(vm: u64): bool;
}
