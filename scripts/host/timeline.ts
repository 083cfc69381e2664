interface Event {
  readonly atMs: number;
  /** Events of one moment happen in the order in which they were set. */
  readonly order: number;
  readonly action: () => void;
}

/**
 * What is going to happen, on a clock that nobody waits for: timers, answers under way. Several processes on one timeline
 * are several Envoys at once. Nothing is taken back: an action that is no longer wanted has to see that itself.
 */
export class Timeline {
  readonly clock: Clock;
  private readonly heap: Event[] = [];
  private nextOrder = 0;

  constructor(startMs: number) {
    this.clock = new Clock(startMs);
  }

  /** `atMs` is on the clock's elapsed time. */
  at(atMs: number, action: () => void): void {
    if (atMs === Infinity) return;
    this.push({ atMs, order: this.nextOrder++, action });
  }

  after(ms: number, action: () => void): void {
    this.at(this.clock.elapsed + ms, action);
  }

  /** Lets time pass, with everything that falls due in it. */
  pass(ms: number): void {
    const end = this.clock.elapsed + ms;
    for (let next = this.heap[0]; next !== undefined && next.atMs <= end; next = this.heap[0]) {
      this.pop();
      this.clock.pass(Math.max(0, next.atMs - this.clock.elapsed));
      next.action();
    }
    this.clock.pass(Math.max(0, end - this.clock.elapsed));
  }

  private push(event: Event): void {
    const { heap } = this;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

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
