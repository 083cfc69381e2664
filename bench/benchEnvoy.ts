import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Refusal } from '../scripts/cli/command.ts';
import { Admin } from '../scripts/envoy/discovery.ts';
import type { FoundEnvoy } from '../scripts/envoy/find.ts';
import { EnvoyProcess } from '../scripts/envoy/process.ts';
import { freePorts } from '../harness/mesh/port.ts';
import { waitFor } from '../harness/mesh/wait.ts';
import { envoyConfig, type Placed } from './envoyConfig.ts';
import type { Service, Variant } from './variant.ts';

/** 100,000 consumers are 12 MB of configuration, parsed three times. */
const START_MS = 60_000;

/** The Envoy in which all variants are measured: one worker, and a listener for each variant. */
export class BenchEnvoy {
  private readonly log: string[] = [];
  private readonly child: EnvoyProcess;

  private constructor(
    envoy: FoundEnvoy,
    private readonly folder: string,
    private readonly ports: ReadonlyMap<string, number>,
  ) {
    this.child = new EnvoyProcess({
      envoy,
      folder,
      concurrency: 1,
      onAccess: () => undefined,
      onLog: (line) => void this.log.push(line),
    });
  }

  static async start(
    envoy: FoundEnvoy,
    variants: readonly Variant[],
    services: ReadonlyMap<Service, number>,
  ): Promise<BenchEnvoy> {
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-bench-'));
    try {
      const placed = await place(variants);
      await writeFile(join(folder, 'bootstrap.json'), JSON.stringify(envoyConfig(placed, services)));
      const started = new BenchEnvoy(envoy, folder, new Map(placed.map(({ variant, port }) => [variant.name, port])));
      await started.isUp();
      return started;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  get pid(): number {
    return this.child.pid!;
  }

  portOf(variant: Variant): number {
    return this.ports.get(variant.name)!;
  }

  /** Throws with Envoy's log line if it has logged an error, as it does when a script or module fails. */
  assertHealthy(): void {
    const errors = this.log.filter((line) => /^(error|critical) /.test(line));
    if (errors.length > 0) throw new Refusal(`Envoy: ${errors[0]!.slice(0, 500)}`);
  }

  async stop(): Promise<void> {
    await this.child.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  private async isUp(): Promise<void> {
    let ended = false;
    void this.child.ended.then(() => (ended = true));
    try {
      const admin = await waitFor('the admin interface', async () => ended || (await this.child.adminPort()), START_MS);
      if (typeof admin === 'number')
        await waitFor('Envoy', async () => ended || (await new Admin(admin).isReady()), START_MS);
      if (ended) throw new Error('it ended');
    } catch (error) {
      await this.child.stop();
      throw new Refusal(
        `Envoy did not start: ${(error as Error).message}\n${this.log
          .slice(-5)
          .map((line) => line.slice(0, 500))
          .join('\n')}`,
      );
    }
  }
}

/** A free port for each variant, and its wasm file. */
export async function place(variants: readonly Variant[]): Promise<Placed[]> {
  const ports = await freePorts(variants.length);
  const placed: Placed[] = [];
  for (const [i, variant] of variants.entries())
    placed.push({ variant, port: ports[i]!, module: (await variant.module?.()) ?? null });
  return placed;
}
