/** Tells line and column (both from 1) of offsets; a line ends as YAML says, with LF, CRLF or CR. */
export class Lines {
  private readonly starts: number[];

  constructor(text: string) {
    // A byte order mark is no part of the first line.
    this.starts = [text.charCodeAt(0) === 0xfeff ? 1 : 0];
    for (const match of text.matchAll(/\r\n|\n|\r/g)) this.starts.push(match.index + match[0].length);
  }

  lineOf(offset: number): number {
    let low = 0;
    let high = this.starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  }

  columnOf(offset: number): number {
    return Math.max(offset - this.starts[this.lineOf(offset) - 1]!, 0) + 1;
  }
}

/** Offset of the next character that is neither space, tab, line break, comment nor one of `also`. */
export function skipTrivia(text: string, from: number, also = ''): number {
  let at = from;
  while (at < text.length) {
    const character = text[at]!;
    if (character === '#') at = endOfLine(text, at);
    else if (' \t\r\n'.includes(character) || (also !== '' && also.includes(character))) at++;
    else break;
  }
  return at;
}

/** Offset of the line break (or end of text) that ends the line of `from`. */
export function endOfLine(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== '\n' && text[at] !== '\r') at++;
  return at;
}

/** Offset of the first character of the line of `from`. */
export function startOfLine(text: string, from: number): number {
  let at = from;
  while (at > 0 && text[at - 1] !== '\n' && text[at - 1] !== '\r') at--;
  // A byte order mark is no part of the first line.
  return at === 0 && text.charCodeAt(0) === 0xfeff ? 1 : at;
}

interface Line {
  /** From 1, as messages count. */
  readonly number: number;
  readonly column: number;
}

/**
 * What to say of a line that fits into no block above it. The mistake is mostly further up: the parser takes a line that
 * is indented wrongly for a block of its own, and complains only about the next correct line. Null where the mistake is
 * within the line.
 */
export function indentRule(text: string, offset: number): string | null {
  const lines = new Lines(text);
  const at = { number: lines.lineOf(offset), column: lines.columnOf(offset) };
  const start = startOfLine(text, offset);
  if (columnOf(text.slice(start, endOfLine(text, offset))) !== at.column) return null;
  const above = blocksAbove(text.slice(0, start), at.column);
  if (above.length === 0) return null;
  const places = above.map(({ number, column }) => `${column} (line ${number})`);
  return `begins in column ${at.column}, and blocks above it in column ${places.join(' and ')}: one of these lines is indented wrongly`;
}

/** The nearest line that begins further left, and the first line below that one: the blocks between which the next one falls. */
function blocksAbove(text: string, column: number): Line[] {
  const content = text.split(/\r\n|\n|\r/).flatMap((line, index) => {
    const column = columnOf(index === 0 ? line.replace(/^\ufeff/, '') : line);
    return column === null || line.trimStart().startsWith('#') ? [] : [{ number: index + 1, column }];
  });
  const outer = content.findLastIndex((line) => line.column < column);
  return [content[outer], content[outer + 1]].filter(
    (line): line is Line => line !== undefined && line.column !== column,
  );
}

/** Where the line's content begins; null for a blank line. */
function columnOf(line: string): number | null {
  const spaces = /^ */.exec(line)![0].length;
  return spaces === line.length ? null : spaces + 1;
}
