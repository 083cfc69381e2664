/**
 * Time as data. `wall` is what the guest reads and may jump either way, as after an NTP step; `elapsed` only grows and
 * drives timers.
 */
export class Clock {
  private elapsedMs = 0;
  private offsetMs: number;

  constructor(startMs: number) {
    this.offsetMs = startMs;
  }

  get wallMs(): number {
    return this.offsetMs + this.elapsedMs;
  }

  get wallNanoseconds(): bigint {
    // Fractions of a millisecond matter to token buckets; a double holds a date to about a quarter of a microsecond.
    return BigInt(Math.round(this.wallMs * 1000)) * 1000n;
  }

  get elapsed(): number {
    return this.elapsedMs;
  }

  /** Time passes: wall and timers move together. */
  pass(ms: number): void {
    this.elapsedMs += ms;
  }

  /** The wall clock is set; no time passes. */
  jump(wallMs: number): void {
    this.offsetMs = wallMs - this.elapsedMs;
  }
}
