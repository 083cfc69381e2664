import { readFileSync } from 'node:fs';
import { HostFault } from './fault.ts';
import { expectedSignature } from './imports.ts';
import { importSignatures } from './signature.ts';
import { wasm, type WasmModule } from './webAssembly.ts';

/** What `tollgate build` writes. */
export const MODULE = new URL('../../build/tollgate.wasm', import.meta.url);

/** Compiles a module after the check a real host makes: every import known, with the host's own signature. */
export function loadModule(path: string | URL): WasmModule {
  const bytes = readFileSync(path);
  for (const [name, signature] of importSignatures(bytes)) {
    const expected = expectedSignature(name);
    if (expected === undefined) throw new HostFault(`module imports ${name}, which a host does not have`);
    if (expected !== signature) throw new HostFault(`module imports ${name} as ${signature}; the host has ${expected}`);
  }
  return new wasm.Module(bytes);
}
