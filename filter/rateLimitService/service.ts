import { ShardStore } from "../shared/shard";
import { NANOSECONDS, isAhead } from "../time/window";

/** What this VM knows about the rate limit service of one policy. */
export class ServiceState {
  readonly outage: Outage = new Outage();
  readonly clock: ServiceClock = new ServiceClock();
  readonly tally: Tally = new Tally();
  /** A call without an answer after this long was lost with its VM or its root. Longer than the timeout of a call. */
  callLifetimeNanoseconds: i64 = 6 * NANOSECONDS;
  /** Until then the service is asked for single units: it counts calls, not units. */
  singleUntilNanoseconds: i64 = 0;
  constructor(
    /** What the service has granted to this Envoy. */
    readonly stocks: ShardStore,
  ) {}
}

/** The first backoff after a failure; each further failure doubles it. */
const FIRST_BACKOFF_NANOSECONDS: i64 = NANOSECONDS / 10;
const MAX_DOUBLINGS = 7;
const MAX_BACKOFF_NANOSECONDS: i64 = 10 * NANOSECONDS;
/** How long a trial may go unanswered; the host ends calls earlier. */
const TRIAL_NANOSECONDS: i64 = 10 * NANOSECONDS;

/**
 * Whether the rate limit service answers this VM. After a failed call none is made for a while: exponential backoff up to ten
 * seconds, with jitter of up to a half, so that Envoys that lost the service together do not come back together. Then one call
 * is the trial; other requests follow their failure modes until it has been answered.
 */
export class Outage {
  /** Failures in a row; 0 while the service answers. */
  failures: i32 = 0;
  private failedAtNanoseconds: i64 = 0;
  private retryAtNanoseconds: i64 = 0;
  private trialUntilNanoseconds: i64 = 0;
  /** When any call of this VM was last answered. */
  answeredAtNanoseconds: i64 = 0;
  private seed: u64 = 0;

  /** True while the service is not to be called, and no request may be made to wait for it. */
  isDown(now: i64): bool {
    if (this.failures == 0) return false;
    return (
      isAhead(this.retryAtNanoseconds, now, MAX_BACKOFF_NANOSECONDS) ||
      isAhead(this.trialUntilNanoseconds, now, TRIAL_NANOSECONDS)
    );
  }

  noteAsk(now: i64): void {
    if (this.failures > 0) this.trialUntilNanoseconds = now + TRIAL_NANOSECONDS;
  }

  /** The call that began at `sentAt` has failed, or somebody has waited for it too long. */
  noteFailure(sentAt: i64, now: i64): void {
    // A call that is given up after later ones were answered says nothing about the present. (Times ahead of the clock say
    // nothing about the order: the clock was set back.)
    if (sentAt < this.answeredAtNanoseconds && this.answeredAtNanoseconds <= now) return;
    // Calls that were under way together fail together: that is one failure.
    if (this.failures > 0 && sentAt < this.failedAtNanoseconds) return;
    this.failures = min(this.failures + 1, MAX_DOUBLINGS + 1);
    const backoff = min(FIRST_BACKOFF_NANOSECONDS << (this.failures - 1), MAX_BACKOFF_NANOSECONDS);
    this.failedAtNanoseconds = now;
    this.retryAtNanoseconds = now + backoff - <i64>(this.random(now) % <u64>(backoff / 2));
    this.trialUntilNanoseconds = 0;
  }

  noteAnswer(now: i64): void {
    this.answeredAtNanoseconds = max(this.answeredAtNanoseconds, now);
    this.failures = 0;
    this.trialUntilNanoseconds = 0;
  }

  /** The trial under way may never be answered: another may be made at once. */
  forgetTrial(): void {
    this.trialUntilNanoseconds = 0;
  }

  /** Some worker of this Envoy had an answer then. */
  hear(answeredAt: i64): void {
    if (this.failures > 0 && answeredAt > this.failedAtNanoseconds) this.noteAnswer(answeredAt);
  }

  /** SplitMix64, stirred by the time, which differs between Envoys by nanoseconds. */
  random(now: i64): u64 {
    this.seed += 0x9e3779b97f4a7c15 ^ (<u64>now);
    let z = this.seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
}

/** Clocks further apart are not compared: a window of a minute would not tell one minute from the next. */
const MAX_APART_NANOSECONDS: i64 = 25 * NANOSECONDS;
/** Clocks drift, and are set: the bounds widen by a thousandth of the time that passes. */
const DRIFT: i64 = 1000;

/**
 * How long after the ends of this Envoy's windows those of the rate limit service come, as far as its answers tell. Each answer
 * says in whole seconds, rounded up, how long the window goes on, counted from some moment between the call and the answer.
 * So each gives a lower and an upper bound, and together they narrow down to about the time that a call takes.
 *
 * The clocks count as equal until an answer contradicts that.
 */
export class ServiceClock {
  private leastNanoseconds: i64 = -MAX_APART_NANOSECONDS;
  private mostNanoseconds: i64 = MAX_APART_NANOSECONDS;
  private learntAtNanoseconds: i64 = 0;

  /** An answer says that its window ends at least, and at most, this long after ours; false when that is too far to tell. */
  learn(least: i64, most: i64, now: i64): bool {
    if (least < -MAX_APART_NANOSECONDS || most > MAX_APART_NANOSECONDS) return false;
    const widened = abs(now - this.learntAtNanoseconds) / DRIFT;
    const low = max(this.leastNanoseconds - widened, least);
    const high = min(this.mostNanoseconds + widened, most);
    // Bounds that exclude each other: one of the clocks was set.
    const fits = low < high;
    this.leastNanoseconds = fits ? low : least;
    this.mostNanoseconds = fits ? high : most;
    this.learntAtNanoseconds = now;
    return true;
  }

  /** The earliest time, by our clock, at which a window that ends at `end` for us is over on both sides. */
  endOf(end: i64): i64 {
    return this.leastNanoseconds <= 0 && this.mostNanoseconds >= 0 ? end : end + this.leastNanoseconds;
  }
}

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
