/** A place in a document: names and list indexes from its root. */
export type Pointer = readonly (string | number)[];

/** Something that a policy cannot say as the document does. What was made of it instead is never more lenient, unless the rule says so. */
export interface Loss {
  /** What messages call the document, or the file beside it. */
  readonly file: string;
  /** A JSON pointer, ready to print. */
  readonly pointer: string;
  readonly rule: string;
}

/** More are counted only. */
const MAX_LOSSES = 10_000;
const MAX_SEGMENT_CHARACTERS = 100;
const MAX_VALUE_CHARACTERS = 60;

/** `#/paths/~1pets~1{id}/get`, with what a terminal obeys or hides escaped. */
export function printPointer(pointer: Pointer): string {
  return `#${pointer.map((segment) => `/${visible(shortened(escapedSegment(String(segment)), MAX_SEGMENT_CHARACTERS))}`).join('')}`;
}

/** What stands in a document, in quotes, for a message. */
export function quoted(value: unknown): string {
  if (typeof value === 'string') return `"${visible(shortened(value, MAX_VALUE_CHARACTERS)).replaceAll('"', '\\"')}"`;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  return value === undefined ? 'nothing' : JSON.stringify(value);
}

/** A string on one line, without control or invisible characters, for a comment or a message. */
export function plainLine(text: string, mostCharacters: number): string {
  return shortened(text.replace(/[\p{C}\p{Z}]+/gu, ' ').trim(), mostCharacters);
}

function escapedSegment(segment: string): string {
  return segment.replaceAll('~', '~0').replaceAll('/', '~1');
}

function visible(text: string): string {
  return text
    .replace(/(?! )[\p{C}\p{Z}]/gu, (hidden) => `\\u{${hidden.codePointAt(0)!.toString(16)}}`)
    .replace(/tg_[A-Za-z0-9._@-]*[0-9A-Za-z]{16,}/g, 'tg_…');
}

function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/** Collects losses, each once. */
export class Losses {
  readonly #found = new Map<string, Loss>();
  #more = 0;

  add(file: string, pointer: Pointer, rule: string): void {
    const loss = { file, pointer: printPointer(pointer), rule };
    const key = `${file} ${loss.pointer} ${rule}`;
    if (this.#found.has(key)) return;
    if (this.#found.size < MAX_LOSSES) this.#found.set(key, loss);
    else this.#more++;
  }

  get all(): readonly Loss[] {
    return [...this.#found.values()];
  }

  get more(): number {
    return this.#more;
  }
}
