import { createHash, randomBytes } from 'node:crypto';
import { MAX_KEY_BYTES } from '../contract/table.ts';
import { base62, CHECKSUM_DIGITS, checksumOf, inspectKey, SECRET_DIGITS } from '../policy/secret.ts';
import { KeyError } from './error.ts';

export { MAX_KEY_BYTES } from '../contract/table.ts';
export { inspectKey } from '../policy/secret.ts';

const ID_DIGITS = 8;
const SECRET_BYTES = 20;
/** 46 random bits, which 8 base62 digits hold without rejecting any. */
const ID_BITS = 46n;

const KEY_BYTES = /^[!-~]*$/;

export interface IssuedKey {
  /** Public: it may stand in logs and policies. */
  readonly id: string;
  /** The secret string that the consumer sends, `tg_ID_…`; it is nowhere else. */
  readonly key: string;
  /** What a policy holds of it: `sha256:` and 64 lower-case hex digits. */
  readonly digest: string;
}

/** A new key with 160 bits from the system's random numbers. `id`: as a policy takes it, random by default. */
export function issueKey(id: string = newId()): IssuedKey {
  const key = keyOf(id, randomBytes(SECRET_BYTES));
  return { id, key, digest: digestKey(key) };
}

/** A random id of 8 letters and digits. */
export function newId(): string {
  const bits = BigInt(`0x${randomBytes(6).toString('hex')}`);
  return base62(bits & ((1n << ID_BITS) - 1n), ID_DIGITS);
}

/** The public id inside a key of our own; null for keys of other makers. */
export function idInKey(key: string): string | null {
  return inspectKey(key) === 'valid' ? key.slice('tg_'.length, -(SECRET_DIGITS + CHECKSUM_DIGITS + 1)) : null;
}

/** The key of an id and 20 bytes of secret. */
export function keyOf(id: string, secret: Uint8Array): string {
  const body = `tg_${id}_${base62(BigInt(`0x${Buffer.from(secret).toString('hex')}`), SECRET_DIGITS)}`;
  return body + checksumOf(body);
}

/**
 * What a policy holds of a key, of ours or of another system: `sha256:` and the hex SHA-256 of its bytes. Throws KeyError for a
 * string that no caller could send.
 */
export function digestKey(key: string): string {
  const rule = unusableRule(key);
  if (rule !== null) throw new KeyError(rule);
  return `sha256:${createHash('sha256').update(key, 'utf8').digest('hex')}`;
}

/** Why no caller could ever send this string as a key, or null. */
export function unusableRule(key: string): string | null {
  if (key === '') return 'the key is empty';
  if (key.length > MAX_KEY_BYTES) return `a key has at most ${MAX_KEY_BYTES} characters`;
  return KEY_BYTES.test(key) ? null : 'a key holds printable ASCII characters only, without spaces';
}
