import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Admin } from '../../scripts/envoy/discovery.ts';
import { snapshotOf } from '../../scripts/envoy/snapshot.ts';
import { EnvoyProcess } from '../../scripts/envoy/process.ts';
import { staticBootstrap } from '../../scripts/envoy/bootstrap.ts';
import { compilePolicy, validPolicy } from '../../scripts/policy/index.ts';
import type { Available } from '../../harness/envoy/available.ts';

/** What a team changes in the bootstrap that `tollgate run --print-bootstrap` writes: its filters and its routes. */
export interface Manager {
  http_filters: object[];
  route_config: {
    virtual_hosts: [
      { routes: { route?: Record<string, unknown> }[]; typed_per_filter_config?: Record<string, object> },
    ];
  };
}

interface Listener {
  filter_chains: [{ filters: [{ typed_config: Manager }] }];
}

interface Bootstrap {
  static_resources: { listeners: [Listener, ...Listener[]] };
}

const START_MS = 20_000;
const POLL_MS = 20;

/** A real Envoy that serves a policy from an edited static bootstrap, with one address for all upstreams. */
export class EditedEnvoy {
  private constructor(
    private readonly process: EnvoyProcess,
    private readonly folder: string,
    readonly port: number,
  ) {}

  static async start(
    policyText: string,
    upstream: string,
    found: Available,
    edit: (manager: Manager, listeners: object[]) => void,
  ): Promise<EditedEnvoy> {
    if (found.skip !== false) throw new Error(found.skip);
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-edited-'));
    const { policy } = validPolicy(policyText, 'edited.policy.yaml');
    const overrides = new Map(Object.keys(policy.upstreams).map((name): [string, string] => [name, upstream]));
    const snapshot = snapshotOf(policy, compilePolicy(policy), overrides);
    const bootstrap = staticBootstrap(snapshot, {
      listen: '127.0.0.1',
      port: 0,
      adminPort: 0,
      module: found.module,
    }) as Bootstrap;
    const { listeners } = bootstrap.static_resources;
    edit(listeners[0].filter_chains[0].filters[0].typed_config, listeners);
    await writeFile(join(folder, 'bootstrap.json'), JSON.stringify(bootstrap));
    const log: string[] = [];
    const process = new EnvoyProcess({
      envoy: found.envoy,
      folder,
      concurrency: 1,
      onAccess: () => {},
      onLog: (line) => log.push(line),
    });
    try {
      return new EditedEnvoy(process, folder, await servingPort(process));
    } catch (error) {
      await process.stop();
      throw new Error(`${(error as Error).message}\n${log.join('\n')}`);
    }
  }

  async stop(): Promise<void> {
    await this.process.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function servingPort(process: EnvoyProcess): Promise<number> {
  const deadline = Date.now() + START_MS;
  for (;;) {
    const adminPort = await process.adminPort();
    const admin = adminPort === null ? null : new Admin(adminPort);
    const port = admin !== null && (await admin.isReady()) ? await admin.listenerPort() : null;
    if (port) return port;
    if (Date.now() > deadline) throw new Error('Envoy did not become ready in time');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
