import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answers, Daemon } from '../harness/mesh/daemon.ts';
import { freePort, freePorts } from '../harness/mesh/port.ts';
import { consumers } from './identity.ts';
import type { Service, Variant } from './variant.ts';
import { DOMAIN } from './variants/service.ts';

/** The programs of services, by component name. */
export type Programs = ReadonlyMap<'ratelimit' | 'redis-server' | 'extauthz', string>;

/** The processes beside Envoy: their addresses, and their CPU, which counts for a variant that calls them. */
export class Services {
  readonly ports = new Map<Service, number>();
  /** Daemons of each service, by program. */
  private readonly daemons = new Map<Service, Map<string, Daemon>>();

  private constructor(private readonly folder: string) {}

  /** Starts the services that the variants call. */
  static async start(variants: readonly Variant[], programs: Programs): Promise<Services> {
    const wanted = new Set(variants.flatMap((variant) => variant.services));
    const services = new Services(await mkdtemp(join(tmpdir(), 'tollgate-bench-services-')));
    try {
      if (wanted.has('ratelimit'))
        await services.startRateLimit(
          programs.get('ratelimit')!,
          programs.get('redis-server')!,
          descriptorsOf(variants),
        );
      if (wanted.has('extauthz')) await services.startExtAuthz(programs.get('extauthz')!);
      return services;
    } catch (error) {
      await services.stop();
      throw error;
    }
  }

  /** Process ids of the named services, by program. */
  pidsOf(names: readonly Service[]): Map<string, number> {
    return new Map(
      names.flatMap((name) =>
        [...(this.daemons.get(name) ?? [])].map(([program, daemon]) => [program, daemon.pid!] as const),
      ),
    );
  }

  async stop(): Promise<void> {
    for (const daemons of this.daemons.values())
      await Promise.all([...daemons.values()].map((daemon) => daemon.stop()));
    await rm(this.folder, { recursive: true, force: true });
  }

  private async startRateLimit(ratelimit: string, redisServer: string, descriptors: readonly object[]): Promise<void> {
    const { folder } = this;
    const [redis = 0, grpc = 0, http = 0, debug = 0] = await freePorts(4);
    const daemons = new Map<string, Daemon>();
    this.daemons.set('ratelimit', daemons);
    await mkdir(join(folder, 'ratelimit', 'config'), { recursive: true });
    await writeFile(join(folder, 'ratelimit', 'config', 'bench.yaml'), JSON.stringify({ domain: DOMAIN, descriptors }));
    const args = ['--port', String(redis), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    daemons.set('redis', new Daemon({ name: 'redis-server', command: redisServer, folder, args }));
    await daemons.get('redis')!.isUp(() => accepts(redis), 10_000);
    const env = {
      USE_STATSD: 'false',
      USE_PROMETHEUS: 'false',
      LOG_LEVEL: 'warn',
      REDIS_SOCKET_TYPE: 'tcp',
      REDIS_URL: `127.0.0.1:${redis}`,
      RUNTIME_ROOT: folder,
      RUNTIME_SUBDIRECTORY: 'ratelimit',
      RUNTIME_WATCH_ROOT: 'false',
      HOST: '127.0.0.1',
      PORT: String(http),
      GRPC_HOST: '127.0.0.1',
      GRPC_PORT: String(grpc),
      DEBUG_HOST: '127.0.0.1',
      DEBUG_PORT: String(debug),
    };
    daemons.set('ratelimit', new Daemon({ name: 'ratelimit', command: ratelimit, args: [], folder, env }));
    await daemons.get('ratelimit')!.isUp(() => answers(`http://127.0.0.1:${http}/healthcheck`), 15_000);
    this.ports.set('ratelimit', grpc);
  }

  private async startExtAuthz(command: string): Promise<void> {
    const port = await freePort();
    const keys = join(this.folder, 'keys');
    await writeFile(
      keys,
      consumers()
        .map(({ key, consumer }) => `${key} ${consumer}\n`)
        .join(''),
    );
    const daemon = new Daemon({ name: 'extauthz', command, args: [`127.0.0.1:${port}`, keys], folder: this.folder });
    this.daemons.set('extauthz', new Map([['extauthz', daemon]]));
    await daemon.isUp(() => accepts(port), 10_000);
    this.ports.set('extauthz', port);
  }
}

/** Without duplicates: the service refuses a descriptor that it has already. */
function descriptorsOf(variants: readonly Variant[]): object[] {
  const texts = new Set(
    variants.flatMap(({ descriptors = [] }) => descriptors.map((descriptor) => JSON.stringify(descriptor))),
  );
  return [...texts].map((text) => JSON.parse(text) as object);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
  });
}
