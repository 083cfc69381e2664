import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FoundEnvoy } from '../../scripts/envoy/find.ts';
import { PolicyServer } from '../../scripts/envoy/policyServer.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { Playground } from '../../scripts/demo/playground.ts';
import { LocalPrometheus } from '../../scripts/demo/prometheus.ts';
import { startEcho } from '../../scripts/upstream/echo.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';
import { PrometheusClient } from '../../harness/monitoring/prometheusClient.ts';
import { FakeService } from '../../harness/rateLimitService/fakeService.ts';

const SILENT = { access: () => undefined, notice: () => undefined, log: () => undefined };
const DEMO = inPackage('examples', 'petstore.policy.yaml');
/** Mesh-wide quotas, one of each failure mode. */
const ORDERS = `
policy: orders
rateLimitService: { cluster: ratelimit, timeout: 1s }
upstreams: { orders: { url: "http://127.0.0.1:9001" } }
apis:
  orders: { paths: [/orders], plans: [wide, small, open, shared], upstream: orders, unlisted: allow, operations: { /: { name: list }, "/{path...}": { name: one } } }
  trial: { paths: [/trial], plans: [wide], upstream: orders, mode: observe }
  guests: { paths: [/guests], plans: [guest], upstream: orders, anonymous: { plan: guest, by: address } }
plans:
  wide: { quotas: { per-minute: { limit: 100000, window: minute, scope: mesh } } }
  small: { quotas: { daily: { limit: 3, window: day, scope: mesh, warnAt: [50] } } }
  open: { quotas: { daily: { limit: 100000, window: day, scope: mesh, onUnavailable: allow } } }
  shared: { quotas: { daily: { limit: 100000, window: day, scope: mesh, onUnavailable: local-share, localShare: 1000 } } }
  guest: { concurrency: 100, quotas: { daily: { limit: 100000, window: day } } }
consumers:
${['wide', 'small', 'open', 'shared']
  .map(
    (plan) =>
      `  ${plan}: { plan: ${plan}, ${plan === 'wide' ? 'calendar: { zone: Europe/Berlin }, ' : ''}keys: [{ id: ${plan}, digest: "${digestOf(`${plan}-secret-key`)}" }] }`,
  )
  .join('\n')}
`;
export type Plan = 'wide' | 'small' | 'open' | 'shared';
const RULES = [
  { window: 'minute', quota: 'per-minute' },
  { window: 'day', quota: 'daily' },
] as const;

/** Requests by what their replies said: `policy reason` or, of a quota, `policy reason quota`. */
export type Tally = Map<string, number>;

type Close = () => Promise<void>;

/** Two Envoys, one with the demo's policy and one with mesh-wide quotas, and a Prometheus that reads both. */
export class Fleet {
  readonly tally: Tally = new Map();
  private constructor(
    private readonly demo: Playground,
    private readonly orders: PolicyServer,
    readonly service: FakeService,
    private readonly prometheus: LocalPrometheus,
    private readonly closing: readonly Close[],
  ) {}

  static async start(envoy: FoundEnvoy, module: string, prometheus: string): Promise<Fleet> {
    const closing: Close[] = [];
    try {
      const folder = await mkdtemp(join(tmpdir(), 'tollgate-fleet-'));
      closing.unshift(() => rm(folder, { recursive: true, force: true }));
      const demo = await startDemo(folder);
      closing.unshift(() => demo.close());
      const service = await FakeService.start('orders', RULES);
      closing.unshift(() => service.stop());
      const echo = await startEcho('orders');
      closing.unshift(() => echo.close());
      const orders = await startOrders(envoy, module, echo.url, service.port);
      closing.unshift(() => orders.stop());
      const adminPorts = [demo.server.envoy.admin.port, orders.envoy.admin.port];
      const reader = await LocalPrometheus.start({ command: prometheus, adminPorts });
      closing.unshift(() => reader.stop());
      return new Fleet(demo, orders, service, reader, closing);
    } catch (error) {
      for (const close of closing) await close();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const close of this.closing) await close();
  }

