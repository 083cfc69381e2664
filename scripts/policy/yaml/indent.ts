import { Lines } from './position.ts';
import { endOfLine, startOfLine } from './trivia.ts';

interface Line {
  /** From 1, as messages count. */
  readonly number: number;
  readonly column: number;
}

/**
 * What to say of a line that fits into no block above it. The mistake mostly stands further up: a parser takes a line that begins too far
 * left or right for a block of its own, and wonders only at the next one that is right. Null where the trouble is within the line.
 */
export function indentRule(text: string, offset: number): string | null {
  const lines = new Lines(text);
  const at = { number: lines.lineOf(offset), column: lines.columnOf(offset) };
  if (columnOf(lineAt(text, offset)) !== at.column) return null;
  const above = blocksAbove(text, startOfLine(text, offset), at.column);
  if (above.length === 0) return null;
  const places = above.map(({ number, column }) => `${column} (line ${number})`);
  return `begins in column ${at.column}, and blocks above it in column ${places.join(' and ')}: one of these lines is indented wrongly`;
}

/** The nearest line above that begins further left, and the first line below that one: the blocks between which this one falls. */
function blocksAbove(text: string, end: number, column: number): Line[] {
  const content = contentLines(text.slice(0, end));
  const outer = content.findLastIndex((line) => line.column < column);
  return [content[outer], content[outer + 1]].filter(
    (line): line is Line => line !== undefined && line.column !== column,
  );
}

function contentLines(text: string): Line[] {
  return text.split(/\r\n|\n|\r/).flatMap((line, index) => {
    const column = columnOf(index === 0 ? line.replace(/^\ufeff/, '') : line);
    return column === null || line.trimStart().startsWith('#') ? [] : [{ number: index + 1, column }];
  });
}

/** Where the line's content begins; null for a blank line. */
function columnOf(line: string): number | null {
  const blanks = /^ */.exec(line)![0].length;
  return blanks === line.length ? null : blanks + 1;
}

function lineAt(text: string, offset: number): string {
  return text.slice(startOfLine(text, offset), endOfLine(text, offset));
}
