import { randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { hostname } from 'node:os';
import { freePort } from '../envoy/port.ts';
import type { Container, Ports } from '../envoy/process.ts';
import type { Finished } from '../program/run.ts';
import { docker, DOCKER } from './engine.ts';

/** How ports and loopback of this machine and of the containers meet. */
export type Network =
  /** They are the same. */
  | 'host'
  /** Ports are published on this machine's loopback, which containers reach by a name. */
  | 'published';

export interface ContainerPlan {
  readonly image: string;
  readonly network: Network;
  /** As `--user` takes it. */
  readonly user: string;
}

/** What an Envoy with published ports listens on in its container. */
const INSIDE = { listen: '0.0.0.0', port: 10000, adminPort: 9901 } as const;
/** Other containers may reach the admin interface there; they must not stop Envoy or read its configuration. */
const ADMIN_PATHS = ['/ready', '/listeners', '/server_info', '/stats'] as const;
/** The name by which containers reach this machine. */
export const THIS_MACHINE = 'host.docker.internal';
const ANSWER_MS = 10_000;
/** Say which process a container belongs to, so that the next start removes what a killed one has left. */
const LABELS = { machine: 'tollgate.machine', process: 'tollgate.process' } as const;

/** One container, from its name to its end. */
export class DockerContainer implements Container {
  readonly name = `tollgate-${randomBytes(6).toString('hex')}`;

  private constructor(
    private readonly plan: ContainerPlan,
    private readonly folder: string,
    private readonly ports: Ports,
  ) {}

  /** A free port is chosen here: one that is free where the engine runs may be taken on this machine. */
  static async plan(plan: ContainerPlan, folder: string, { port, adminPort }: Ports): Promise<DockerContainer> {
    if (plan.network === 'host') return new DockerContainer(plan, folder, { port, adminPort });
    return new DockerContainer(plan, folder, {
      port: port || (await freePort()),
      adminPort: adminPort || (await freePort()),
    });
  }

  /** docker's arguments, to be followed by Envoy's own. */
  get args(): string[] {
    const { image, user } = this.plan;
    return [
      'run',
      '--rm',
      '--name',
      this.name,
      '--label',
      `${LABELS.machine}=${thisMachine()}`,
      '--label',
      `${LABELS.process}=${process.pid}`,
      // the image's own entrypoint makes an Envoy that would be root another user, who may not read the folder
      '--entrypoint',
      'envoy',
      '--user',
      user,
      // an engine that maps users, or labels files, would hide the folder from Envoy, which is to read nothing else
      '--userns',
      'host',
      '--security-opt',
      'label=disable',
      // unlike -v, refuses a folder that the engine does not see, instead of making one
      '--mount',
      `type=bind,source=${this.folder},target=${this.folder}`,
      ...this.networkArgs,
      image,
    ];
  }

  private get networkArgs(): string[] {
    if (this.plan.network === 'host') return ['--network', 'host'];
    const publish = (here: number, inside: number): string[] => ['--publish', `127.0.0.1:${here}:${inside}`];
    return [
      ...publish(this.ports.port, INSIDE.port),
      ...publish(this.ports.adminPort, INSIDE.adminPort),
      '--add-host',
      `${THIS_MACHINE}:host-gateway`,
    ];
  }

  /** What Envoy must listen on; null: the same as on this machine. */
  get inside(): { listen: string; port: number; adminPort: number; adminPaths: readonly string[] } | null {
    return this.plan.network === 'host' ? null : { ...INSIDE, adminPaths: ADMIN_PATHS };
  }

  /** An address of this machine as Envoy reaches it. */
  reached(host: string): string {
    return this.plan.network === 'published' && isLoopback(host) ? THIS_MACHINE : host;
  }

  /** The ports of this machine that lead to what Envoy listens on; null: they are what Envoy says. */
  get published(): Ports | null {
    return this.plan.network === 'host' ? null : this.ports;
  }

  /**
   * Moves a file into the place where Envoy watches for it. A virtual machine often gets no events of a folder that the
   * host shares with it; a move inside the container it does see.
   */
  async move(from: string, to: string): Promise<void> {
    if (this.plan.network === 'published' && (await ask(['exec', this.name, 'mv', '-f', from, to]))?.code === 0) return;
    await rename(from, to);
  }

  /** The command that ends the container whatever state it is in. */
  get removal(): readonly [string, ...string[]] {
    return [DOCKER, 'rm', '--force', this.name];
  }

  /** The client may be gone while its container runs on. Resolves when it is gone too, or the engine is. */
  async remove(): Promise<void> {
    const [, ...args] = this.removal;
    await ask(args);
  }
}

/** Null: the engine does not answer in time. */
function ask(args: string[]): Promise<Finished | null> {
  return docker(args, AbortSignal.timeout(ANSWER_MS)).catch(() => null);
}

function isLoopback(host: string): boolean {
  return /^127\./.test(host) || host === '::1' || host === '[::1]' || /^(.+\.)?localhost\.?$/i.test(host);
}

/** Removes the containers of tools that were killed on this machine together with their watchdogs. */
export async function removeLeftovers(signal?: AbortSignal): Promise<void> {
  const format = `{{.ID}} {{.Label "${LABELS.process}"}}`;
  const { stdout } = await docker(
    ['ps', '--all', '--filter', `label=${LABELS.machine}=${thisMachine()}`, '--format', format],
    signal,
  );
  const containers = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([id, pid]) => id && pid && !isRunning(Number(pid)));
  for (const [id = ''] of containers) await docker(['rm', '--force', id], signal);
}

/** Where process numbers mean the same as here: a container may share this machine's name, but has processes of its own. */
function thisMachine(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
