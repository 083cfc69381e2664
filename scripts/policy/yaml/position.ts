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
