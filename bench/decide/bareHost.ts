import { WASI, serializePairs, type WasmMemory, type WasmModule, wasm } from '../../scripts/host/abi.ts';
import type { Pair } from '../../scripts/host/stream.ts';

/** The exports that a request calls in a worker. */
interface Guest {
  readonly memory: WasmMemory;
  malloc(size: number): number;
  proxy_on_context_create(id: number, parent: number): void;
  proxy_on_vm_start(root: number, size: number): number;
  proxy_on_configure(root: number, size: number): number;
  proxy_on_request_headers(id: number, count: number, endOfStream: number): number;
  proxy_on_response_headers(id: number, count: number, endOfStream: number): void;
  proxy_on_tick(root: number): void;
}

const OK = 0;
const NOT_FOUND = 1;
const CAS_MISMATCH = 8;
/** Status from functions that the module does not need without mesh-wide quotas. */
const UNIMPLEMENTED = 12;
const ROOT = 1;
const TICK_MILLISECONDS = 250;

/**
 * The smallest host on which the module runs, so that only the module is timed: headers are bytes made beforehand, and edits of them
 * are dropped. Time is a number that each request advances. The host in `scripts/host` checks what this one trusts.
 */
export class BareHost {
  hostCalls = 0;
  /** Local replies sent: requests that were refused. */
  refused = 0;
  private readonly guest: Guest;
  private readonly shared = new Map<string, { value: Buffer; cas: number }>();
  private config: Uint8Array = new Uint8Array();
  private headers: Uint8Array = new Uint8Array();
  private headerCount = 0;
  private nanoseconds = BigInt(Date.UTC(2026, 0, 15, 12)) * 1_000_000n;
  private sinceTick = 0;
  private nextStream = ROOT;
  private metrics = 0;

  constructor(module: WasmModule) {
    const known = this.functions();
    const env = Object.fromEntries(
      wasm.Module.imports(module).map(({ name }) => [
        name,
        this.counting(known[name.replace('proxy_', '')] ?? (() => UNIMPLEMENTED)),
      ]),
    );
    this.guest = new wasm.Instance(module, { env, [WASI]: { random_get: () => 0 } }).exports as unknown as Guest;
    this.guest.proxy_on_context_create(ROOT, 0);
    this.guest.proxy_on_vm_start(ROOT, 0);
  }

  get memoryBytes(): number {
    return this.guest.memory.buffer.byteLength;
  }

  /** A global of a counted module. */
  global(name: string): number {
    return Number((this.guest as unknown as Record<string, { value: bigint }>)[name]!.value);
  }

  configure(config: Uint8Array): void {
    this.config = config;
    if (this.guest.proxy_on_configure(ROOT, config.length) !== 1) throw new Error('the module refused the config');
    this.config = new Uint8Array();
  }

  /** The headers of all further requests, as bytes that may be changed between requests. */
  prepare(headers: readonly Pair[]): Buffer {
    const bytes = serializePairs(headers);
    this.headers = bytes;
    this.headerCount = headers.length;
    return bytes;
  }

  /** Sends a request and its response, `microseconds` after the last one, with the ticks that fall in between. */
  request(microseconds: number): void {
    this.nanoseconds += BigInt(microseconds) * 1000n;
    this.sinceTick += microseconds;
    if (this.sinceTick >= TICK_MILLISECONDS * 1000) {
      this.sinceTick = 0;
      this.guest.proxy_on_tick(ROOT);
    }
    const id = ++this.nextStream;
    this.guest.proxy_on_context_create(id, ROOT);
    this.guest.proxy_on_request_headers(id, this.headerCount, 1);
    this.guest.proxy_on_response_headers(id, 2, 1);
  }

  private counting(run: (...args: number[]) => number): (...args: number[]) => number {
    return (...args) => {
      this.hostCalls++;
      return run(...args);
    };
  }

  private functions(): Record<string, (...args: number[]) => number> {
    return {
      log: (_, pointer, size) => this.complain(pointer, size),
      get_buffer_bytes: (_kind, _start, _length, pointer, size) => this.give(this.config, pointer, size),
      get_header_map_pairs: (_map, pointer, size) => this.give(this.headers, pointer, size),
      get_current_time_nanoseconds: (pointer) => {
        this.view().setBigUint64(pointer, this.nanoseconds, true);
        return OK;
      },
      replace_header_map_value: () => OK,
      remove_header_map_value: () => OK,
      send_local_response: () => {
        this.refused++;
        return OK;
      },
      get_property: () => NOT_FOUND,
      set_property: () => OK,
      get_shared_data: (key, keySize, pointer, size, cas) => {
        const entry = this.shared.get(this.text(key, keySize));
        if (entry === undefined) return NOT_FOUND;
        this.give(entry.value, pointer, size);
        this.view().setUint32(cas, entry.cas, true);
        return OK;
      },
      set_shared_data: (key, keySize, value, size, cas) => {
        const name = this.text(key, keySize);
        const before = this.shared.get(name);
        if (cas !== 0 && before?.cas !== cas) return CAS_MISMATCH;
        this.shared.set(name, { value: Buffer.from(this.bytes(value, size)), cas: (before?.cas ?? 0) + 1 });
        return OK;
      },
      define_metric: (_kind, _name, _size, id) => {
        this.view().setUint32(id, ++this.metrics, true);
        return OK;
      },
      increment_metric: () => OK,
      set_tick_period_milliseconds: () => OK,
    };
  }

  /** Copies a value into memory that the module allocates. */
  private give(value: Uint8Array, pointerAt: number, sizeAt: number): number {
    const pointer = this.guest.malloc(value.length) >>> 0;
    this.bytes(pointer, value.length).set(value);
    const view = this.view();
    view.setUint32(pointerAt, pointer, true);
    view.setUint32(sizeAt, value.length, true);
    return OK;
  }

  private complain(pointer: number, size: number): number {
    const line = this.text(pointer, size);
    if (!line.includes(' in force: ')) throw new Error(line);
    return OK;
  }

  private text(pointer: number, size: number): string {
    return Buffer.from(this.guest.memory.buffer, pointer, size).toString('latin1');
  }

  private bytes(pointer: number, size: number): Uint8Array {
    return new Uint8Array(this.guest.memory.buffer, pointer, size);
  }

  private view(): DataView {
    return new DataView(this.guest.memory.buffer);
  }
}
