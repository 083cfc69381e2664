/** A client's text, or anything else, with everything escaped that a terminal hides or obeys. */
export function visible(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, escaped);
}

/** JSON in ASCII: the same value, and nothing in it that a terminal obeys. */
export function visibleJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2).replace(/[^\n\x20-\x7e]/g, escaped)}\n`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
] as const;

/** `16 d 12 h`, `3 min 20 s`: the two largest units. */
export function timeSpan(seconds: number): string {
  const parts: string[] = [];
  let rest = Math.floor(seconds);
  for (const [unit, size] of UNITS) {
    if (rest >= size) parts.push(`${Math.floor(rest / size)} ${unit}`);
    rest %= size;
  }
  if (rest > 0 || parts.length === 0) parts.push(`${rest} s`);
  return parts.slice(0, 2).join(' ');
}
