import { MetricType } from './abi.ts';

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
