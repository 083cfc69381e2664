import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { AccessEntry } from '../scripts/envoy/accessLog.ts';
import { LocalEnvoy } from '../scripts/envoy/localEnvoy.ts';
import { type Snapshot, snapshotOf } from '../scripts/envoy/snapshot.ts';
import { compilePolicy, validPolicy } from '../scripts/policy/index.ts';
import type { Available } from '../harness/envoy/available.ts';
import { Fault, hold, pause } from './form.ts';

export interface Setting {
  /** The policy as YAML. */
  readonly policy: string;
  /** Where all of its upstreams are; default one that answers 200. */
  readonly upstream?: string;
  /** Worker threads, and so VMs that see requests; default 2. */
  readonly workers?: number;
  /** Port of the rate limit service on this machine, for a policy with a rate limit service. */
  readonly servicePort?: number;
  /** Another module than the one that is built. */
  readonly module?: string;
  /** Fields of the connection manager that differ from those of `tollgate run`. */
  readonly connectionManager?: object;
  /** TLS of its listener, and filters in front of the module. */
  readonly transportSocket?: object;
  readonly filtersBefore?: readonly object[];
  /** Requests as the access log has them, when they are over. */
  readonly onAccess?: (entry: AccessEntry) => void;
}

type Placed = Setting & Required<Pick<Setting, 'upstream'>>;

/** Log lines that a healthy module never causes, whatever clients and services do. */
const COMPLAINT = /^(error|critical) |wasm.*(trap|abort|unreachable)|assert failure|call stack|panic/i;
const BACKTRACE = /^critical backtrace #/;
const DEFAULT_WORKERS = 2;
const LAST_LINES = 12;

/** The Envoy under attack: as `tollgate run` starts one. */
export class Target {
  private isOver = false;
  private isStopping = false;
  private seenLines = 0;

  private constructor(
    private readonly setting: Placed,
    readonly envoy: LocalEnvoy,
  ) {
    void envoy.ended.then(() => (this.isOver = true));
  }

  static async open(setting: Placed, found: Available): Promise<Target> {
    if (found.skip !== false) throw new Error(found.skip);
    const envoy = await LocalEnvoy.start(snapshotFor(setting.policy, setting), {
      envoy: found.envoy,
      module: setting.module ?? found.module,
      concurrency: setting.workers ?? DEFAULT_WORKERS,
      port: 0,
      adminPort: 0,
      ...(setting.connectionManager === undefined ? {} : { connectionManager: setting.connectionManager }),
      ...(setting.transportSocket && { transportSocket: setting.transportSocket }),
      ...(setting.filtersBefore && { filtersBefore: setting.filtersBefore }),
      ...(setting.onAccess === undefined ? {} : { onAccess: setting.onAccess }),
    });
    return new Target(setting, envoy);
  }

  get workers(): number {
    return this.setting.workers ?? DEFAULT_WORKERS;
  }

  get port(): number {
    return this.envoy.port;
  }

  /** What this Envoy would serve for another policy. */
  snapshot(policy: string): Snapshot {
    return snapshotFor(policy, this.setting);
  }

  /** Puts another policy in force, as a save of the file under `tollgate run` does. */
  async edit(policy: string): Promise<void> {
    this.isAlive();
    await this.envoy.apply(this.snapshot(policy));
  }

  /** Tells clients to go elsewhere, as a load balancer's health check does before a pod is ended, and back after `forMs`. */
  async drain(forMs: number): Promise<void> {
    await post(this.envoy.admin.port, '/healthcheck/fail');
    await pause(forMs);
    await post(this.envoy.admin.port, '/healthcheck/ok');
  }

  /** Throws a Fault when Envoy is gone. */
  isAlive(): void {
    if (this.isOver && !this.isStopping) throw new Fault(`Envoy has ended; its last words:\n${this.lastWords()}`);
  }

  /** Throws a Fault when Envoy is gone, or has written something new that a healthy module never causes. */
  isWell(allowed: RegExp = /$^/): void {
    this.isAlive();
    const complaints = this.complaints(allowed);
    hold(complaints.length === 0, `Envoy complains:\n${complaints.join('\n')}`);
  }

  /** The first of what a healthy module never causes, of all that Envoy has written since the last look. */
  complaints(allowed: RegExp = /$^/): string[] {
    const fresh = this.envoy.logged.slice(this.seenLines);
    this.seenLines = this.envoy.logged.length;
    return fresh
      .filter((line) => COMPLAINT.test(line) && !allowed.test(line) && !BACKTRACE.test(line))
      .slice(0, LAST_LINES);
  }

  private lastWords(): string {
    return this.envoy.logged
      .filter((line) => !BACKTRACE.test(line))
      .slice(-LAST_LINES)
      .join('\n');
  }

  /** Memory that Envoy holds, its VMs' included; null where the system does not say (Linux says). */
  async residentBytes(): Promise<number | null> {
    const status = await readFile(`/proc/${this.envoy.pid}/status`, 'utf8').catch(() => '');
    const found = /^VmRSS:\s+(\d+) kB$/m.exec(status);
    return found ? Number(found[1]) * 1024 : null;
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    await this.envoy.stop();
  }
}

function snapshotFor(text: string, { upstream, servicePort }: Placed): Snapshot {
  const { policy } = validPolicy(text, 'attack.policy.yaml');
  const upstreams = new Map(Object.keys(policy.upstreams ?? {}).map((name) => [name, upstream]));
  return snapshotOf(
    policy,
    compilePolicy(policy),
    upstreams,
    servicePort === undefined ? null : { host: '127.0.0.1', port: servicePort },
  );
}

function post(port: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, method: 'POST' }, (response) => response.resume().on('end', resolve))
      .on('error', reject)
      .end();
  });
}
