/** Offset of the next character that is neither blank, line break, comment nor one of `also`. */
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
