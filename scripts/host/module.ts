import { readFileSync } from 'node:fs';
import { expectedSignature, HostFault } from './abi.ts';

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
 * host's own signature. Throws a HostFault when it is not, an Error when the bytes are no valid wasm or the file cannot be read.
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
 * The JavaScript API does not tell the signatures of imports, yet a real host refuses a module over them.
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
