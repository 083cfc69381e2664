/**
 * Whether the rate limit service answers this VM. After a failed call, none is made for a while that doubles with each failure, up to ten
 * seconds, less a random part of up to a half, so that Envoys that lost the rate limit service together do not come back together. Then
 * one call tries; the others go on by their failure modes until it has been answered.
 */
const FIRST_BACKOFF_NANOSECONDS: i64 = 100_000_000;
const MAX_DOUBLINGS = 7;
const MAX_BACKOFF_NANOSECONDS: i64 = 10_000_000_000;
/** How long a trial may go unanswered; the host ends calls earlier. */
const TRIAL_NANOSECONDS: i64 = 10_000_000_000;

export class Outage {
  /** Failures in a row; 0 while the rate limit service answers. */
  failures: i32 = 0;
  private failedAt: i64 = 0;
  private retryAt: i64 = 0;
  private trialUntil: i64 = 0;
  /** When any call of this VM was last answered. */
  answeredAt: i64 = 0;
  private seed: u64 = 0;

  /** True while nobody may be made to wait for the rate limit service, nor it be called. */
  isDown(now: i64): bool {
    if (this.failures == 0) return false;
    return isAhead(this.retryAt, now, MAX_BACKOFF_NANOSECONDS) || isAhead(this.trialUntil, now, TRIAL_NANOSECONDS);
  }

  noteAsk(now: i64): void {
    if (this.failures > 0) this.trialUntil = now + TRIAL_NANOSECONDS;
  }

  /** The call that began at `sentAt` has failed, or somebody has waited for it too long. */
  noteFailure(sentAt: i64, now: i64): void {
    // A call that is given up after later ones were answered says nothing of now; a clock that was set back, nothing of order.
    if (sentAt < this.answeredAt && this.answeredAt <= now) return;
    // Calls that were under way together fail together: that is one failure.
    if (this.failures > 0 && sentAt < this.failedAt) return;
    this.failures = min(this.failures + 1, MAX_DOUBLINGS + 1);
    const whole = min(FIRST_BACKOFF_NANOSECONDS << (this.failures - 1), MAX_BACKOFF_NANOSECONDS);
    this.failedAt = now;
    this.retryAt = now + whole - <i64>(this.random(now) % <u64>(whole / 2));
    this.trialUntil = 0;
  }

  noteAnswer(now: i64): void {
    this.answeredAt = max(this.answeredAt, now);
    this.failures = 0;
    this.trialUntil = 0;
  }

  /** The trial under way may never be answered: another may be made at once. */
  forgetTrial(): void {
    this.trialUntil = 0;
  }

  /** Some worker of this Envoy had an answer then. */
  hear(answeredAt: i64): void {
    if (this.failures > 0 && answeredAt > this.failedAt) this.noteAnswer(answeredAt);
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

/** A time further ahead than `most` was set before the clock went back. */
function isAhead(time: i64, now: i64, most: i64): bool {
  return now < time && time - now <= most;
}
