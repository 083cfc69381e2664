import { currentModule } from '../build/module.ts';
import { dockerEnvoy } from '../docker/envoy.ts';
import { findEnvoy } from '../envoy/find.ts';
import { openPolicy } from '../file/openPolicy.ts';
import { PolicyServer, type Announcer } from '../envoy/policyServer.ts';
import { issueKey } from '../key/index.ts';
import type { PluginConfig } from '../policy/index.ts';
import { type Echo, startEcho } from '../upstream/echo.ts';

export interface PlaygroundOptions {
  /** The policy file to serve and follow. */
  file: string;
  port: number;
  adminPort: number;
  /** Envoy from its docker image. */
  docker: boolean;
}

/** Progress of what takes long, and how to stop it. */
interface Course {
  readonly progress: (text: string) => void;
  readonly signal: AbortSignal;
}

/** A policy in force on a real Envoy, with an echo upstream for each name in it and a fresh key for each consumer. */
export class Playground {
  private constructor(
    readonly server: PolicyServer,
    readonly keys: DemoKeys,
    readonly file: string,
    private readonly echoes: readonly Echo[],
  ) {}

  static async open(options: PlaygroundOptions, report: Announcer, { progress, signal }: Course): Promise<Playground> {
    const { policy } = await openPolicy(options.file);
    const envoy = await (options.docker ? dockerEnvoy : findEnvoy)({ progress, signal });
    const { path } = await currentModule(() => progress('building the module'));
    const keys = new DemoKeys();
    const echoes = await Promise.all(Object.keys(policy.upstreams ?? {}).map((name) => startEcho(name)));
    const overrides = new Map(echoes.map((echo) => [echo.name, echo.url]));
    try {
      const amended = { amend: (config: PluginConfig) => keys.amend(config), warn: false };
      const server = await PolicyServer.start(
        { ...options, ...amended, envoy, module: path, concurrency: 2, overrides },
        report,
      );
      server.watch();
      return new Playground(server, keys, options.file, echoes);
    } catch (error) {
      await closeAll(echoes);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.server.stop();
    await closeAll(this.echoes);
  }
}

async function closeAll(echoes: readonly Echo[]): Promise<void> {
  await Promise.all(echoes.map((echo) => echo.close()));
}

/**
 * Fresh keys for the consumers of a policy, held in memory only: their digests go into the compiled config, so that the demo
 * works on the committed example without a key, or a digest, ever being written to a file.
 */
class DemoKeys {
  private readonly keys = new Map<string, { id: string; digest: string; key: string }>();

  /** The config with one more key for each consumer; a consumer that an edit adds gets one, too. */
  amend(config: PluginConfig): PluginConfig {
    const consumers = config.consumers.map((consumer) => {
      const { id, digest } = this.issued(consumer.name);
      return { ...consumer, keys: [...(consumer.keys ?? []), { id, digest }] };
    });
    return { ...config, consumers };
  }

  /** The demo's key of a consumer. */
  of(consumer: string): string {
    return this.issued(consumer).key;
  }

  private issued(consumer: string): { id: string; digest: string; key: string } {
    const known = this.keys.get(consumer);
    if (known) return known;
    const { id, key, digest } = issueKey();
    const issued = { id, digest: digest.slice('sha256:'.length), key };
    this.keys.set(consumer, issued);
    return issued;
  }
}
