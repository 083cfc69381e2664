import type { Finding } from '../yaml/compose.ts';
import type { Cursor } from './cursor.ts';
import type { Lines } from '../yaml/position.ts';
import { foundAt, quote } from './secret.ts';

/** Collects what the checks find. */
export class Report {
  readonly findings: Finding[] = [];

  constructor(private readonly lines: Lines) {}

  /** `found` is a string to quote, or a number; without it the value at the place is shown, where that is safe; null shows nothing. */
  add(at: Cursor, rule: string, found?: string | number | null): void {
    const shown =
      found === undefined
        ? at.node && foundAt(at.node, at.path)
        : found === null
          ? undefined
          : typeof found === 'number'
            ? String(found)
            : quote(found);
    this.findings.push({ offset: at.offset, path: at.path, rule, found: shown });
  }

  /** A rule that this place breaks together with another one: says on which line that is, whether or not it names it. */
  twice(at: Cursor, rule: string, other: Cursor, found?: string | null): void {
    const line = this.lines.lineOf(other.offset);
    this.add(at, rule.includes(';') ? `${rule} (line ${line})` : `${rule}; it stands on line ${line} already`, found);
  }
}

/** Names that a reference may be one of. */
export class Names {
  readonly #names: ReadonlySet<string>;
  #hint: string | null = null;

  constructor(names: Iterable<string>) {
    this.#names = new Set(names);
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  get size(): number {
    return this.#names.size;
  }

  /** ` (a, b, c)`: what a reference could have named, as long as that is short. */
  get hint(): string {
    this.#hint ??= hintOf([...this.#names]);
    return this.#hint;
  }
}

const MAX_HINTED = 8;
const MAX_HINT_CHARACTERS = 200;

function hintOf(names: readonly string[]): string {
  if (names.length === 0) return '; there is none';
  const text = names.length > MAX_HINTED ? '' : names.join(', ');
  return text === '' || text.length > MAX_HINT_CHARACTERS ? '' : ` (${text})`;
}
