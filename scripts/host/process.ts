import { type LogLevel, MetricType, Result } from './abi.ts';
import { type Backend, noBackend } from './grpc.ts';
import { type Clock, Timeline } from './timeline.ts';

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

  /** A cas of 0 sets without a look; on a key that does not exist yet the cas is ignored, so two creators both win. */
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

export interface Metric {
  readonly type: number;
  value: bigint;
}

/** The process's stats, by name without the `wasmcustom.` prefix. Never expire; ids belong to a VM, values do not. */
export class MetricStore {
  readonly byName = new Map<string, Metric>();

  define(type: number, name: string): Metric {
    const existing = this.byName.get(name);
    if (existing !== undefined && existing.type === type) return existing;
    const metric: Metric = { type, value: 0n };
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
