/** What a command may do to the outside world: print, read standard input, and learn that the user wants to stop. */
export interface Io {
  out(text: string): void;
  err(text: string): void;
  /** Prints to standard output like `out`; resolves once the text is written, and rejects when it cannot be. */
  deliver(text: string): Promise<void>;
  /** Standard input to its end; a Refusal when that is longer than `mostBytes`. */
  readonly stdin: (mostBytes: number) => Promise<Buffer>;
  /** True when standard error is a terminal that wants colours and progress. */
  readonly isTerminal: boolean;
  /** Aborted on Ctrl-C or SIGTERM, and when nobody reads standard output any more; a long command then cleans up and returns. */
  readonly signal: AbortSignal;
}

export interface Command {
  /** The whole text of `tollgate NAME --help`. */
  readonly usage: string;
  /** Resolves to the exit code: 0 done, 1 the policy (or a component) said no, 2 wrong usage. */
  run(args: string[], io: Io): Promise<number>;
}

/** Wrong words on the command line: exit 2, with a pointer to `--help`. Of the command line alone: libraries have errors of their own. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** True for wrong words on the command line, whether we or node's own reader of options found them. */
export function isUsageError(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return error instanceof UsageError || (typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS_'));
}

/** The answer is no: exit 1, the message printed as it is, no stack trace. Of the command line alone, too. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}
