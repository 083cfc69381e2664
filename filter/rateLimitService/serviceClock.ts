/**
 * How far the rate limit service's windows end from where they would by this Envoy's clock, as far as its answers tell. Each says in whole
 * seconds, rounded up, how long the window goes on, counted from some moment between the call and its answer, so it gives a
 * lower and an upper bound; together they narrow down to about the time that a call takes.
 *
 * Clocks count as equal until an answer contradicts it.
 */
const NANOSECONDS: i64 = 1_000_000_000;
/** Clocks further apart are not learnt: a window of a minute would not tell one minute from the next. */
const MAX_APART: i64 = 25 * NANOSECONDS;
/** Clocks drift, and are set: bounds widen by a thousandth of the time that passes. */
const DRIFT: i64 = 1000;

export class ServiceClock {
  /** Nanoseconds that the rate limit service's window ends after ours, at least and at most. */
  least: i64 = -MAX_APART;
  most: i64 = MAX_APART;
  private learntAt: i64 = 0;

  /** An answer says that its window ends at least, and at most, so long after ours; false when it is too far away to tell. */
  learn(least: i64, most: i64, now: i64): bool {
    if (least < -MAX_APART || most > MAX_APART) return false;
    const widened = abs(now - this.learntAt) / DRIFT;
    const low = max(this.least - widened, least);
    const high = min(this.most + widened, most);
    // One of the clocks was set.
    const fits = low < high;
    this.least = fits ? low : least;
    this.most = fits ? high : most;
    this.learntAt = now;
    return true;
  }

  /** When a window that ends at `end` by our clock ends for sure, there and here. */
  endOf(end: i64): i64 {
    return this.least <= 0 && this.most >= 0 ? end : end + this.least;
  }
}
