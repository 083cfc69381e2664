import { Refusal } from '../cli/command.ts';
import { readBounded } from '../file/read.ts';

/** The part of the WebAssembly API used here: Node's types leave it to the DOM's. */
interface WebAssemblyApi {
  readonly Module: { new (bytes: Uint8Array): object; exports(module: object): { name: string }[] };
}
const { Module } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;

/** Ours has 100 KB; Istio takes 256 MiB at most. */
const MAX_MODULE_BYTES = 256 * 1024 * 1024;
const ABI_EXPORT = /^proxy_abi_version_(\d+)_(\d+)_(\d+)$/;

export interface WasmFile {
  readonly bytes: Uint8Array;
  /** Of proxy-wasm, such as `0.2.1`. */
  readonly abiVersion: string;
}

/**
 * A module that an Envoy can load, as far as that can be told without one: valid wasm, with a proxy-wasm ABI. An image with
 * anything else in it would be found out only when every proxy refuses it.
 */
export async function readWasm(path: string): Promise<WasmFile> {
  const bytes = await readBounded(path, MAX_MODULE_BYTES).catch((error: Error) => {
    throw new Refusal(`${path}: ${error.message}`);
  });
  const abiVersion = abiOf(path, bytes);
  return { bytes, abiVersion };
}

function abiOf(path: string, bytes: Uint8Array): string {
  let names: string[];
  try {
    names = Module.exports(new Module(bytes)).map(({ name }) => name);
  } catch (error) {
    throw new Refusal(`${path}: not a WebAssembly module: ${(error as Error).message}`);
  }
  for (const name of names) {
    const version = ABI_EXPORT.exec(name);
    if (version !== null) return version.slice(1).join('.');
  }
  throw new Refusal(`${path}: not a proxy-wasm module: exports no proxy_abi_version_…`);
}
