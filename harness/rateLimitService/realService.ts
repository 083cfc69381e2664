import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answers, Daemon } from '../mesh/daemon.ts';
import { freePorts } from '../mesh/port.ts';
import { Delay } from './delay.ts';
import type { Rule } from './rateLimitServiceModel.ts';
import type { Programs } from './available.ts';
import { countersOf } from './redis.ts';
import { serviceConfigOf } from './serviceConfig.ts';

interface Ports {
  readonly redis: number;
  readonly grpc: number;
  readonly http: number;
  readonly debug: number;
}

const DIES_AT_ONCE = { graceMs: 0 };
/** How Redis runs unless a test says otherwise: it keeps nothing on disk. */
const KEEPS_NOTHING = ['--save', '', '--appendonly', 'no'];

/** envoyproxy/ratelimit and its Redis on loopback, with a proxy between them that can be slow. Both can be stopped and restarted. */
export class RealService {
  private redis: Daemon | null = null;
  private service: Daemon | null = null;
  private readonly delay: Delay;

  private constructor(
    private readonly programs: Programs,
    private readonly folder: string,
    private readonly ports: Ports,
    private readonly redisArgs: readonly string[],
  ) {
    this.delay = new Delay(ports.redis);
  }

  static async start(
    programs: Programs,
    config: { domain: string; rules: readonly Rule[] } | string,
    redisArgs: readonly string[] = KEEPS_NOTHING,
  ): Promise<RealService> {
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-rate-limit-service-'));
    const [redis = 0, grpc = 0, http = 0, debug = 0] = await freePorts(4);
    const real = new RealService(programs, folder, { redis, grpc, http, debug }, redisArgs);
    try {
      await mkdir(join(folder, 'ratelimit', 'config'), { recursive: true });
      const text = typeof config === 'string' ? config : serviceConfigOf(config.domain, config.rules);
      await writeFile(join(folder, 'ratelimit', 'config', 'tollgate.yaml'), text);
      await real.startRedis();
      await real.startService();
      return real;
    } catch (error) {
      await real.stop();
      throw error;
    }
  }

  /** Its gRPC port, which stays the same over restarts. */
  get port(): number {
    return this.ports.grpc;
  }

  /** Delays each round trip to Redis. */
  set redisDelayMs(ms: number) {
    this.delay.delayMs = ms;
  }

  async startRedis(): Promise<void> {
    const { redis } = this.ports;
    this.redis = new Daemon({
      name: 'redis-server',
      command: this.programs.redis,
      folder: this.folder,
      ...DIES_AT_ONCE,
      args: ['--port', String(redis), '--bind', '127.0.0.1', ...this.redisArgs],
    });
    await this.redis.isUp(() => accepts(redis), 10_000);
    await this.delay.open();
  }

  async startService(): Promise<void> {
    const { grpc, http, debug } = this.ports;
    this.service = new Daemon({
      name: 'ratelimit',
      command: this.programs.ratelimit,
      args: [],
      folder: this.folder,
      ...DIES_AT_ONCE,
      env: {
        USE_STATSD: 'false',
        USE_PROMETHEUS: 'false',
        LOG_LEVEL: 'warn',
        REDIS_SOCKET_TYPE: 'tcp',
        REDIS_URL: `127.0.0.1:${this.delay.port}`,
        RUNTIME_ROOT: this.folder,
        RUNTIME_SUBDIRECTORY: 'ratelimit',
        RUNTIME_WATCH_ROOT: 'false',
        HOST: '127.0.0.1',
        PORT: String(http),
        GRPC_HOST: '127.0.0.1',
        GRPC_PORT: String(grpc),
        DEBUG_HOST: '127.0.0.1',
        DEBUG_PORT: String(debug),
      },
    });
    await this.service.isUp(() => answers(`http://127.0.0.1:${http}/healthcheck`), 15_000);
  }

  async killService(): Promise<void> {
    await this.service?.stop();
  }

  /** Ends as a process that crashes does. What it has written to disk stays. */
  async crashRedis(): Promise<void> {
    await this.delay.close();
    await this.redis?.kill();
  }

  /** Its counters are lost, unless it was started with arguments that keep them on disk. */
  async killRedis(): Promise<void> {
    await this.delay.close();
    await this.redis?.stop();
  }

  /** Units charged in Redis under keys that contain the words; keys end with the start of their window. */
  async charged(...words: string[]): Promise<number> {
    let sum = 0;
    for (const [key, value] of await countersOf(this.ports.redis))
      if (words.every((word) => key.includes(word))) sum += value;
    return sum;
  }

  async stop(): Promise<void> {
    await this.service?.stop();
    await this.killRedis();
    await rm(this.folder, { recursive: true, force: true });
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
  });
}
