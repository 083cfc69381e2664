import { readFileSync } from 'node:fs';
import { inPackage } from '../../scripts/file/packageRoot.ts';

/** A fenced block of a page, such as "```sh run". */
export interface Block {
  readonly page: string;
  /** The line of its first line of code. */
  readonly line: number;
  readonly language: string;
  /** The heading above it. */
  readonly section: string;
  /** The word after the language: `run` is executed by a test, `policy` is a whole policy. */
  readonly mark: string;
  readonly text: string;
}

/** The fenced blocks of a page of the project, in order. */
export function blocksOf(page: string): Block[] {
  const content = readFileSync(inPackage(page), 'utf8');
  return [...content.matchAll(/^```(\w+)(?: (\w+))?\n([^]*?)^```$/gm)].map((match) => ({
    page,
    line: content.slice(0, match.index).split('\n').length + 1,
    language: match[1]!,
    section: /(?:^|\n)#+ (.+)(?![^]*\n#+ )/.exec(content.slice(0, match.index))?.[1] ?? '',
    mark: match[2] ?? '',
    text: match[3]!,
  }));
}

/** A command, and what the page says that it prints; null where the page says nothing. */
export interface Step {
  readonly line: number;
  readonly command: string;
  readonly printed: string | null;
}

/** A block of `console` has one step for each line after `$ `, a block of `sh` is one step. */
export function stepsOf({ language, line, text }: Block): Step[] {
  if (language !== 'console') return [{ line, command: text, printed: null }];
  const steps: { line: number; command: string; printed: string }[] = [];
  let continues = false;
  text.split('\n').forEach((row, index) => {
    const last = steps.at(-1);
    if (row.startsWith('$ ')) steps.push({ line: line + index, command: row.slice(2), printed: '' });
    else if (continues) last!.command += `\n${row}`;
    else if (last !== undefined) last.printed += `${row}\n`;
    continues = row.endsWith('\\');
  });
  return steps;
}

/** Whether a program printed what a page shows: `…` stands for anything within a line, and alone on a line for any lines. */
export function isAsShown(shown: string, printed: string): boolean {
  const rows = trimmed(shown).map((row) =>
    row === '…'
      ? '(?:.*\n)*?'
      : `${row
          .split('…')
          .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
          .join('.*')}\n`,
  );
  return new RegExp(`^${rows.join('')}$`).test(`${trimmed(printed).join('\n')}\n`);
}

/** Lines without what a terminal does not show at their ends, and without empty ones around them. */
function trimmed(text: string): string[] {
  return text
    .replace(/[ \t\r]+$/gm, '')
    .replace(/^\n+|\n+$/g, '')
    .split('\n');
}
