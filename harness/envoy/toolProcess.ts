import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { inPackage } from '../../scripts/file/packageRoot.ts';

const TIMEOUT_MS = 20_000;

/** The tool as a user starts it: a process with its own standard output and error. */
export class ToolProcess {
  out = '';
  err = '';
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  private readonly child: ChildProcess;

  constructor(args: string[], env: NodeJS.ProcessEnv = {}, user: { uid?: number; gid?: number } = {}) {
    const child = spawn(process.execPath, [inPackage('scripts', 'bin.mjs'), ...args], {
      env: { ...process.env, NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...user,
    });
    child.stdout.on('data', (bytes: Buffer) => (this.out += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (this.err += bytes.toString()));
    this.child = child;
    this.exited = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
  }

  /** Resolves when the output matches the pattern; throws with all of the output when it never does. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    return eventually(
      () => pattern.exec(this.out + this.err),
      () => `${pattern} not in: ${this.out}${this.err}`,
    );
  }

  async port(): Promise<number> {
    return Number((await this.says(/in force on http:\/\/127\.0\.0\.1:(\d+)/))[1]);
  }

  /** Undefined when the process could not be started. */
  get pid(): number | undefined {
    return this.child.pid;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends the process if the test has not. */
  async end(): Promise<void> {
    this.kill('SIGTERM');
    await this.exited;
  }
}

/** Polls until there is a value, and returns it. */
export async function eventually<T>(
  ask: () => T | null | Promise<T | null>,
  complaint: () => string,
  timeoutMs = TIMEOUT_MS,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await ask();
    if (value !== null) return value;
    if (Date.now() > deadline) throw new Error(complaint());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
