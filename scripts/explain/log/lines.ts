import { createGunzip } from 'node:zlib';
import { pipeline, Readable } from 'node:stream';
import { ExplainError } from '../error.ts';

/** Envoy bounds a request's headers, and with them a line; what is longer is skipped. */
const MAX_LINE_BYTES = 256 * 1024;
/** A line of which no end is in sight: a device, or something unpacked that has none. */
const MOST_LINE_BYTES = 64 * 1024 * 1024;
const LINE_FEED = 0x0a;

export interface NumberedLine {
  readonly number: number;
  /** Null: longer than MAX_LINE_BYTES. */
  readonly text: string | null;
}

const ENDLESS_RULE = `goes on for more than ${MOST_LINE_BYTES} bytes, so this is no access log`;
export const LONG_LINE_RULE = `must have at most ${MAX_LINE_BYTES} bytes`;

/** What the first bytes of files say that are no text, and what to do about it. */
const MAGIC: readonly (readonly [readonly number[], string])[] = [
  [[0x28, 0xb5, 0x2f, 0xfd], 'is compressed with zstd: unpack it first, as with zstd -dc'],
  [[0xfd, 0x37, 0x7a, 0x58], 'is compressed with xz: unpack it first, as with xz -dc'],
  [[0x42, 0x5a, 0x68], 'is compressed with bzip2: unpack it first, as with bzip2 -dc'],
  [[0x50, 0x4b, 0x03, 0x04], 'is a zip archive: unpack it first, as with unzip -p'],
  [[0xff, 0xfe], 'must be UTF-8; this is UTF-16, which ">" of Windows PowerShell writes'],
  [[0xfe, 0xff], 'must be UTF-8; this is UTF-16'],
];
const GZIP = [0x1f, 0x8b];
const MOST_MAGIC_BYTES = 4;

/**
 * The lines of a log, piece by piece; a gzipped one is unpacked on the way. Holds one line and one chunk at a time, whatever
 * comes. Also yields no lines, for each chunk in which none ends. `name` is what errors call the log.
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<readonly NumberedLine[]> {
  let number = 0;
  let rest: Buffer[] = [];
  let restBytes = 0;
  let isLong = false;
  let longBytes = 0;
  const take = (part: Buffer): NumberedLine => {
    const whole = rest.length === 0 ? part : Buffer.concat([...rest, part]);
    const text = isLong || whole.length > MAX_LINE_BYTES ? null : textOf(whole);
    [rest, restBytes, isLong, longBytes] = [[], 0, false, 0];
    return { number: ++number, text };
  };
  for await (const chunk of unpacked(chunks, name)) {
    const lines: NumberedLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      lines.push(take(chunk.subarray(start, end)));
      start = end + 1;
    }
    const left = chunk.subarray(start);
    isLong ||= restBytes + left.length > MAX_LINE_BYTES;
    longBytes += left.length;
    if (longBytes > MOST_LINE_BYTES) throw new ExplainError(`${name}:${number + 1}: ${ENDLESS_RULE}`);
    if (isLong) [rest, restBytes] = [[], 0];
    else if (left.length > 0) {
      // a copy: the stream uses its chunk again
      rest.push(Buffer.from(left));
      restBytes += left.length;
    }
    yield lines;
  }
  if (restBytes > 0 || isLong) yield [take(Buffer.alloc(0))];
}

function textOf(line: Buffer): string {
  const end = line.at(-1) === 0x0d ? line.length - 1 : line.length;
  return line.toString('utf8', 0, end);
}

async function* unpacked(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Buffer> {
  const source: AsyncIterator<Uint8Array> = chunks[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < MOST_MAGIC_BYTES) {
    const next = await source.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  const rest: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: (): AsyncIterator<Uint8Array> => source };
  const begins = (magic: readonly number[]): boolean => magic.every((byte, at) => head[at] === byte);
  const wrong = MAGIC.find(([magic]) => begins(magic));
  if (wrong !== undefined) throw new ExplainError(`${name}: ${wrong[1]}`);
  async function* whole(): AsyncGenerator<Buffer> {
    if (head.length > 0) yield head;
    for await (const chunk of rest) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  if (!begins(GZIP)) {
    yield* whole();
    return;
  }
  try {
    const gunzip = createGunzip();
    // errors of either side come out where the lines are read
    pipeline(Readable.from(whole()), gunzip, () => undefined);
    for await (const chunk of gunzip as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    if (error instanceof ExplainError) throw error;
    throw new ExplainError(`${name}: is gzip, but cannot be unpacked: ${(error as Error).message}`);
  }
}
