import { Readable } from 'node:stream';
import type { Io } from '../../scripts/cli/command.ts';
import { main } from '../../scripts/cli/tollgate.ts';

/** A whole line, as one is printed where there is no terminal. */
const PROGRESS = /^[^\r\n]* …\n/gm;

export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs a whole command line as the program does, and keeps what it prints, but for the lines of progress: whether a step takes longer than two
 * seconds depends on the machine.
 */
export async function tollgate(
  args: string[],
  input: {
    /** A stream is for commands that read piece by piece. */
    stdin?: string | Buffer | readonly Buffer[] | Readable;
    signal?: AbortSignal;
    isTerminal?: boolean;
    deliver?: (text: string) => Promise<void>;
  } = {},
): Promise<Run> {
  const { stdin = '' } = input;
  const stream = stdin instanceof Readable ? stdin : null;
  const chunks =
    stdin instanceof Readable
      ? []
      : typeof stdin === 'string' || Buffer.isBuffer(stdin)
        ? [Buffer.from(stdin)]
        : [...stdin];
  const printed = { out: '', err: '' };
  const io: Io = {
    out: (text) => void (printed.out += text),
    err: (text) => void (printed.err += text),
    deliver: input.deliver ?? ((text) => Promise.resolve(void (printed.out += text))),
    stdin: () => Promise.resolve(Buffer.concat(chunks)),
    stdinChunks: () => stream ?? Readable.from(chunks),
    isTerminal: input.isTerminal ?? false,
    signal: input.signal ?? new AbortController().signal,
  };
  const code = await main(args, io);
  return { code, out: printed.out, err: printed.err.replace(PROGRESS, '') };
}
