import { NOT_RESOLVED, boolCoreTag, floatCoreTag, intCoreTag, nullCoreTag } from 'js-yaml';

/** 2^53: above it, a number in the file and the number we would count with may differ. */
export const MAX_EXACT = 2 ** 53;

const TAGS = [nullCoreTag, boolCoreTag, intCoreTag, floatCoreTag];

/** What an unquoted scalar means in YAML's core schema; a time is text. */
export function plainValue(text: string): string | number | boolean | null {
  for (const tag of TAGS) {
    const value: unknown = tag.resolve(text, false, tag.tagName);
    if (value === NOT_RESOLVED) continue;
    if (typeof value === 'number') return exact(value, text);
    return value as boolean | null;
  }
  return text;
}

/** True when the text, unquoted, is read as that very text. */
export function isPlainText(text: string): boolean {
  return plainValue(text) === text;
}

/** Numbers that lost digits become one that every bound refuses: 9007199254740993 must not pass for 9007199254740992. */
function exact(value: number, text: string): number {
  if (!(Math.abs(value) >= MAX_EXACT)) return value;
  return /^\+?\d+$/.test(text) && BigInt(text.replace('+', '')) <= BigInt(MAX_EXACT)
    ? value
    : Number.MAX_VALUE * Math.sign(value);
}
