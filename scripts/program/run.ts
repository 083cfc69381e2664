import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface Finished {
  /** Exit code; null when the program could not be started or was stopped by a signal. */
  code: number | null;
  stdout: string;
  /** Why it could not be started, if it was not. */
  stderr: string;
  /** The system's code for why it could not be started, such as ENOENT; absent if it was. */
  notStarted?: string;
}

/** What the system's words mean to people. */
const NOT_STARTED: Readonly<Record<string, string>> = {
  ENOENT: 'not found',
  EACCES: 'may not be executed',
  ENOEXEC: 'is not a program for this machine',
};

/**
 * Runs a program to its end and never throws for its failure: a program that is not there is a `Finished` with code null, and so
 * is one that was stopped because it printed more than `mostCharacters`.
 */
export function runToEnd(
  command: string,
  args: string[],
  {
    mostCharacters = Infinity,
    ...options
  }: { env?: NodeJS.ProcessEnv; signal?: AbortSignal; mostCharacters?: number } = {},
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let stdout = '';
    let stderr = '';
    const bounded = (text: string): string => {
      if (text.length > mostCharacters) child.kill('SIGKILL');
      return text;
    };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout = bounded(stdout + text)));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = bounded(stderr + text)));
    child.on('error', (error: NodeJS.ErrnoException) => {
      // one that started and was told to stop may still be writing files: its end comes with 'close'
      if (child.pid !== undefined) return;
      const notStarted = error.code ?? error.message;
      resolve({ code: null, stdout, stderr: NOT_STARTED[notStarted] ?? error.message, notStarted });
    });
    // what a stopped program started itself may go on and hold the pipes open; nobody waits for that
    child.on('exit', () => {
      if (!options.signal?.aborted) return;
      child.stdout.destroy();
      child.stderr.destroy();
    });
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Calls back with each whole line of a stream, the last one even without its line break. */
export function eachLine(stream: Readable, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(take);
  });
  stream.on('end', () => {
    if (rest !== '') take(rest);
    rest = '';
  });
}
