/**
 * What a command's usage says, as data. `--help` prints the usage as it is; completion scripts, the man page and the hints for
 * mistyped options are made from the same words. It is written so:
 *
 *   tollgate NAME: what it does                     a first line, and an empty one
 *   usage: tollgate NAME POLICY [-o FILE]           its forms; a command with subcommands has `usage:` alone, and a form for each
 *     -o, --out FILE    what the option means       two spaces or more between an option and its words
 *   examples:
 *
 * An option's value is a word in capitals, `a|b` where it is one of these, in brackets where it may be left out.
 */
export interface Usage {
  readonly name: string;
  readonly summary: string;
  /** Of the command, or of each subcommand. */
  readonly forms: readonly Form[];
}

export interface Form {
  /** Null: the command has no subcommands. */
  readonly subcommand: string | null;
  readonly options: readonly Option[];
  /** What stands there beside options. */
  readonly operands: readonly Operand[];
}

export interface Option {
  /** With its dashes. */
  readonly long: string;
  readonly short: string | null;
  /** Null: a switch. */
  readonly value: Operand | null;
  /** What it means, on one line; empty where no row of its own explains it. */
  readonly words: string;
}

export type Operand =
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'file' | 'folder' | 'command' | 'free'; readonly name: string };

const TITLE = /^tollgate ([a-z-]+): (.*)$/m;
const EXAMPLES = /^examples?:$/m;
/** `-o, --out FILE` or `--sbom [A|B]`. */
const OPTION = /(?:(-\w), )?(--[a-z][a-z-]*)(?: (\[?(?:[A-Z][A-Z:=]*(?![a-z])|[\w.-]+(?:\|[\w.-]+)+)…?\]?))?/;
const ROW = new RegExp(`^ {2,}(?=-)${OPTION.source}(?: {2,}(.*))?$`);
const ROW_INDENT = /^ {2,}/;

export function usageOf(text: string): Usage {
  const [, name = '', summary = ''] = TITLE.exec(text) ?? [];
  const [top = ''] = text.split(EXAMPLES);
  return { name, summary, forms: formsOf(name, top.split('\n')) };
}

/** Every option of the command, whatever its form. */
export function optionNames(text: string): string[] {
  return [...new Set(usageOf(text).forms.flatMap(({ options }) => options.map(({ long }) => long)))];
}

function formsOf(name: string, lines: readonly string[]): Form[] {
  const call = new RegExp(`^(?:usage: +|  |       )tollgate ${name}(?: (.*))?$`);
  const isSplit = lines.includes('usage:');
  const forms = new Map<string | null, { calls: string[]; rows: Option[] }>();
  let current: { calls: string[]; rows: Option[] } | undefined;
  for (const [at, line] of lines.entries()) {
    const found = call.exec(line);
    if (found !== null) {
      const words = found[1] ?? '';
      const subcommand = isSplit ? words.split(' ')[0]! : null;
      current = forms.get(subcommand) ?? { calls: [], rows: [] };
      current.calls.push(isSplit ? words.split(' ').slice(1).join(' ') : words);
      forms.set(subcommand, current);
      continue;
    }
    const row = rowOf(line);
    if (row !== null) current?.rows.push({ ...row, words: wordsOf(row.words, lines.slice(at + 1)) });
  }
  return [...forms].map(([subcommand, { calls, rows }]) => formOf(subcommand, calls.join(' '), rows));
}

/** An option that explains itself on a line: `-o, --out FILE` and the words beside it. */
export function optionRow(line: string): { readonly term: string; readonly words: string } | null {
  const found = ROW.exec(line);
  if (found === null) return null;
  const words = found[4] ?? '';
  return { term: line.slice(0, line.length - words.length).trim(), words };
}

/** An option that explains itself on a line, whose words may go on below. */
function rowOf(line: string): Option | null {
  const found = ROW.exec(line);
  return found === null ? null : optionOf(found, found[4] ?? '');
}

/** The words of a row with the lines that go on below it: those that are indented deeper. */
function wordsOf(first: string, following: readonly string[]): string {
  const end = following.findIndex((line) => (ROW_INDENT.exec(line)?.[0].length ?? 0) < 8 || ROW.test(line));
  const more = following.slice(0, end < 0 ? following.length : end).map((line) => line.trim());
  return [first, ...more].filter((part) => part !== '').join(' ');
}

function optionOf([, short, long, value]: RegExpExecArray, words: string): Option {
  return { long: long!, short: short ?? null, value: value === undefined ? null : valueOf(value), words };
}

/** Options that a form names count too; a row says more about the same option. */
function formOf(subcommand: string | null, calls: string, rows: readonly Option[]): Form {
  const named = [...calls.matchAll(new RegExp(`(?<![\\w-])${OPTION.source}`, 'g'))].map((found) => optionOf(found, ''));
  const rest = calls
    .replace(new RegExp(`\\[?(?<![\\w-])${OPTION.source}\\]?`, 'g'), ' ')
    .replace(/(?:^|\s)\[?-\w\b( [A-Z]+)?\]?/g, ' ');
  const operands = rest
    .split(/\s+/)
    .map((word) => word.replace(/[[\]…]/g, ''))
    .filter((word) => /^[A-Z]+$|\|/.test(word) && word !== 'OPTION')
    .map(valueOf);
  const options = [...rows, ...named.filter(({ long }) => !rows.some((row) => row.long === long))];
  return {
    subcommand,
    options: once(options, ({ long }) => long),
    operands: once(operands, (value) => JSON.stringify(value)),
  };
}

function once<T>(values: readonly T[], key: (value: T) => string): T[] {
  return [...new Map([...values].reverse().map((value) => [key(value), value])).values()].reverse();
}

const FILES = new Set(['POLICY', 'FILE', 'OLD', 'NEW', 'PATH']);

function valueOf(text: string): Operand {
  const name = text.replace(/[[\]…]/g, '');
  if (name.includes('|')) return { kind: 'choice', choices: name.split('|') };
  if (FILES.has(name)) return { kind: 'file', name };
  if (name === 'DIR') return { kind: 'folder', name };
  return { kind: name === 'COMMAND' ? 'command' : 'free', name };
}
