import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseStatName, type Label, type MetricName } from '../../scripts/contract/metrics.ts';
import { Admin } from '../../scripts/envoy/discovery.ts';
import { STATS_CONFIG, listener, overloadManager, socketAddress } from '../../scripts/envoy/bootstrap.ts';
import { parseEntry, type AccessEntry } from '../../scripts/envoy/accessLog.ts';
import { extensionOf, PLUGIN, WASM_FILTER } from '../../scripts/envoy/resource.ts';
import { EnvoyProcess } from '../../scripts/envoy/process.ts';
import type { Available } from '../envoy/available.ts';
import type { PluginConfig } from '../config.ts';
import { waitFor } from '../mesh/wait.ts';
import { CLUSTER, POLICY } from './meshPolicy.ts';

type Found = Extract<Available, { skip: false }>;

const DISCOVERY = `extension_config_discovery.http_filter.${PLUGIN}`;
const PASSED = {
  virtual_hosts: [
    {
      name: 'all',
      domains: ['*'],
      routes: [{ match: { prefix: '' }, direct_response: { status: 200, body: { inline_string: 'passed\n' } } }],
    },
  ],
};

/** An Envoy with the module and a cluster for the rate limit service. It answers allowed requests itself. */
export class MeshEnvoy {
  readonly entries: AccessEntry[] = [];
  readonly log: string[] = [];
  private version = 0;
  private readonly child: EnvoyProcess;
  private admin!: Admin;
  port = 0;

  private constructor(
    found: Found,
    private readonly folder: string,
    private readonly module: string,
    concurrency: number,
  ) {
    this.child = new EnvoyProcess({
      envoy: found.envoy,
      folder,
      concurrency,
      onAccess: (line) => {
        const entry = parseEntry(line);
        if (entry) this.entries.push(entry);
      },
      onLog: (line) => void this.log.push(line),
    });
  }

  static async start(found: Available, config: PluginConfig, servicePort: number, concurrency = 2): Promise<MeshEnvoy> {
    if (found.skip !== false) throw new Error(found.skip);
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-'));
    await writeExtension(folder, config, found.module, '1');
    await writeFile(join(folder, 'bootstrap.json'), JSON.stringify(bootstrap(folder, servicePort)));
    const envoy = new MeshEnvoy(found, folder, found.module, concurrency);
    try {
      await envoy.isUp();
      return envoy;
    } catch (error) {
      await envoy.stop();
      throw new Error(`${(error as Error).message}\n${envoy.log.slice(-20).join('\n')}`);
    }
  }

  /** Several Envoys at once, each with its own connections to the same service. */
  static async startAll(
    count: number,
    found: Available,
    config: PluginConfig,
    servicePort: number,
  ): Promise<MeshEnvoy[]> {
    const started = await Promise.allSettled(
      Array.from({ length: count }, () => MeshEnvoy.start(found, config, servicePort)),
    );
    const envoys = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const failed = started.find((result) => result.status === 'rejected');
    if (failed === undefined) return envoys;
    await Promise.all(envoys.map((envoy) => envoy.stop()));
    throw failed.reason;
  }

  /** Puts another plugin config in force: new roots in the existing VMs. */
  async edit(config: PluginConfig): Promise<void> {
    const version = String(++this.version);
    await writeExtension(this.folder, config, this.module, version);
    await this.hasTaken(version);
  }

  /** The sum of a metric's series of this policy that have these labels, over all workers. */
  async metric(name: MetricName, labels: Partial<Record<Label, string>> = {}, policy = POLICY): Promise<number> {
    const all = await this.metrics(policy);
    return all
      .filter((series) => series.name === name)
      .filter((series) => Object.entries(labels).every(([label, is]) => series.labels[label as Label] === is))
      .reduce((sum, { value }) => sum + value, 0);
  }

  /** Every series of the policy. */
  async metrics(
    policy = POLICY,
  ): Promise<{ name: MetricName; labels: Partial<Record<Label, string>>; value: number }[]> {
    const stats = await this.admin.stats('^wasmcustom\\.');
    return [...stats].flatMap(([stat, value]) => {
      const parsed = parseStatName(stat);
      return parsed?.labels.policy === policy ? [{ ...parsed, value: Number(value) }] : [];
    });
  }

  async stats(filter: string): Promise<Map<string, string>> {
    return this.admin.stats(filter);
  }

  /** Log lines that must not appear while the module is healthy. */
  get complaints(): string[] {
    return this.log.filter(
      (line) => /^(error|critical) /.test(line) || /wasm.*(trap|abort|unreachable)|assert|panic/i.test(line),
    );
  }

  async stop(): Promise<void> {
    await this.child.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Kills it, in the middle of requests too. */
  async kill(): Promise<void> {
    if (this.child.pid !== undefined) process.kill(this.child.pid, 'SIGKILL');
    await this.child.ended;
    await rm(this.folder, { recursive: true, force: true });
  }

  private async isUp(): Promise<void> {
    const adminPort = await waitFor('the admin interface', () => this.child.adminPort());
    this.admin = new Admin(adminPort);
    this.version = 1;
    await this.hasTaken('1');
    this.port = await waitFor('Envoy', async () => ((await this.admin.isReady()) ? this.admin.listenerPort() : null));
  }

  private async hasTaken(version: string): Promise<void> {
    await waitFor(`version ${version} of the plugin config`, async () => {
      const stats = await this.admin.stats(`^${DISCOVERY.replaceAll('.', '\\.')}\\.`);
      if (Number(stats.get(`${DISCOVERY}.config_fail`) ?? 0) > 0) throw new Error(this.log.slice(-5).join('\n'));
      return stats.get(`${DISCOVERY}.version_text`) === version;
    });
  }
}

function bootstrap(folder: string, servicePort: number): object {
  const plugin = {
    config_discovery: {
      config_source: { path_config_source: { path: join(folder, 'extension.json') }, resource_api_version: 'V3' },
      type_urls: [WASM_FILTER],
    },
  };
  return {
    node: { id: 'tollgate', cluster: 'tollgate' },
    admin: { address: socketAddress('127.0.0.1', 0) },
    static_resources: {
      listeners: [listener(socketAddress('127.0.0.1', 0), { routes: { route_config: PASSED }, plugin })],
      clusters: [serviceCluster(servicePort)],
    },
    overload_manager: overloadManager(),
    stats_config: STATS_CONFIG,
  };
}

function serviceCluster(port: number): object {
  return {
    name: CLUSTER,
    type: 'STATIC',
    connect_timeout: '1s',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: CLUSTER,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress('127.0.0.1', port) } }] }],
    },
  };
}

async function writeExtension(folder: string, config: PluginConfig, module: string, version: string): Promise<void> {
  const path = join(folder, 'extension.json');
  await writeFile(
    `${path}.next`,
    JSON.stringify({ version_info: version, resources: [extensionOf(JSON.stringify(config), module)] }),
  );
  await rename(`${path}.next`, path);
}
