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
