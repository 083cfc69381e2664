import { spawn } from 'node:child_process';

export interface Finished {
  /** Exit code; null when the program could not be started or was stopped by a signal. */
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end and never throws for its failure: a program that is not there is a `Finished` with code null. */
export function runToEnd(command: string, args: string[], options: { env?: NodeJS.ProcessEnv; signal?: AbortSignal } = {}): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
    child.on('error', (error) => {
      stderr += error.message;
      // one that started and was told to stop may still be writing files: its end comes with 'close'
      if (child.pid === undefined) resolve({ code: null, stdout, stderr });
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
