import type { LogLevel } from './abi.ts';
import { Clock } from './clock.ts';
import { MetricStore } from './metric.ts';
import { SharedData } from './sharedData.ts';

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
  readonly clock: Clock;

  constructor(startMs: number) {
    this.clock = new Clock(startMs);
  }
}
