/** The text of bytes in UTF-8, with its byte order mark if it has one; or the rule that they break, and the line. */
export function decode(
  bytes: Uint8Array,
): { readonly text: string } | { readonly rule: string; readonly line: number } {
  if (isUtf16(bytes)) {
    return {
      line: 0,
      rule: 'must be UTF-8; this is UTF-16, which ">" of Windows PowerShell writes: write it with "| Set-Content -Encoding utf8 FILE", or save it as UTF-8',
    };
  }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { rule: 'must be valid UTF-8', line: invalidLine(bytes) };
  }
}

/** By its byte order mark, or by the NUL in each of the first characters, which are ASCII in everything that we read. */
function isUtf16(bytes: Uint8Array): boolean {
  const [first, second, third, fourth] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  const isLittle = second === 0 && fourth === 0 && first !== 0 && third !== 0;
  const isBig = first === 0 && third === 0 && second !== 0 && fourth !== 0;
  return bytes.length >= 4 && (isLittle || isBig);
}

/** Line of the first byte that is no UTF-8: the first line that does not come back as it was. */
function invalidLine(bytes: Uint8Array): number {
  let offset = 0;
  for (const [index, line] of Buffer.from(bytes).toString('utf8').split('\n').entries()) {
    const again = Buffer.from(line);
    if (!again.equals(bytes.subarray(offset, offset + again.length))) return index + 1;
    offset += again.length + 1;
  }
  return 1;
}
