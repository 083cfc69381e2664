import { spawn, type ChildProcess } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { isExecutable } from '../envoy/find.ts';
import { freePort } from '../envoy/port.ts';
import { inPackage } from '../file/packageRoot.ts';
import { eachLine } from '../program/run.ts';
import { watch } from '../program/watchdog.ts';

/** Why there is no Prometheus: none here, or one that does not start. The demo goes on without. */
export class PrometheusError extends Error {
  override readonly name = 'PrometheusError';
}

export const INSTALL_PROMETHEUS =
  'no prometheus on PATH, so nothing records the metrics; install it (Debian and Ubuntu: apt-get install prometheus, macOS: ' +
  'brew install prometheus, others: https://prometheus.io/download) and start the demo again';

const ALERTS = inPackage('examples', 'monitoring', 'alerts.yaml');
const READY_MS = 20_000;
const LATE_MS = 2000;
const POLL_MS = 50;
const STOP_MS = 5000;
const LAST_LINES = 3;

/** Path of the program, or null. */
export async function findPrometheus(env: NodeJS.ProcessEnv = process.env): Promise<string | null> {
  // a login shell's PATH often lacks the sbin folders
  for (const folder of [...(env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']) {
    if (isAbsolute(folder) && (await isExecutable(join(folder, 'prometheus')))) return join(folder, 'prometheus');
  }
  return null;
}

export interface PrometheusOptions {
  readonly command: string;
  /** The admin ports of the Envoys whose metrics are read. */
  readonly adminPorts: readonly number[];
  readonly signal?: AbortSignal;
  readonly progress?: (text: string) => void;
}

/** A Prometheus on loopback that reads Envoys every second and knows the alerts of examples/monitoring. Its data goes when it stops. */
export class LocalPrometheus {
  /** Resolves when it has ended, with its last words. */
  readonly ended: Promise<string>;
  private readonly child: ChildProcess;

  private constructor(
    command: string,
    private readonly folder: string,
    private readonly port: number,
  ) {
    // detached: a Ctrl-C in the terminal reaches only this process, which then stops it in order
    const child = spawn(command, argumentsOf(folder, port), {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const said: string[] = [];
    eachLine(child.stderr, (line) => {
      said.push(line);
      if (said.length > LAST_LINES) said.shift();
    });
    // it must not go on writing into a folder that is being removed
    const watchdog = watch({ pid: child.pid, folder, signal: 'KILL' });
    this.child = child;
    this.ended = new Promise((resolve) => {
      child.on('close', (code, signal) => resolve([`exit code ${code ?? signal}`, ...said].join('\n  ')));
      child.on('error', (error) => resolve(error.message));
    });
    void this.ended.then(() => watchdog.dismiss());
  }

  /** Resolves when it answers; rejects with a PrometheusError when it does not, leaving nothing behind. */
  static async start({ command, adminPorts, signal, progress }: PrometheusOptions): Promise<LocalPrometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-prometheus-')).catch(refuse);
    const late = setTimeout(() => progress?.('waiting for Prometheus'), LATE_MS);
    let started: LocalPrometheus | null = null;
    try {
      await copyFile(ALERTS, join(folder, 'alerts.yaml'));
      await writeFile(join(folder, 'prometheus.yaml'), JSON.stringify(configOf(adminPorts)));
      started = new LocalPrometheus(command, folder, await freePort());
      await started.ready(signal);
      return started;
    } catch (error) {
      await (started === null ? rm(folder, { recursive: true, force: true }) : started.stop());
      signal?.throwIfAborted();
      return refuse(error);
    } finally {
      clearTimeout(late);
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Undefined when it could not be started. */
  get pid(): number | undefined {
    return this.child.pid;
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    await this.ended;
    clearTimeout(late);
    await rm(this.folder, { recursive: true, force: true });
  }

  private async ready(signal?: AbortSignal): Promise<void> {
    const deadline = Date.now() + READY_MS;
    const lastWords: string[] = [];
    void this.ended.then((words) => lastWords.push(words));
    while (!(await answers(`${this.url}/-/ready`))) {
      signal?.throwIfAborted();
      if (lastWords.length > 0) throw new PrometheusError(`Prometheus ended: ${lastWords.join()}`);
      if (Date.now() > deadline) throw new PrometheusError(`Prometheus did not start within ${READY_MS / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

/** A page of it that draws an expression. */
export function graphUrl({ url }: Pick<LocalPrometheus, 'url'>, expression: string): string {
  return `${url}/graph?g0.expr=${encodeURIComponent(expression)}&g0.tab=0&g0.range_input=5m`;
}

function argumentsOf(folder: string, port: number): string[] {
  return [
    // names of rule files are patterns, folder included, and the folder for temporary files may be called anything
    '--config.file=prometheus.yaml',
    `--storage.tsdb.path=${join(folder, 'data')}`,
    // a demo that is forgotten does not fill the disk
    '--storage.tsdb.retention.time=1d',
    '--storage.tsdb.retention.size=256MB',
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=warn',
  ];
}

/** JSON is YAML. */
function configOf(adminPorts: readonly number[]): object {
  return {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '5s' },
    rule_files: ['alerts.yaml'],
    scrape_configs: [
      {
        job_name: 'tollgate',
        metrics_path: '/stats/prometheus',
        static_configs: [{ targets: adminPorts.map((port) => `127.0.0.1:${port}`) }],
      },
    ],
  };
}

function refuse(error: unknown): never {
  if (error instanceof PrometheusError) throw error;
  const { code, message } = error as NodeJS.ErrnoException;
  throw new PrometheusError(`cannot start Prometheus: ${code ?? message}`);
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = get(url, { agent: false, timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on('timeout', () => asked.destroy()).on('error', () => resolve(false));
  });
}
