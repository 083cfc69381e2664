import { readFileSync } from 'node:fs';
import type { Pair } from './stream.ts';

/** Of proxy-wasm. */
export const ABI_VERSION = '0.2.1';

/** Numbers of this ABI, as the C++ host has them. */

export const Result = {
  ok: 0,
  notFound: 1,
  badArgument: 2,
  serializationFailure: 3,
  parseFailure: 4,
  invalidMemoryAccess: 6,
  empty: 7,
  casMismatch: 8,
  internalFailure: 10,
  unimplemented: 12,
} as const;

export const MapType = {
  requestHeaders: 0,
  requestTrailers: 1,
  responseHeaders: 2,
  last: 7,
} as const;

export const BufferType = {
  grpcReceiveBuffer: 5,
  vmConfiguration: 6,
  pluginConfiguration: 7,
  last: 8,
} as const;

/** gRPC status codes that a host makes itself. */
export const GrpcStatus = { unavailable: 14 } as const;

export const StreamType = { request: 0, response: 1, last: 3 } as const;

export const MetricType = { counter: 0, gauge: 1, histogram: 2 } as const;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'critical'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What `proxy_on_request_headers` returns to let the request go on. */
export const ACTION_CONTINUE = 0;

/** `grpc_status` of a plain HTTP local response: −1 as the guest's u32. */
export const NO_GRPC_STATUS = 0xffffffff;

/** The host drops pairs beyond these silently, so a guest that sends more has a bug. */
export const MAX_PAIRS = 1024;
export const MAX_PAIRS_BYTES = 1024 * 1024;

export const MAX_MEMORY_BYTES = 1024 * 1024 * 1024;

/**
 * The guest did what a real host answers with silence or a crash: bad pointers, a second reply, headers out of phase.
 * A test that meets one has failed, whatever it asserts.
 */
export class HostFault extends Error {}

export type HostFunction = (...args: number[]) => number;
export type HostFunctions = Record<string, HostFunction>;

/** Every `env` function of ABI 0.2.1 and how many i32 it takes; the two with an i64 say so in full. */
export const PARAMETERS: Record<string, number | string> = {
  log: 3,
  get_log_level: 1,
  get_status: 3,
  set_property: 4,
  get_property: 4,
  send_local_response: 8,
  continue_stream: 1,
  close_stream: 1,
  get_shared_data: 5,
  set_shared_data: 5,
  register_shared_queue: 3,
  resolve_shared_queue: 5,
  dequeue_shared_queue: 3,
  enqueue_shared_queue: 3,
  get_header_map_value: 5,
  add_header_map_value: 5,
  replace_header_map_value: 5,
  remove_header_map_value: 3,
  get_header_map_pairs: 3,
  set_header_map_pairs: 3,
  get_header_map_size: 2,
  get_buffer_status: 3,
  get_buffer_bytes: 5,
  set_buffer_bytes: 5,
  http_call: 10,
  grpc_call: 12,
  grpc_stream: 9,
  grpc_close: 1,
  grpc_cancel: 1,
  grpc_send: 4,
  set_tick_period_milliseconds: 1,
  get_current_time_nanoseconds: 1,
  define_metric: 4,
  increment_metric: '(i32,i64)->i32',
  record_metric: '(i32,i64)->i32',
  get_metric: 2,
  set_effective_context: 1,
  done: 0,
  call_foreign_function: 6,
};

/** The module that the host's functions of WASI are imported from. */
export const WASI = 'wasi_snapshot_preview1';

/** The signature a real host expects of `env.NAME`, or undefined where it has no such function. */
export function expectedSignature(importName: string): string | undefined {
  if (importName === `${WASI}.random_get`) return '(i32,i32)->i32';
  const parameters = PARAMETERS[importName.replace(/^env\.proxy_/, '')];
  if (parameters === undefined || !importName.startsWith('env.proxy_')) return undefined;
  if (typeof parameters === 'string') return parameters;
  return `(${Array.from({ length: parameters }, () => 'i32').join(',')})->i32`;
}

