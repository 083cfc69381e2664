import { HostFault } from './fault.ts';
import { WasmReader } from './wasmReader.ts';

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
    if (reader.byte() !== 0x60) throw new HostFault('module: a type that is no function');
    const parameters = reader.list(() => valueType(reader));
    const results = reader.list(() => valueType(reader));
    return `(${parameters.join(',')})->${results.join(',')}`;
  });
}

function readImports(reader: WasmReader, types: string[]): Map<string, string> {
  const imports = new Map<string, string>();
  reader.list(() => {
    const name = `${reader.text()}.${reader.text()}`;
    if (reader.byte() !== 0) throw new HostFault(`module: imports ${name}, which is no function`);
    imports.set(name, types[reader.leb()] ?? '?');
  });
  return imports;
}

function valueType(reader: WasmReader): string {
  return VALUE_TYPES[reader.byte()] ?? '?';
}
