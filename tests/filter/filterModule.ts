import { readFileSync } from 'node:fs';
import { serializePairs, type WasmMemory, type WasmModule, wasm } from '../../scripts/host/abi.ts';
import { callerProperty } from '../../scripts/host/property.ts';
import type { CallerFacts, Pair } from '../../scripts/host/stream.ts';

export const FILTER_MODULE = new URL('../../build/filter-test.wasm', import.meta.url);

/** A decision as the test entry prints it. */
export interface Decision {
  readonly reason: string;
  readonly status: number;
  readonly grpcStatus: number;
  readonly edits: (['set', string, string] | ['remove', string])[];
  readonly reply: { readonly body: string; readonly headers: Pair[] } | null;
  readonly response: Pair[];
  readonly log: string;
  /** The log fields that the policy wants, by the names of their filter states. */
  readonly fields: Pair[];
}

/** A decided request, until it has ended. */
interface OpenDecision {
  readonly decision: Decision;
  /** What callers are told once the upstream has answered with these headers. */
  readonly answer: (headers: readonly Pair[], nowMs: number) => Decision;
  readonly end: () => void;
}

interface FilterExports {
  readonly memory: WasmMemory;
  malloc(size: number): number;
  configure(pointer: number, length: number): number;
  problemPtr(): number;
  problemLen(): number;
  decide(pointer: number, length: number, peerLength: number, nowNanoseconds: bigint, streamId: number): number;
  answer(pointer: number, length: number, nowNanoseconds: bigint, streamId: number): number;
  endStream(streamId: number): void;
  resultPtr(): number;
  resultLen(): number;
  tick(nowNanoseconds: bigint): void;
}

/** The pure filter in an instance of its own: no host, no clock. */
export class FilterModule {
  private readonly guest: FilterExports;
  /** Who sends the request that is decided. */
  private caller: CallerFacts = {};
  private streams = 0;

  constructor(module: WasmModule = loadFilter()) {
    const env = {
      abort: (message: number, file: number, line: number, column: number) => {
        throw new Error(`filter aborted: ${this.string(message)} at ${this.string(file)}:${line}:${column}`);
      },
    };
    const test = { property: (...args: Parameters<typeof this.property>) => this.property(...args) };
    this.guest = new wasm.Instance(module, { env, test }).exports as unknown as FilterExports;
  }

  /** The problem with a plugin config, or null when it is in force. */
  configure(config: string | Buffer): string | null {
    const bytes = Buffer.from(config);
    const taken = this.guest.configure(this.copyIn(bytes), bytes.length);
    return taken === 1 ? null : this.text(this.guest.problemPtr(), this.guest.problemLen());
  }

  /** `source`: the client's address, as a host gives it. The stream ends at once, or with what `open` has to do. */
  decide(headers: readonly Pair[], nowMs: number, source = '127.0.0.1:50000', caller: CallerFacts = {}): Decision {
    const { decision, end } = this.open(headers, nowMs, source, caller);
    end();
    return decision;
  }

  /** The same of a stream that goes on until `end` is called. */
  open(headers: readonly Pair[], nowMs: number, source = '127.0.0.1:50000', caller: CallerFacts = {}): OpenDecision {
    this.caller = caller;
    const streamId = ++this.streams;
    const bytes = Buffer.concat([serializePairs(headers), Buffer.from(source)]);
    this.guest.decide(this.copyIn(bytes), bytes.length - source.length, source.length, nanoseconds(nowMs), streamId);
    const decision = JSON.parse(this.text(this.guest.resultPtr(), this.guest.resultLen())) as Decision;
    return {
      decision,
      answer: (answered, atMs) => this.answer(decision, streamId, answered, atMs),
      end: () => this.guest.endStream(streamId),
    };
  }

  private answer(decision: Decision, streamId: number, headers: readonly Pair[], nowMs: number): Decision {
    const bytes = serializePairs(headers);
    const isChanged = this.guest.answer(this.copyIn(bytes), bytes.length, nanoseconds(nowMs), streamId) === 1;
    if (!isChanged) return decision;
    const told = JSON.parse(this.text(this.guest.resultPtr(), this.guest.resultLen())) as Pair[];
    const names = new Set(['ratelimit', 'ratelimit-policy', 'ratelimit-warning', ...told.map(([name]) => name)]);
    return { ...decision, response: [...told, ...decision.response.filter(([name]) => !names.has(name))] };
  }

  tick(nowMs: number): void {
    this.guest.tick(nanoseconds(nowMs));
  }

  get memoryBytes(): number {
    return this.guest.memory.buffer.byteLength;
  }

  /** Writes a property of the caller to `to`, if it fits; its length, or -1 without one. */
  private property(path: number, pathLength: number, to: number, room: number): number {
    const segments = Buffer.from(this.guest.memory.buffer, path >>> 0, pathLength)
      .toString('utf8')
      .split('\0');
    const value = callerProperty(segments, this.caller);
    if (!(value instanceof Buffer) || value.length > room) return -1;
    new Uint8Array(this.guest.memory.buffer).set(value, to >>> 0);
    return value.length;
  }

  private copyIn(bytes: Buffer): number {
    const pointer = this.guest.malloc(bytes.length) >>> 0;
    new Uint8Array(this.guest.memory.buffer).set(bytes, pointer);
    return pointer;
  }

  private text(pointer: number, length: number): string {
    return Buffer.from(this.guest.memory.buffer, pointer >>> 0, length).toString('utf8');
  }

  /** An AssemblyScript string: UTF-16, its byte length in front. */
  private string(pointer: number): string {
    if (pointer === 0) return '?';
    const length = Buffer.from(this.guest.memory.buffer).readUInt32LE(pointer - 4);
    return Buffer.from(this.guest.memory.buffer, pointer, length).toString('utf16le');
  }
}

export function loadFilter(): WasmModule {
  return new wasm.Module(readFileSync(FILTER_MODULE));
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms * 1000)) * 1000n;
}
