import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ABI_EXPORT = 'proxy_abi_version_0_2_1';

/** Writes a valid proxy-wasm module that does nothing, made larger by a custom section of `padding` bytes. */
export function writeModule(folder: string, padding = 0, fill = 7): string {
  const path = join(folder, `${padding}-${fill}.wasm`);
  writeFileSync(path, moduleBytes(padding, fill));
  return path;
}

export function moduleBytes(padding = 0, fill = 7, exported = ABI_EXPORT): Buffer {
  return Buffer.concat([
    Buffer.from([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
    // type () -> (), one function of it, its export, its empty body
    section(1, [1, 0x60, 0, 0]),
    section(3, [1, 0]),
    section(7, [1, exported.length, ...Buffer.from(exported), 0, 0]),
    section(10, [1, 2, 0, 0x0b]),
    section(0, Buffer.concat([Buffer.from([3, ...Buffer.from('pad')]), noise(padding, fill)])),
  ]);
}

function section(id: number, content: Uint8Array | number[]): Buffer {
  return Buffer.concat([Buffer.from([id, ...leb128(content.length)]), Buffer.from(content)]);
}

function leb128(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb128(value >>> 7)];
}

/** Bytes that differ everywhere, so that a chunk at the wrong offset is noticed. */
function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0, state = seed; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
