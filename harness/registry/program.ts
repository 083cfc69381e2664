import { spawn } from 'node:child_process';

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs an external program to its end. */
export function program(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      timeout: 120_000,
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (err += bytes.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

/** Like `program`, but throws on failure, with the program's output. */
export async function succeed(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { code, out, err } = await program(command, args, env);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit code ${code}\n${out}${err}`);
  return out;
}
