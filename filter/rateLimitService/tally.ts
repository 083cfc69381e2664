/** What is counted about a policy's rate limit service in this VM; the binding hands it to the host now and then. */
export const enum Count {
  /** Calls, and the units they asked for. */
  Asked,
  AskedUnits,
  GrantedUnits,
  /** Calls answered with "over limit". */
  Refused,
  /** Calls without an answer, or with one that cannot be read. */
  Failed,
  /** Answers that name no limit: the service does not know the quota. */
  Unlimited,
  /** Units that idle workers gave back to their Envoy's stock. */
  ReturnedUnits,
  /** Requests that waited, for how long in all, and those that waited in vain. */
  Waits,
  WaitMilliseconds,
  WaitTimeouts,
  /** Requests decided by a quota's failure mode. */
  AllowedUnavailable,
  DeniedUnavailable,
  LocalShare,
}

export const COUNT_COUNT: i32 = 13;

export class Tally {
  readonly counts: StaticArray<u64> = new StaticArray<u64>(COUNT_COUNT);
  /** True while something waits to be handed on. */
  pending: bool = false;

  add(count: Count, by: i64): void {
    this.counts[<i32>count] += <u64>by;
    this.pending = true;
  }
}
