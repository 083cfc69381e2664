import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IMAGE } from '../../scripts/docker/envoy.ts';
import { runToEnd } from '../../scripts/program/run.ts';
import { eventually } from '../../harness/envoy/toolProcess.ts';
import { whenWeDie } from '../../harness/mesh/watchdog.ts';
import { IMPORT, writeImage } from './image.ts';

const ELSEWHERE = fileURLToPath(new URL('elsewhere.py', import.meta.url));

/** An engine leaves mounts in its folder, such as networks of containers. */
const REMOVE = 'grep -o " $2/[^ ]*" /proc/mounts | xargs -r umount -l; rm -rf "$2"';

export interface EngineOptions {
  readonly programs: { readonly dockerd: string; readonly busybox: string };
  readonly envoy: string;
  /** `here`: on this machine's network. The others have a network of their own, the last one without a way back. */
  readonly network: 'here' | 'elsewhere' | 'elsewhere without a way back';
  /** A folder that the engine sees empty, as one that is not shared with it. */
  readonly hidden?: string;
}

/** A real docker engine with the image, all in one folder and separate from this machine's own docker. */
export class Engine {
  private constructor(
    private readonly process: ChildProcess,
    private readonly folder: string,
    private readonly dismiss: () => void,
  ) {}

  static async start(options: EngineOptions): Promise<Engine> {
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-engine-'));
    await chmod(folder, 0o711);
    const [command = '', ...args] = commandOf(options, folder);
    const log: string[] = [];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => log.push(bytes.toString()));
    const engine = new Engine(
      child,
      folder,
      whenWeDie(`kill -TERM "$1"; sleep 5; ${REMOVE}`, String(child.pid), folder),
    );
    try {
      await eventually(
        async () => (await engine.docker('version')).code === 0 || null,
        () => `no engine:\n${log.join('')}`,
      );
      const archive = writeImage(folder, { envoy: options.envoy, busybox: options.programs.busybox });
      await engine.succeed('import', ...IMPORT, archive, IMAGE);
      // for other users than root; only the test knows the folder's name
      await chmod(join(folder, 'socket'), 0o666);
      return engine;
    } catch (error) {
      await engine.stop();
      throw error;
    }
  }

  /** Environment that makes the docker client use this engine. */
  get env(): { DOCKER_HOST: string; DOCKER_CONFIG: string } {
    return { DOCKER_HOST: `unix://${this.folder}/socket`, DOCKER_CONFIG: join(this.folder, 'client') };
  }

  docker(...args: string[]): ReturnType<typeof runToEnd> {
    return runToEnd('docker', args, { env: { ...process.env, ...this.env } });
  }

  async succeed(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.docker(...args);
    if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** Names of all containers, stopped ones too. */
  async containers(): Promise<string[]> {
    return (await this.succeed('ps', '--all', '--format', '{{.Names}}')).split('\n').filter(Boolean);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    if (this.process.exitCode === null && this.process.kill('SIGTERM')) await ended;
    await runToEnd('sh', ['-c', REMOVE, 'sh', '', this.folder]);
    this.dismiss();
  }
}

function commandOf({ programs, network, hidden }: EngineOptions, folder: string): string[] {
  const own = [
    `--data-root=${folder}/data`,
    `--exec-root=${folder}/exec`,
    `--pidfile=${folder}/pid`,
    `--host=unix://${folder}/socket`,
  ];
  const engine = [programs.dockerd, ...own];
  if (network === 'here') return hiding(hidden, [...engine, '--iptables=false', '--bridge=none']);
  return ['python3', ELSEWHERE, ...(network === 'elsewhere' ? [] : ['--no-way-back']), ...engine];
}

function hiding(hidden: string | undefined, command: string[]): string[] {
  return hidden === undefined
    ? command
    : ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs tmpfs "$0" && exec "$@"', hidden, ...command];
}
