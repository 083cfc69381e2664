import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Admin } from '../../scripts/envoy/discovery.ts';
import type { FoundEnvoy } from '../../scripts/envoy/find.ts';
import { snapshotOf } from '../../scripts/envoy/snapshot.ts';
import { EnvoyProcess } from '../../scripts/envoy/process.ts';
import { staticBootstrap } from '../../scripts/envoy/bootstrap.ts';
import { compilePolicy, validPolicy } from '../../scripts/policy/index.ts';
import { freePort } from '../../harness/mesh/port.ts';
import { waitFor } from '../../harness/mesh/wait.ts';
import { send } from '../../harness/envoy/load.ts';
import { trappingModule } from '../../harness/envoy/trappingModule.ts';

export type FailurePolicy = 'FAIL_CLOSED' | 'FAIL_RELOAD' | 'FAIL_OPEN';

/** An Envoy with one worker and that module, so that one trap kills all VMs that serve requests. */
export class TrappingEnvoy {
  readonly log: string[] = [];
  readonly access: string[] = [];

  private constructor(
    readonly port: number,
    private readonly folder: string,
  ) {}

  private process!: EnvoyProcess;
  admin!: Admin;

  static async start(
    envoy: FoundEnvoy,
    policy: string,
    upstream: string,
    failurePolicy: FailurePolicy | null,
  ): Promise<TrappingEnvoy> {
    const test = new TrappingEnvoy(await freePort(), await mkdtemp(join(tmpdir(), 'tollgate-trap-')));
    await writeFile(
      join(test.folder, 'bootstrap.json'),
      bootstrapOf(policy, upstream, test.port, await trappingModule(), failurePolicy),
    );
    test.process = new EnvoyProcess({
      envoy,
      folder: test.folder,
      concurrency: 1,
      accessLogFlushMs: 1,
      onAccess: (line) => test.access.push(line),
      onLog: (line) => test.log.push(line),
    });
    test.admin = new Admin(await waitFor('the admin interface', () => test.process.adminPort()));
    await waitFor('Envoy to be ready', () => test.admin.isReady());
    return test;
  }

  /** The status of one request on a connection of its own. */
  async status(headers: Record<string, string>, path = '/v1/pets'): Promise<number> {
    return [...(await send({ port: this.port, connections: 1, headers, path }, 1)).keys()][0]!;
  }

  /** Envoy's own counters of reloads, by their last word. */
  async reloads(): Promise<Record<string, number>> {
    const stats = await this.admin.stats('^wasm\\.tollgate\\.vm_reload');
    return Object.fromEntries([...stats].map(([name, value]) => [name.slice('wasm.tollgate.'.length), Number(value)]));
  }

  async stop(): Promise<void> {
    await this.process.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Null leaves the failure policy as `tollgate run` writes it. */
function bootstrapOf(
  text: string,
  upstream: string,
  port: number,
  module: string,
  failurePolicy: FailurePolicy | null,
): string {
  const { policy } = validPolicy(text, 'trap.policy.yaml');
  const overrides = new Map(Object.keys(policy.upstreams).map((name) => [name, upstream]));
  const written = JSON.stringify(
    staticBootstrap(snapshotOf(policy, compilePolicy(policy), overrides), {
      listen: '127.0.0.1',
      port,
      adminPort: 0,
      module,
    }),
  );
  return failurePolicy === null
    ? written
    : written.replace(/"failure_policy":"\w+"/, `"failure_policy":"${failurePolicy}"`);
}
