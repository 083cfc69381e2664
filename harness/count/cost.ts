import { readFileSync } from 'node:fs';
import { meterOf } from './meter.ts';
import { BULK_BYTES, INSTRUCTIONS, counted } from './counted.ts';
import type { Host } from '../../scripts/host/host.ts';
import { type WasmModule, wasm } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';

/** What some work cost the module in a worker: exact, and the same on every machine. */
export interface Cost {
  readonly hostCalls: Record<string, number>;
  /** Host calls that came back into the module for memory. */
  readonly valueReturning: number;
  readonly entries: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly instructions: number;
  /** Bytes that `memory.copy` and `memory.fill` moved. */
  readonly bulkBytes: number;
}

/** The built module, counting what it executes. */
export function loadCounted(path: string | URL = modulePath): WasmModule {
  return new wasm.Module(counted(readFileSync(path)));
}

/** Cost of `work` in the first worker of a host that runs a counted module. */
export function costOf(host: Host, work: () => void): Cost {
  const worker = host.workers[0]!;
  const meter = meterOf(worker);
  meter.reset();
  const instructions = worker.global(INSTRUCTIONS);
  const bulkBytes = worker.global(BULK_BYTES);
  work();
  return {
    hostCalls: Object.fromEntries([...meter.calls].sort()),
    valueReturning: meter.valueReturning,
    entries: meter.entries,
    bytesIn: meter.bytesToGuest,
    bytesOut: meter.bytesFromGuest,
    instructions: Number(worker.global(INSTRUCTIONS) - instructions),
    bulkBytes: Number(worker.global(BULK_BYTES) - bulkBytes),
  };
}
