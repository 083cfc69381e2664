import { type LogLevel, MetricType, Result } from './abi.ts';
import { type Backend, noBackend } from './grpc.ts';

export interface LogLine {
  readonly vm: string;
  readonly level: LogLevel;
  readonly message: string;
}

/** What all VMs of one Envoy process share. */
export class Process {
  readonly sharedData = new SharedData();
  readonly metrics = new MetricStore();
  readonly logs: LogLine[] = [];
  /** Traps and misuse of the ABI, by VM. A test that ends with one has failed. */
  readonly faults: string[] = [];
  readonly timeline: Timeline;

  /** Begins a time of its own at a moment, or joins the timeline of other processes. */
  constructor(
    time: number | Timeline,
    readonly backend: Backend = noBackend,
    readonly hasRandomBytes = true,
  ) {
    this.timeline = typeof time === 'number' ? new Timeline(time) : time;
  }

  get clock(): Clock {
    return this.timeline.clock;
  }
}

interface Entry {
  value: Buffer;
  cas: number;
}

/** Called between a guest's get and its set: a test writes here to force a lost race. */
export type BeforeSet = (key: string, sharedData: SharedData) => void;

/** The process-wide store all VMs share. No delete, no expiry: it outlives configurations and VMs. */
export class SharedData {
  /** Runs before each set of a guest, outside of any set the hook itself makes. */
  beforeSet: BeforeSet | undefined;
  private readonly entries = new Map<string, Entry>();
  private nextCas = 1;
  private inHook = false;

  get(key: string): Entry | undefined {
    return this.entries.get(key);
  }

  /** A cas of 0 sets unconditionally; for a key that does not exist yet the cas is ignored, so two creators both win. */
  set(key: string, value: Buffer, cas: number): number {
    this.runHook(key);
    const entry = this.entries.get(key);
    if (entry !== undefined && cas !== 0 && cas !== entry.cas) return Result.casMismatch;
    this.entries.set(key, { value: Buffer.from(value), cas: this.nextCas });
    this.nextCas = (this.nextCas + 1) >>> 0 || 1;
    return Result.ok;
  }

  keys(): string[] {
    return [...this.entries.keys()];
  }

  private runHook(key: string): void {
    if (this.beforeSet === undefined || this.inHook) return;
    this.inHook = true;
    try {
      this.beforeSet(key, this);
    } finally {
      this.inHook = false;
    }
  }
}

export interface StoredMetric {
  readonly type: number;
  value: bigint;
}

/** The process's stats, by name without the `wasmcustom.` prefix. Never expire; ids belong to a VM, values do not. */
export class MetricStore {
  readonly byName = new Map<string, StoredMetric>();

  define(type: number, name: string): StoredMetric {
    const existing = this.byName.get(name);
    if (existing !== undefined && existing.type === type) return existing;
    const metric: StoredMetric = { type, value: 0n };
    this.byName.set(name, metric);
    return metric;
  }

  gauge(name: string): number {
    const metric = this.byName.get(name);
    return metric?.type === MetricType.gauge ? Number(metric.value) : 0;
  }

  counter(name: string): number {
    const metric = this.byName.get(name);
    return metric?.type === MetricType.counter ? Number(metric.value) : 0;
  }
}

interface Event {
  readonly atMs: number;
  /** Events of one moment happen in the order in which they were set. */
  readonly order: number;
  readonly action: () => void;
}

/**
 * What is going to happen in virtual time: timers, answers on their way. Several processes on one timeline are several
 * Envoys at once. Nothing can be cancelled: an action that is no longer wanted has to notice that itself.
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
