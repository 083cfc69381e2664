import { HostFault } from './fault.ts';
import type { WasmMemory } from './webAssembly.ts';

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
