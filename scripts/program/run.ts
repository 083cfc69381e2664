import { spawn } from 'node:child_process';

export interface Finished {
  /** Exit code; null when the program could not be started or was stopped by a signal. */
  code: number | null;
  stdout: string;
  /** Why it could not be started, where that is so. */
  stderr: string;
  /** The system's word for why it could not be started, such as ENOENT; absent: it was. */
  notStarted?: string;
}

/** What the system's words mean to people. */
const NOT_STARTED: Readonly<Record<string, string>> = {
  ENOENT: 'not found',
  EACCES: 'may not be executed',
  ENOEXEC: 'is no program of this machine',
};

/** Runs a program to its end and never throws for its failure: a program that is not there is a `Finished` with code null. */
export function runToEnd(
  command: string,
  args: string[],
  options: { env?: NodeJS.ProcessEnv; signal?: AbortSignal } = {},
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
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
