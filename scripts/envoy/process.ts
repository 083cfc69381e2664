import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FoundEnvoy } from './find.ts';
import { eachLine } from '../program/run.ts';
import { watch } from '../program/watchdog.ts';

/** Ports of this machine; 0: a free one. */
export interface Ports {
  readonly port: number;
  readonly adminPort: number;
}

/** What an Envoy runs in that is not a process of this machine, as far as its starter must know. */
export interface Container {
  /** Arguments of the program to start, to be followed by Envoy's own. */
  readonly args: readonly string[];
  /** What Envoy must listen on; null: the same as on this machine. */
  readonly inside: { listen: string; port: number; adminPort: number; adminPaths: readonly string[] } | null;
  /** The ports of this machine that lead to what Envoy listens on; null: they are what Envoy says. */
  readonly published: Ports | null;
  /** The command that ends the container whatever state it is in. */
  readonly removal: readonly [string, ...string[]];
  /** An address of this machine as Envoy reaches it. */
  reached(host: string): string;
  /** Moves a file into the place where Envoy watches for it. */
  move(from: string, to: string): Promise<void>;
  /** Resolves when it is gone, whatever state it was in. */
  remove(): Promise<void>;
}

export interface EnvoyProcessOptions {
  envoy: Pick<FoundEnvoy, 'command' | 'prefix'>;
  /** What it runs in; absent or null: it is a process of this machine. */
  container?: Container | null;
  /** Holds bootstrap.json and the discovery files; removed by the watchdog if this process dies. */
  folder: string;
  concurrency: number;
  /** How soon a line of the access log is written; default 20. */
  accessLogFlushMs?: number;
  /** Lines of standard output: the access log. */
  onAccess: (line: string) => void;
  /** Lines of Envoy's own log, as `level logger message` with line breaks escaped. */
  onLog: (line: string) => void;
}

const STOP_MS = 5000;

/** An Envoy that ends when told to, and when the process that started it is gone. */
export class EnvoyProcess {
  /** Resolves when Envoy has ended and both logs are read to their end. */
  readonly ended: Promise<number | null>;
  private readonly child: ChildProcess;

  constructor(private readonly options: EnvoyProcessOptions) {
    const { envoy, container, folder } = options;
    // detached: a Ctrl-C in the terminal reaches only this process, which then stops Envoy cleanly
    const child = spawn(envoy.command, [...envoy.prefix(folder), ...(container?.args ?? []), ...this.args()], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    eachLine(child.stdout, options.onAccess);
    eachLine(child.stderr, options.onLog);
    this.child = child;
    const watchdog = watch({ pid: child.pid, folder, ...(container && { removal: container.removal }) });
    this.ended = new Promise((resolve) => {
      child.on('close', resolve);
      child.on('error', (error) => {
        options.onLog(`critical main ${error.message}`);
        resolve(null);
      });
    });
    void this.ended.then(() => watchdog.dismiss());
  }

  private args(): string[] {
    const { folder, concurrency, accessLogFlushMs = 20 } = this.options;
    return [
      '-c',
      join(folder, 'bootstrap.json'),
      '--concurrency',
      String(concurrency),
      '--admin-address-path',
      join(folder, 'admin'),
      // without hot restart two Envoys on one machine share nothing, not even shared memory
      '--disable-hot-restart',
      '--file-flush-interval-msec',
      String(accessLogFlushMs),
      '-l',
      'warning',
      '--log-format',
      '%l %n %_',
    ];
  }

  /** Undefined when it could not be started. */
  get pid(): number | undefined {
    return this.child.pid;
  }

  /** The port of the admin interface on this machine, once Envoy has opened it. */
  async adminPort(): Promise<number | null> {
    const { container, folder } = this.options;
    const address = await readFile(join(folder, 'admin'), 'utf8').catch(() => '');
    const found = /:(\d+)$/.exec(address.trim());
    return found ? (container?.published?.adminPort ?? Number(found[1])) : null;
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.kill(), STOP_MS);
    await this.ended;
    clearTimeout(late);
    await this.options.container?.remove();
  }

  /** A client that is killed leaves its container running, so the container goes first and the client ends with it. */
  private kill(): void {
    void (this.options.container?.remove() ?? Promise.resolve()).then(() => this.child.kill('SIGKILL'));
  }
}
