import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const CHUNK_BYTES = 64 * 1024;
/** If nobody has opened a pipe for writing by then, nobody will. */
const WRITER_MILLISECONDS = 2000;
const POLL_MILLISECONDS = 10;

interface Kind {
  readonly isFile: boolean;
  readonly isPipe: boolean;
}

/**
 * Why a file cannot be read: the part of a message after the file's name. `code` is the system's, such as EACCES, if
 * there is one.
 */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';

  constructor(
    message: string,
    readonly code: string | null = null,
  ) {
    super(message);
  }
}

/**
 * The bytes of a file, at most `mostBytes`. The size that the system reports is no bound: for a device it is 0, a pipe
 * has none, and a log grows while it is read. Rejects with Unreadable, and never waits for a pipe without a writer.
 */
export async function readBounded(path: string, mostBytes: number): Promise<Buffer> {
  let handle: FileHandle | undefined;
  try {
    // without O_NONBLOCK, opening a pipe waits for its writer
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stat = await handle.stat();
    if (stat.isFile() && stat.size > mostBytes) throw new Unreadable(tooLarge(mostBytes, stat.size));
    return await readAll(handle, mostBytes, { isFile: stat.isFile(), isPipe: stat.isFIFO() });
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    const { code = null, message } = error as NodeJS.ErrnoException;
    throw new Unreadable(readRule(code, message), code);
  } finally {
    await handle?.close();
  }
}

export function tooLarge(mostBytes: number, bytes: number | null): string {
  return `must have at most ${mostBytes} bytes; found ${bytes ?? 'more'}`;
}

async function readAll(handle: FileHandle, mostBytes: number, { isFile, isPipe }: Kind): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const bytes = isFile
      ? (await handle.read(chunk)).bytesRead
      : await readStream(handle, chunk, isPipe && total === 0);
    if (bytes === 0) return Buffer.concat(chunks, total);
    chunks.push(chunk.subarray(0, bytes));
    total += bytes;
    if (total > mostBytes) throw new Unreadable(tooLarge(mostBytes, null));
  }
}

/**
 * The pieces of a pipe that is opened by its path, until it or the signal ends. Unlike a stream of Node's it never waits for a
 * writer without end, and lets the signal in while nothing comes.
 */
export async function* pipeChunks(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    for (let hasBegun = false; ; hasBegun = true) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const bytes = await readStream(handle, chunk, !hasBegun, signal);
      if (bytes === 0) return;
      yield chunk.subarray(0, bytes);
    }
  } finally {
    await handle.close();
  }
}

/**
 * A stream without data yet answers EAGAIN; a pipe that nobody has opened for writing yet looks as if it had ended. 0 at its end, or
 * once the signal is aborted.
 */
async function readStream(
  handle: FileHandle,
  chunk: Buffer,
  awaitsWriter: boolean,
  signal?: AbortSignal,
): Promise<number> {
  const deadline = performance.now() + WRITER_MILLISECONDS;
  while (!signal?.aborted) {
    try {
      const { bytesRead } = await handle.read(chunk);
      if (bytesRead > 0 || !awaitsWriter || performance.now() > deadline) return bytesRead;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
    await sleep(POLL_MILLISECONDS);
  }
  return 0;
}

function readRule(code: string | null, message: string): string {
  switch (code) {
    case 'ENOENT':
      return 'no such file';
    case 'EISDIR':
      return 'must be a file; found a folder';
    case 'EACCES':
      return 'may not be read: permission denied';
    case 'ELOOP':
      return 'cannot be read: its links form a loop';
    case 'ENXIO':
      return 'cannot be read: a socket or device that is not there';
    default:
      return `cannot be read: ${code ?? message}`;
  }
}

/** The text of UTF-8 bytes, with its byte order mark if it has one; or the rule that they break, and the line. */
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

/** Line of the first byte that is not UTF-8: the first line that does not come back as it was. */
function invalidLine(bytes: Uint8Array): number {
  let offset = 0;
  for (const [index, line] of Buffer.from(bytes).toString('utf8').split('\n').entries()) {
    const again = Buffer.from(line);
    if (!again.equals(bytes.subarray(offset, offset + again.length))) return index + 1;
    offset += again.length + 1;
  }
  return 1;
}
