import { optionRow } from './usage.ts';

export interface ManSource {
  /** What `tollgate --help` prints. */
  readonly overview: string;
  /** Usages by the command's name. */
  readonly usages: ReadonlyMap<string, string>;
  readonly version: string;
  /** `2026-01-31`; null: not known. No time of the machine goes in, so the same commit gives the same page. */
  readonly date: string | null;
}

/** The man page tollgate(1) in roff (the man macros): the words of --help, command by command. */
export function manPage({ overview, usages, version, date }: ManSource): string {
  const [title = ''] = overview.split('\n');
  const exits = /^exit codes: (.*)$/m.exec(overview)?.[1] ?? '';
  return [
    `.TH TOLLGATE 1 "${date ?? ''}" "tollgate ${version}" "User Commands"`,
    // paths and options are not broken at a hyphen, nor spaced out
    '.nh',
    '.ad l',
    '.SH NAME',
    `tollgate \\- ${escaped(title.replace(/^tollgate: /, ''))}`,
    '.SH SYNOPSIS',
    '.B tollgate',
    escaped('COMMAND [OPTION…]'),
    '.PP',
    '.B tollgate help',
    '[COMMAND]',
    '.PP',
    `.B ${escaped('tollgate --version')}`,
    '.SH COMMANDS',
    ...[...usages].flatMap(([name, usage]) => section(name, usage)),
    '.SH "EXIT STATUS"',
    ...exits.split(', ').flatMap((exit) => {
      const [code = '', ...words] = exit.split(' ');
      return ['.TP', `.B ${code}`, escaped(words.join(' '))];
    }),
    '',
  ].join('\n');
}

function section(name: string, usage: string): string[] {
  const [title = '', ...lines] = usage.split('\n');
  return [`.SS ${escaped(`tollgate ${name}`)}`, ...filled(sentence(title.replace(/^[^:]*: /, ''))), ...body(lines)];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** `term  what it means`, with two spaces or more between. */
const ROW = /^ {2,}(\S.*?) {2,}(\S.*)$/;
const CALL = /^(?:usage:)? +(tollgate .*)$/;

/** Lines of a usage as roff: calls in bold, rows as a list, what is indented without being one of these as it stands. */
function body(lines: readonly string[]): string[] {
  const result: string[] = [];
  let isExample = false;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const row = isExample ? null : rowOf(line);
    const call = isExample ? null : CALL.exec(line);
    if (line === '' || line === 'usage:') continue;
    if (/^examples?:$/.test(line)) {
      isExample = true;
      result.push('.PP', escaped(sentence(line.slice(0, -1)).replace(/\.$/, ':')));
    } else if (call !== null) result.push('.PP', `.B ${escaped(call[1]!)}`);
    else if (row !== null) {
      const more = following(lines, at + 1, (next) => indentOf(next) >= DEEP && rowOf(next) === null);
      at += more.length;
      result.push('.TP', `.B ${escaped(row.term)}`, ...filled([row.words, ...trimmed(more)].join(' ')));
    } else if (indentOf(line) === 0 || (indentOf(line) > 2 && !isExample)) {
      isExample = false;
      const more = following(lines, at + 1, (next) => next !== '' && indentOf(next) === indentOf(line));
      at += more.length;
      result.push('.PP', ...filled(trimmed([line, ...more]).join(' ')));
    } else {
      const more = following(lines, at + 1, (next) => indentOf(next) > 0 && (isExample || rowOf(next) === null));
      at += more.length;
      result.push('.PP', '.RS 4', '.nf', ...trimmed([line, ...more]).map(escaped), '.fi', '.RE');
    }
  }
  return result;
}

/** Words that belong to the row above them are indented so far at least. */
const DEEP = 8;

function rowOf(line: string): { term: string; words: string } | null {
  const option = optionRow(line);
  if (option !== null) return { term: option.term, words: option.words };
  const found = ROW.exec(line);
  return found === null ? null : { term: found[1]!, words: found[2]! };
}

function following(lines: readonly string[], from: number, belongs: (line: string) => boolean): readonly string[] {
  const end = lines.slice(from).findIndex((line) => !belongs(line));
  return lines.slice(from, end < 0 ? lines.length : from + end);
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

function trimmed(lines: readonly string[]): string[] {
  return lines.map((line) => line.trim());
}

const FILLED_COLUMNS = 76;

/** Lines that roff fills: one sentence after the other, none too long for an editor. */
function filled(text: string): string[] {
  return text
    .trim()
    .split(/(?<=[a-z0-9)"][.:]) (?=[A-Z])/)
    .flatMap((sentence) => {
      const lines: string[] = [];
      for (const word of sentence.split(' ')) {
        const last = lines.at(-1);
        if (last !== undefined && last.length + word.length < FILLED_COLUMNS)
          lines[lines.length - 1] = `${last} ${word}`;
        else lines.push(word);
      }
      return lines;
    })
    .map(escaped);
}

/** Text as roff prints it: dashes that can be copied, nothing at the beginning of a line that is a request, ASCII only. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll('"', '\\(dq')
    .replace(/[^\x20-\x7e]/gu, (char) => `\\[u${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`)
    .replace(/^\./, '\\&.');
}
