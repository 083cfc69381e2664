import type { LogLevel } from './abi.ts';
import { noBackend, type Backend } from './backend.ts';
import type { Clock } from './clock.ts';
import { MetricStore } from './metric.ts';
import { SharedData } from './sharedData.ts';
import { Timeline } from './timeline.ts';

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
