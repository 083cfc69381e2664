import { Readable } from 'node:stream';
import { exitCodeOf } from '../../scripts/cli/failure.ts';
import type { Command, Io } from '../../scripts/cli/command.ts';

export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Input {
  readonly stdin?: string;
  readonly signal?: AbortSignal;
}

/** Runs a command and keeps what it prints; what it throws for the user becomes text and exit code, as in the program. */
export async function runCommand(
  command: Command,
  args: string[],
  { stdin = '', signal = new AbortController().signal }: Input = {},
): Promise<Run> {
  const printed = { out: '', err: '' };
  const io: Io = {
    out: (text) => void (printed.out += text),
    err: (text) => void (printed.err += text),
    deliver: (text) => Promise.resolve(void (printed.out += text)),
    stdin: () => Promise.resolve(Buffer.from(stdin)),
    stdinChunks: () => Readable.from([Buffer.from(stdin)]),
    isTerminal: false,
    signal,
  };
  try {
    return { code: await command.run(args, io), ...printed };
  } catch (error) {
    const code = exitCodeOf(error);
    if (code === null) throw error;
    return { code, out: printed.out, err: `${printed.err}${(error as Error).message}\n` };
  }
}
