import { MAX_PAIRS, MAX_PAIRS_BYTES } from './abi.ts';
import { HostFault } from './fault.ts';

/** A header: name and value as byte strings (latin1: a character is a byte). */
export type Pair = [name: string, value: string];

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
  if (bytes[at + length] !== 0) throw new HostFault('header pairs: no NUL after a text');
  return bytes.toString('latin1', at, at + length);
}
