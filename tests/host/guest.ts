import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import binaryen from 'binaryen';
import { type WasmModule, loadModule } from '../../scripts/host/abi.ts';

/** A guest written by hand: imports first, then functions; memory, malloc and the ABI's mark are there. */
export function guest(imports: string, functions: string): WasmModule {
  const wat = `(module ${imports} (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 1024))
    ${functions})`;
  const folder = mkdtempSync(join(tmpdir(), 'guest-'));
  const parsed = binaryen.parseText(wat);
  try {
    writeFileSync(join(folder, 'guest.wasm'), parsed.emitBinary());
    return loadModule(join(folder, 'guest.wasm'));
  } finally {
    parsed.dispose();
    rmSync(folder, { recursive: true });
  }
}
