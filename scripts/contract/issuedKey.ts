/**
 * The form of a key that this tool issues:
 *
 *   tg_ │ id │ _ │ secret: 160 random bits, 27 base62 digits │ checksum: CRC-32 of all before it, 6 base62 digits
 *
 * 62^27 > 2^160 and 62^6 > 2^32, so both fit and every value is equally likely; the id is public.
 */
export const SECRET_DIGITS = 27;
export const CHECKSUM_DIGITS = 6;

/** Longest key that the module takes, in bytes. */
export const MAX_KEY_BYTES = 4096;

const FORMAT = new RegExp(`^tg_(.+)_([0-9A-Za-z]{${SECRET_DIGITS}})([0-9A-Za-z]{${CHECKSUM_DIGITS}})$`);
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** `foreign` for keys of other makers; of our own, `valid` or `mistyped`. */
export function inspectKey(key: string): 'foreign' | 'valid' | 'mistyped' {
  if (!key.startsWith('tg_')) return 'foreign';
  return FORMAT.test(key) && checksumOf(key.slice(0, -CHECKSUM_DIGITS)) === key.slice(-CHECKSUM_DIGITS)
    ? 'valid'
    : 'mistyped';
}

/** The last digits of a key, of all that stand before them. */
export function checksumOf(body: string): string {
  return base62(BigInt(crc32(body)), CHECKSUM_DIGITS);
}

/** `value` in `width` base62 digits, most significant first; the caller sees to it that it fits. */
export function base62(value: bigint, width: number): string {
  let text = '';
  for (let rest = value, i = 0; i < width; i++, rest /= 62n) text = DIGITS[Number(rest % 62n)] + text;
  return text;
}

/** The number that base62 digits stand for, or null for other characters. */
export function fromBase62(text: string): bigint | null {
  let value = 0n;
  for (const character of text) {
    const digit = DIGITS.indexOf(character);
    if (digit < 0) return null;
    value = value * 62n + BigInt(digit);
  }
  return value;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 as in zlib (reflected polynomial 0xEDB88320). Node's own came with 20.15; this runs on every Node 20. */
export function crc32(text: string): number {
  let crc = 0xffffffff;
  for (const byte of new TextEncoder().encode(text)) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}
