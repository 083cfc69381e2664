import { createHash, randomBytes } from 'node:crypto';
import { base62, crc32 } from './checksum.ts';

/**
 * A key that this tool issues:
 *
 *   tg_ │ id │ _ │ secret: 160 random bits, 27 base62 digits │ checksum: CRC-32 of all before it, 6 base62 digits
 *
 * 62^27 > 2^160 and 62^6 > 2^32, so both fit and every value is equally likely; the id is public.
 */
const SECRET_DIGITS = 27;
const CHECKSUM_DIGITS = 6;
const ID_DIGITS = 8;
const SECRET_BYTES = 20;
/** 46 random bits, which 8 base62 digits hold without rejecting any. */
const ID_BITS = 46n;

const FORMAT = new RegExp(`^tg_(.+)_([0-9A-Za-z]{${SECRET_DIGITS}})([0-9A-Za-z]{${CHECKSUM_DIGITS}})$`);

/** Longest key, and its bytes, that the module takes. */
export const MAX_KEY_BYTES = 4096;
const KEY_BYTES = /^[!-~]*$/;

export interface IssuedKey {
  readonly id: string;
  readonly key: string;
}

/** A new key from the system's random numbers. */
export function newKey(id: string = newId()): IssuedKey {
  return { id, key: keyOf(id, randomBytes(SECRET_BYTES)) };
}

export function newId(): string {
  const bits = BigInt(`0x${randomBytes(6).toString('hex')}`);
  return base62(bits & ((1n << ID_BITS) - 1n), ID_DIGITS);
}

/** The key of an id and 20 bytes of secret. */
export function keyOf(id: string, secret: Uint8Array): string {
  const body = `tg_${id}_${base62(BigInt(`0x${Buffer.from(secret).toString('hex')}`), SECRET_DIGITS)}`;
  return body + checksumOf(body);
}

/** What a policy holds of a key. */
export function digestOf(key: string): string {
  return `sha256:${createHash('sha256').update(key, 'utf8').digest('hex')}`;
}

/** `foreign` for keys of other makers; of our own, `valid` or `mistyped`. */
export function inspectKey(key: string): 'foreign' | 'valid' | 'mistyped' {
  if (!key.startsWith('tg_')) return 'foreign';
  return FORMAT.test(key) && checksumOf(key.slice(0, -CHECKSUM_DIGITS)) === key.slice(-CHECKSUM_DIGITS)
    ? 'valid'
    : 'mistyped';
}

/** Why no caller could ever send this text as a key, or null. */
export function unusableRule(key: string): string | null {
  if (key === '') return 'the key is empty';
  if (key.length > MAX_KEY_BYTES) return `a key has at most ${MAX_KEY_BYTES} characters`;
  return KEY_BYTES.test(key) ? null : 'a key holds printable ASCII characters only, without blanks';
}

function checksumOf(body: string): string {
  return base62(BigInt(crc32(body)), CHECKSUM_DIGITS);
}
