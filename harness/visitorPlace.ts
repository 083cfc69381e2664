import { createHash } from 'node:crypto';

/** Where the module's table of visitors keeps a counter, for those who mean to fill one of its parts: see filter/quota/visitors. */
const SHARDS = 1024;
/** Places in one part. */
export const CELLS = 128;
const CROWDS = 255;
const [VISITOR, CROWD] = [0x56, 0x4e];
const CROWD_BITS = 32n;

/** An IPv6 network of 64 bits, as a number. */
export const network = (prefix: string, number: number): bigint => (BigInt(`0x${prefix}`) << 32n) | BigInt(number);

/** The part with an address's counter, but for a number that is the same for all of one consumer. */
export function placeOf(high: bigint): number {
  return Number(digestOf(VISITOR, high) % BigInt(SHARDS));
}

/** The crowd of the network of 32 bits around an address. */
export function crowdOf(high: bigint): number {
  return Number(digestOf(CROWD, (high >> CROWD_BITS) << CROWD_BITS) % BigInt(CROWDS));
}

function digestOf(kind: number, high: bigint): bigint {
  const message = Buffer.alloc(18);
  message.writeUInt8(kind, 0);
  message.writeBigUInt64LE(high, 2);
  return createHash('sha256').update(message).digest().readBigUInt64LE(0);
}

/** So many networks under a prefix of 32 bits whose counters are in one part. */
export function neighbours(prefix: string, place: number, count: number): bigint[] {
  const found: bigint[] = [];
  for (let i = 1; found.length < count; i++) if (placeOf(network(prefix, i)) === place) found.push(network(prefix, i));
  return found;
}

export function addressIn(high: bigint): string {
  const hex = high.toString(16).padStart(16, '0');
  return `${hex.match(/.{4}/g)!.join(':')}::1`;
}
