import { ShardStore } from "../shared/shard";
import { NANOSECONDS, isAhead } from "../time/window";

/** What this VM knows about the rate limit service of one policy. */
export class ServiceState {
  readonly outage: Outage = new Outage();
  readonly clock: ServiceClock = new ServiceClock();
  readonly tally: Tally = new Tally();
  /** A call without an answer after this time was lost with its VM or root. Longer than a call's timeout. */
  callLifetimeNanoseconds: i64 = 6 * NANOSECONDS;
  /** Until then each call asks for one unit, because the service was found to count calls instead of units. */
  singleUntilNanoseconds: i64 = 0;
  constructor(
    /** Units that the service has granted to this Envoy. */
    readonly stocks: ShardStore,
  ) {}
}

/** The first backoff after a failure; each further failure doubles it. */
const FIRST_BACKOFF_NANOSECONDS: i64 = NANOSECONDS / 10;
const MAX_DOUBLINGS = 7;
const MAX_BACKOFF_NANOSECONDS: i64 = 10 * NANOSECONDS;
/** How long a trial call may go unanswered; the host ends calls earlier. */
const TRIAL_NANOSECONDS: i64 = 10 * NANOSECONDS;

/**
 * Whether the rate limit service answers this VM. After a failed call, no call is made for a while: exponential backoff up to ten
 * seconds, less a random part of up to half, so that Envoys that lost the service at the same moment do not all return at once.
 * Then one trial call is made, and quotas follow their failure modes until it has been answered.
 */
export class Outage {
  /** Failures in a row; 0 while the service answers. */
  failures: i32 = 0;
  private failedAtNanoseconds: i64 = 0;
  private retryAtNanoseconds: i64 = 0;
  private trialUntilNanoseconds: i64 = 0;
  /** When the service last answered, as far as this VM knows. */
  answeredAtNanoseconds: i64 = 0;
  private seed: u64 = 0;

  /** True while the service must not be called and no request may wait for it. */
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

  /** The call that was sent at `sentAt` has failed, or a request has waited for it too long. */
  noteFailure(sentAt: i64, now: i64): void {
    // If a later call has been answered, this failure says nothing about the present. (An answer that seems to lie in the future
    // says nothing about the order: the clock was set back.)
    if (sentAt < this.answeredAtNanoseconds && this.answeredAtNanoseconds <= now) return;
    // Calls that were under way at the same time fail together and count as one failure.
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

  /** The trial call may never be answered, so another may be made at once. */
  forgetTrial(): void {
    this.trialUntilNanoseconds = 0;
  }

  /** Another worker of this Envoy may have got an answer at `answeredAt`, which ends the outage here as well. */
  noteAnswerElsewhere(answeredAt: i64): void {
    if (this.failures > 0 && answeredAt > this.failedAtNanoseconds) this.noteAnswer(answeredAt);
  }

  /** SplitMix64, with the time mixed into the state: it differs between Envoys by nanoseconds. */
  random(now: i64): u64 {
    this.seed += 0x9e3779b97f4a7c15 ^ (<u64>now);
    let z = this.seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
}

/** Larger differences are not measured: with windows of a minute, one minute could be taken for the next. */
const MAX_APART_NANOSECONDS: i64 = 25 * NANOSECONDS;
/** Clocks drift and are adjusted, so the bounds widen by 1/1000 of the time that passes. */
const DRIFT: i64 = 1000;

/**
 * How much later the rate limit service's windows end than this Envoy's, estimated from its answers. Each answer gives the
 * window's remaining time in whole seconds, rounded up, as of some moment between the call and the answer. That is a lower and
 * an upper bound for the difference; over several answers they narrow down to about the duration of a call.
 *
 * The clocks count as equal until an answer contradicts that.
 */
export class ServiceClock {
  private leastNanoseconds: i64 = -MAX_APART_NANOSECONDS;
  private mostNanoseconds: i64 = MAX_APART_NANOSECONDS;
  private learntAtNanoseconds: i64 = 0;

  /** Takes an answer's lower and upper bound for the difference; false when they are too large to be used. */
  learn(least: i64, most: i64, now: i64): bool {
    if (least < -MAX_APART_NANOSECONDS || most > MAX_APART_NANOSECONDS) return false;
    const widened = abs(now - this.learntAtNanoseconds) / DRIFT;
    const low = max(this.leastNanoseconds - widened, least);
    const high = min(this.mostNanoseconds + widened, most);
    // Bounds that exclude each other mean that one of the clocks was set.
    const fits = low < high;
    this.leastNanoseconds = fits ? low : least;
    this.mostNanoseconds = fits ? high : most;
    this.learntAtNanoseconds = now;
    return true;
  }

  /** When a window that ends at `end` by this Envoy's clock may first be over at the service, by this Envoy's clock. */
  endOf(end: i64): i64 {
    return this.leastNanoseconds <= 0 && this.mostNanoseconds >= 0 ? end : end + this.leastNanoseconds;
  }
}

/** What is counted about a policy's rate limit service in this VM; the binding passes it on to the host's metrics on ticks. */
export const enum Count {
  /** Calls, and the units they asked for. */
  Asked,
  AskedUnits,
  GrantedUnits,
  /** Calls answered with "over limit". */
  Refused,
  /** Calls without an answer, or with a malformed one. */
  Failed,
  /** Answers that name no limit: the service does not know the quota. */
  Unlimited,
  /** Units that idle workers gave back to their Envoy's stock. */
  ReturnedUnits,
  /** Requests that waited, their total waiting time, and those that waited until their timeout. */
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
  /** True while there are counts that the host has not been given. */
  pending: bool = false;

  add(count: Count, by: i64): void {
    this.counts[<i32>count] += <u64>by;
    this.pending = true;
  }
}