/** A guest's linear memory with every access checked. */
export class GuestMemory {
  private cached: Buffer;

  constructor(private readonly memory: WasmMemory) {
    this.cached = Buffer.from(memory.buffer);
  }

  get byteLength(): number {
    return this.memory.buffer.byteLength;
  }

  read(pointer: number, size: number, what: string): Buffer {
    this.check(pointer, size, what);
    return this.bytes.subarray(pointer, pointer + size);
  }

  text(pointer: number, size: number, what: string): string {
    this.check(pointer, size, what);
    return this.bytes.toString('latin1', pointer, pointer + size);
  }

  /** A view of `size` bytes the host is about to fill. */
  target(pointer: number, size: number, what: string): Buffer {
    return this.read(pointer, size, what);
  }

  setU32(pointer: number, value: number, what: string): void {
    this.check(pointer, 4, what);
    this.bytes.writeUInt32LE(value >>> 0, pointer);
  }

  setU64(pointer: number, value: bigint, what: string): void {
    this.check(pointer, 8, what);
    this.bytes.writeBigUInt64LE(value, pointer);
  }

  /** Growth detaches the old view, which then has no length. */
  private get bytes(): Buffer {
    if (this.cached.length === 0) this.cached = Buffer.from(this.memory.buffer);
    return this.cached;
  }

  private check(pointer: number, size: number, what: string): void {
    if (pointer + size <= this.bytes.length && (pointer !== 0 || size === 0)) return;
    throw new HostFault(`${what}: pointer ${pointer}, size ${size}, memory ${this.memory.buffer.byteLength}`);
  }
}

/*
 * u32 n · n × (u32 name bytes, u32 value bytes) · n × (name NUL value NUL)      little endian
 */

export function pairsSize(pairs: readonly Pair[]): number {
  let size = 4;
  for (const [name, value] of pairs) size += 8 + name.length + 1 + value.length + 1;
  return size;
}

/** Writes the pairs at `offset`, exactly `pairsSize(pairs)` bytes. */
export function writePairs(pairs: readonly Pair[], target: Buffer, offset: number): void {
  let at = target.writeUInt32LE(pairs.length, offset);
  for (const [name, value] of pairs) {
    at = target.writeUInt32LE(name.length, at);
    at = target.writeUInt32LE(value.length, at);
  }
  for (const [name, value] of pairs) {
    at += target.write(name, at, 'latin1');
    target[at++] = 0;
    at += target.write(value, at, 'latin1');
    target[at++] = 0;
  }
}

export function serializePairs(pairs: readonly Pair[]): Buffer {
  const bytes = Buffer.alloc(pairsSize(pairs));
  writePairs(pairs, bytes, 0);
  return bytes;
}

/** Reads what a guest serialised. A real host turns anything malformed into no pairs at all; here it is a fault. */
export function parsePairs(bytes: Buffer): Pair[] {
  if (bytes.length === 0) return [];
  if (bytes.length > MAX_PAIRS_BYTES) throw new HostFault(`header pairs: ${bytes.length} bytes, the host takes 1 MiB`);
  if (bytes.length < 4) throw new HostFault(`header pairs: ${bytes.length} bytes, no room for the count`);
  const count = bytes.readUInt32LE(0);
  if (count > MAX_PAIRS) throw new HostFault(`header pairs: ${count} pairs, the host takes ${MAX_PAIRS}`);
  if (4 + count * 8 > bytes.length)
    throw new HostFault(`header pairs: ${count} pairs do not fit ${bytes.length} bytes`);
  const pairs: Pair[] = [];
  let at = 4 + count * 8;
  for (let i = 0; i < count; i++) {
    const name = text(bytes, at, bytes.readUInt32LE(4 + i * 8));
    at += name.length + 1;
    const value = text(bytes, at, bytes.readUInt32LE(8 + i * 8));
    at += value.length + 1;
    pairs.push([name, value]);
  }
  if (at !== bytes.length) throw new HostFault(`header pairs: ${bytes.length - at} bytes left over`);
  return pairs;
}