  get client(): PrometheusClient {
    return new PrometheusClient(this.prometheus.url);
  }

  /** The admin interfaces, as Prometheus names them. */
  get instances(): { demo: string; orders: string } {
    return {
      demo: `127.0.0.1:${this.demo.server.envoy.admin.port}`,
      orders: `127.0.0.1:${this.orders.envoy.admin.port}`,
    };
  }

  /** Some requests of every kind that the demo's policy answers. */
  async callDemo(): Promise<void> {
    const { port } = this.demo.server.envoy;
    const [acme, globex] = [this.demo.keys.of('acme'), this.demo.keys.of('globex')];
    await this.call('petstore', port, '/v1/pets', globex, 6);
    await this.call('petstore', port, '/v1/pets', null, 2);
    await this.call('petstore', port, '/v1/pets', 'a-key-that-nobody-has', 200);
    await this.call('petstore', port, '/elsewhere', null, 1);
    // its plan allows ten a second
    await this.call('petstore', port, '/v1/pets', acme, 25);
  }

  /** More than the 12 units that an Envoy may hold of a quiet counter, which it spends while the service is away. */
  async callOrders(...plans: Plan[]): Promise<void> {
    for (const plan of plans)
      await this.call('orders', this.orders.envoy.port, '/orders/1', `${plan}-secret-key`, plan === 'small' ? 30 : 20);
  }

  /** What would be refused, if it were not only observed. */
  async callObserved(): Promise<void> {
    const { port } = this.orders.envoy;
    const keyless = 4;
    for (let i = 0; i < keyless; i++) {
      const reply = await sendRaw(port, requestBytes({ method: 'GET', path: '/trial', host: 'any', headers: [] }));
      if (reply?.status !== 200) throw new Error(`what is only observed was refused: ${reply?.status}`);
    }
    this.tally.set('orders anonymous', (this.tally.get('orders anonymous') ?? 0) + keyless);
  }

  /** The replies' own words are what the metrics are compared with. */
  private async call(policy: string, port: number, path: string, key: string | null, count: number): Promise<void> {
    const headers: [string, string][] = key === null ? [] : [['x-api-key', key]];
    for (let i = 0; i < count; i++) {
      const reply = await sendRaw(port, requestBytes({ method: 'GET', path, host: 'any', headers }));
      if (reply === null) throw new Error('no reply');
      const said =
        reply.status === 200 ? { reason: 'allowed' } : (JSON.parse(reply.body) as { reason: string; quota?: string });
      const what = [policy, said.reason, ...(said.reason === 'quota_exceeded' ? [quotaIn(said)] : [])].join(' ');
      this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
    }
  }
}

function quotaIn(said: { quota?: string }): string {
  if (said.quota === undefined) throw new Error(`a refusal by a quota names none: ${JSON.stringify(said)}`);
  return said.quota;
}

async function startDemo(folder: string): Promise<Playground> {
  const file = join(folder, 'petstore.policy.yaml');
  await copyFile(DEMO, file);
  const course = { progress: () => undefined, signal: new AbortController().signal };
  return Playground.open({ file, port: 0, adminPort: 0, docker: false }, SILENT, course);
}

function startOrders(envoy: FoundEnvoy, module: string, upstream: string, servicePort: number): Promise<PolicyServer> {
  const file = 'orders.policy.yaml';
  return PolicyServer.start(
    {
      ...{ envoy, module, concurrency: 2, port: 0, adminPort: 0, warn: false },
      file,
      source: { name: file, files: [{ file, text: ORDERS }], isFolder: false },
      overrides: new Map([['orders', upstream]]),
      rateLimitService: { host: '127.0.0.1', port: servicePort },
    },
    SILENT,
  );
}
