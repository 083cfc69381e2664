import type { Io } from '../cli/command.ts';
import { dockerEnvoy } from '../docker/envoy.ts';
import { findEnvoy } from '../envoy/find.ts';
import { checkedPolicy, policyTextOf } from '../envoy/policyFile.ts';
import { PolicyServer, type Report } from '../envoy/policyServer.ts';
import { currentModule } from '../build/module.ts';
import type { PluginConfig } from '../policy/index.ts';
import { startEcho, type Echo } from '../upstream/echo.ts';
import { DemoKeys } from './demoKeys.ts';

export interface PlaygroundOptions {
  /** The policy file to serve and follow. */
  file: string;
  port: number;
  adminPort: number;
  /** Envoy from its docker image. */
  docker: boolean;
}

/** A policy in force on a real Envoy, with an echo upstream for each name in it and a fresh key for each consumer. */
export class Playground {
  private constructor(
    readonly server: PolicyServer,
    readonly keys: DemoKeys,
    readonly file: string,
    private readonly echoes: readonly Echo[],
  ) {}

  static async open(options: PlaygroundOptions, report: Report, io: Io): Promise<Playground> {
    const progress = (text: string): void => io.err(`tollgate: ${text}\n`);
    const { policy } = checkedPolicy(await policyTextOf(options.file), options.file);
    const envoy = await (options.docker ? dockerEnvoy : findEnvoy)({ progress, signal: io.signal });
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
