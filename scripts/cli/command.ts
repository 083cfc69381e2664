import { randomBytes } from 'node:crypto';
import { chmod, chown, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { epochSeconds } from '../policy/schema/value.ts';

/** What connects a command to the outside: printing, standard input, and the user's wish to stop. */
export interface Io {
  out(text: string): void;
  err(text: string): void;
  /** Prints to standard output like `out`; resolves once the text is written, and rejects when it cannot be. */
  deliver(text: string): Promise<void>;
  /** Standard input to its end; a Refusal when that is longer than `mostBytes`. */
  readonly stdin: (mostBytes: number) => Promise<Buffer>;
  /** Standard input piece by piece, as it comes. */
  readonly stdinChunks: () => AsyncIterable<Uint8Array>;
  /** True when standard error is a terminal that wants colours and progress. */
  readonly isTerminal: boolean;
  /** Aborted on Ctrl-C or SIGTERM, and when nobody reads standard output any more; a long command then cleans up and returns. */
  readonly signal: AbortSignal;
}

export interface Command {
  /** The whole text of `tollgate NAME --help`. */
  readonly usage: string;
  /** Resolves to the exit code: 0 done, 1 the policy (or a component) refused, 2 wrong usage. */
  run(args: string[], io: Io): Promise<number>;
}

/** Wrong usage: exit code 2, with a pointer to `--help`. For the command line only: libraries have their own errors. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** True for wrong usage, whether we or Node's own parser of options found it. */
export function isUsageError(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return error instanceof UsageError || (typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS_'));
}

/** The value of a numeric option, or null when it is not given. */
export function wholeNumber(option: string, text: string | undefined, least: number, most: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new UsageError(`${option} is a number from ${least} to ${most}; found "${text}"`);
  return value;
}

const EPOCH = 'SOURCE_DATE_EPOCH';

/**
 * The time for which time zones are compiled, in seconds since 1970: that of `--at`, or of SOURCE_DATE_EPOCH, by which builds are made
 * reproducible; undefined for now.
 */
export function compileTime(at: string | undefined): number | undefined {
  const seconds = at === undefined ? undefined : epochSeconds(at);
  if (seconds !== undefined && (seconds === null || seconds < 0 || seconds > LATEST_SECONDS))
    throw new UsageError('--at must be a time such as 2026-01-31T00:00:00Z, from 1970 to 2199');
  const epoch = process.env[EPOCH];
  if (seconds !== undefined || epoch === undefined || epoch === '') return seconds;
  if (!/^\d{1,10}$/.test(epoch) || Number(epoch) > LATEST_SECONDS)
    throw new UsageError(`${EPOCH} must be whole seconds since 1970, up to 2199; found "${epoch}"`);
  return Number(epoch);
}

const LATEST_SECONDS = Date.UTC(2199, 11, 31) / 1000;

/** The command cannot do it: exit code 1, the message printed as it is, no stack trace. For the command line only, too. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

/**
 * Standard output of the process. A reader that went away (`tollgate check … | head -1`) does not change what a command
 * does or answers; any other write error is reported once, and makes the exit code 1.
 */
export class Output {
  private error: NodeJS.ErrnoException | null = null;

  /** `onClosed` is told that nothing can be written any more, and why; null when the reader went away. */
  constructor(
    private readonly stream: NodeJS.WritableStream,
    private readonly onClosed: (rule: string | null) => void,
  ) {
    stream.on('error', (error: NodeJS.ErrnoException) => this.close(error));
  }

  write(text: string): void {
    if (this.error === null) this.stream.write(text);
  }

  /** Resolves once the system has taken the text; rejects when it does not. */
  deliver(text: string): Promise<void> {
    if (this.error !== null) return Promise.reject(this.error);
    return new Promise((resolve, reject) => {
      this.stream.write(text, (error) => {
        if (!error) return resolve();
        this.close(error);
        reject(error);
      });
    });
  }

  /** The exit code of a command that ended with `code`. */
  exitCode(code: number): number {
    return code === 0 && this.hasLost ? 1 : code;
  }

  private get hasLost(): boolean {
    return this.error !== null && this.error.code !== 'EPIPE';
  }

  private close(error: NodeJS.ErrnoException): void {
    if (this.error !== null) return;
    this.error = error;
    this.onClosed(this.hasLost ? `cannot write to standard output: ${error.code ?? error.message}` : null);
    // for output that was still being written when the command ended
    if (this.hasLost) process.exitCode ||= 1;
  }
}

/**
 * Prints a command's result: to standard output without a file or with `-`, otherwise into the file. Unlike a shell's `>`,
 * which empties the file before the command begins, and which some shells write in UTF-16, the file holds the old text or the
 * whole new one, in UTF-8.
 */
export async function printTo(file: string | undefined, text: string, io: Io): Promise<void> {
  if (file === undefined || file === '-') return io.out(text);
  try {
    await replace(file, text);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(`${file}: cannot be written: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

async function replace(file: string, text: string): Promise<void> {
  const old = await stat(file).catch(() => null);
  if (old?.isDirectory()) throw new Refusal(`${file}: is a folder; name a file`);
  // a pipe or a device, such as /dev/stdout, is written to and not replaced
  if (old !== null && !old.isFile()) return writeFile(file, text);
  const target = old === null ? file : await realpath(file);
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await writeFile(temporary, text, { flag: 'wx' });
    if (old !== null) {
      await chown(temporary, old.uid, old.gid).catch(() => undefined);
      await chmod(temporary, old.mode & 0o7777);
    }
    await rename(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
}
