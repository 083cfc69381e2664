import { HostFault, MAX_PAIRS, MAX_PAIRS_BYTES } from './abi.ts';
import type { Pair } from './headers.ts';
import type { WasmMemory } from './module.ts';

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