function text(bytes: Buffer, at: number, length: number): string {
  if (at + length + 1 > bytes.length) throw new HostFault('header pairs: a length points past the end');
  if (bytes[at + length] !== 0) throw new HostFault('header pairs: no NUL after a string');
  return bytes.toString('latin1', at, at + length);
}

/** The part of the WebAssembly API used here: Node's types leave it to the DOM's, which nothing else here needs. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** Opaque: compiled code. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: string;
}

export interface WasmInstance {
  readonly exports: Record<string, unknown>;
}

export type WasmImports = Record<string, Record<string, unknown>>;

interface WebAssemblyApi {
  readonly Module: {
    new (bytes: Uint8Array): WasmModule;
    imports(module: WasmModule): { module: string; name: string; kind: string }[];
    exports(module: WasmModule): { name: string; kind: string }[];
  };
  readonly Instance: new (module: WasmModule, imports: WasmImports) => WasmInstance;
}

export const wasm = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;

/**
 * Compiles a module, given as bytes or as a file's path, after the check a real host makes: every import known, with the
 * host's own signature. Throws a HostFault when it is not, an Error when the bytes are not valid wasm or the file cannot
 * be read.
 */
export function loadModule(from: Uint8Array | string | URL): WasmModule {
  const bytes = from instanceof Uint8Array ? from : readFileSync(from);
  for (const [name, signature] of importSignatures(bytes)) {
    const expected = expectedSignature(name);
    if (expected === undefined) throw new HostFault(`module imports ${name}, which a host does not have`);
    if (expected !== signature) throw new HostFault(`module imports ${name} as ${signature}; the host has ${expected}`);
  }
  return new wasm.Module(bytes);
}

/*
 * The JavaScript API does not tell the signatures of imports, but a real host refuses a module whose signatures are not
 * its own.
 * A module: magic and version (8 bytes), then sections: u8 id · leb size · content. Type = 1, import = 2.
 */

const VALUE_TYPES: Record<number, string> = { 0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64' };

/** `module.name` of each imported function → its signature, such as `(i32,i32)->i32`. */
export function importSignatures(module: Uint8Array): Map<string, string> {
  const reader = new WasmReader(module, 8);
  let types: string[] = [];
  while (!reader.atEnd) {
    const id = reader.byte();
    const end = reader.leb() + reader.at;
    if (id === 1) types = readTypes(reader);
    if (id === 2) return readImports(reader, types);
    reader.at = end;
  }
  return new Map();
}

function readTypes(reader: WasmReader): string[] {
  return reader.list(() => {
    if (reader.byte() !== 0x60) throw new HostFault('module: a type that is not a function');
    const parameters = reader.list(() => valueType(reader));
    const results = reader.list(() => valueType(reader));
    return `(${parameters.join(',')})->${results.join(',')}`;
  });
}

function readImports(reader: WasmReader, types: string[]): Map<string, string> {
  const imports = new Map<string, string>();
  reader.list(() => {
    const name = `${reader.text()}.${reader.text()}`;
    if (reader.byte() !== 0) throw new HostFault(`module: imports ${name}, which is not a function`);
    imports.set(name, types[reader.leb()] ?? '?');
  });
  return imports;
}

function valueType(reader: WasmReader): string {
  return VALUE_TYPES[reader.byte()] ?? '?';
}

/** Reads a wasm module's bytes, from the front. */
export class WasmReader {
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {}

  get atEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  byte(): number {
    return this.bytes[this.at++] ?? 0;
  }

  leb(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  text(): string {
    const length = this.leb();
    this.at += length;
    return Buffer.from(this.bytes.subarray(this.at - length, this.at)).toString();
  }

  list<T>(item: () => T): T[] {
    return Array.from({ length: this.leb() }, item);
  }
}
