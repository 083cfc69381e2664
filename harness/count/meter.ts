import type { Observer, Vm } from '../../scripts/host/vm.ts';

/** What crossed the boundary between host and module: exact costs, the same on every machine. */
export class Meter implements Observer {
  hostCalls = 0;
  /** Host calls that re-entered the module through malloc. */
  valueReturning = 0;
  /** Calls of the module's exports, malloc included. */
  entries = 0;
  bytesToGuest = 0;
  bytesFromGuest = 0;
  /** Calls by function; only functions that were called. */
  readonly calls = new Map<string, number>();

  entered(): void {
    this.entries++;
  }

  called(name: string): void {
    this.hostCalls++;
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
  }

  handed(bytes: number): void {
    this.valueReturning++;
    this.bytesToGuest += bytes;
  }

  took(bytes: number): void {
    this.bytesFromGuest += bytes;
  }

  reset(): void {
    this.hostCalls = 0;
    this.valueReturning = 0;
    this.entries = 0;
    this.bytesToGuest = 0;
    this.bytesFromGuest = 0;
    this.calls.clear();
  }

  /** One line for a test to print. */
  describe(): string {
    const names = [...this.calls].map(([name, count]) => (count === 1 ? name : `${name} ×${count}`));
    return (
      `${this.hostCalls} host calls (${this.valueReturning} value-returning), ${this.entries} V8 entries, ` +
      `${this.bytesToGuest} B in, ${this.bytesFromGuest} B out: ${names.join(', ')}`
    );
  }
}

/** The meter of a VM; counting starts when it is first requested. */
export function meterOf(vm: Vm): Meter {
  if (vm.observer instanceof Meter) return vm.observer;
  const meter = new Meter();
  vm.observer = meter;
  return meter;
}
