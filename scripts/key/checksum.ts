const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

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

/** CRC-32 as in zlib (reflected polynomial 0xEDB88320). Node's own came with 20.15; this runs on every Node 20. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(text: string): number {
  let crc = 0xffffffff;
  for (const byte of Buffer.from(text, 'utf8')) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}
