import { spawn, type ChildProcess } from 'node:child_process';
import { get } from 'node:http';
import { eachLine } from '../../scripts/program/run.ts';
import { whenWeDie } from './watchdog.ts';

export interface DaemonOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  /** Its working directory. */
  readonly folder: string;
  /** How long it may take to end after SIGTERM; default 3 s. */
  readonly graceMs?: number;
}

const KEPT_LINES = 4000;

/** A program that ends, with all of its children, when it is told to or when the process that started it is gone. */
export class Daemon {
  /** The last lines of its standard output and error. */
  readonly log: string[] = [];
  readonly ended: Promise<string>;
  hasEnded = false;
  private readonly child: ChildProcess;

  constructor(private readonly options: DaemonOptions) {
    const { command, args, folder, env } = options;
    // its own process group: an agent's Envoy ends with it, and a Ctrl-C in the terminal reaches only this process
    const child = spawn(command, args, {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...plainEnvironment(), ...env },
    });
    for (const stream of [child.stdout, child.stderr]) eachLine(stream, (line) => this.take(line));
    this.child = child;
    const dismiss = whenWeDie('kill -s KILL -- "-$1"', String(child.pid ?? ''));
    this.ended = new Promise((resolve) => {
      child.on('close', (code, signal) => resolve(`exit code ${code ?? signal}`));
      child.on('error', (error) => resolve(error.message));
    });
    void this.ended.then(() => {
      this.hasEnded = true;
      dismiss();
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  private take(line: string): void {
    this.log.push(line);
    if (this.log.length > KEPT_LINES) this.log.shift();
  }

  /** Resolves when `ready` returns true; stops the program and throws with its last lines when it ends or takes too long. */
  async isUp(ready: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
    try {
      await this.becomes(ready, timeoutMs);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  private async becomes(ready: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!(await ready().catch(() => false))) {
      if (this.hasEnded)
        throw new Error(`${this.options.name} did not start: ${await this.ended}\n${this.lastLines()}`);
      if (Date.now() > deadline)
        throw new Error(`${this.options.name} was not ready within ${timeoutMs} ms\n${this.lastLines()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  lastLines(count = 20): string {
    return this.log
      .slice(-count)
      .map((line) => `  ${this.options.name}: ${line}`)
      .join('\n');
  }

  async stop(): Promise<void> {
    this.signal('SIGTERM');
    const late = setTimeout(() => this.signal('SIGKILL'), this.options.graceMs ?? 3000);
    await this.ended;
    clearTimeout(late);
    // children that outlived it
    this.signal('SIGKILL');
  }

  /** Ends it as a crash or a lack of memory does: it gets no chance to write anything. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }

  private signal(signal: NodeJS.Signals): void {
    if (this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // the whole group is gone
    }
  }
}

/** Istio's programs read dozens of environment variables; only those that any program needs are passed on. */
function plainEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  return { PATH, HOME };
}

/** True when a URL on loopback answers 200. */
export function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: 2000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false)).on('timeout', () => request.destroy());
  });
}
