import { findEnvoy, type FoundEnvoy } from '../../scripts/envoy/find.ts';
import { currentModule } from '../../scripts/build/module.ts';

/** What the Envoy suite needs, or why it cannot run here. */
export type Available = { envoy: FoundEnvoy; module: string; skip: false } | { skip: string };

/**
 * The Envoy under test: `$ENVOY` or the newest wheel. Without one (no network, no Python) the suite is skipped and says so;
 * in CI that is a failure, because nobody would notice the skip.
 */
export async function available(): Promise<Available> {
  try {
    const envoy = await findEnvoy();
    return { envoy, module: (await currentModule()).path, skip: false };
  } catch (error) {
    if (process.env.CI === 'true' || process.env.ENVOY) throw error;
    return { skip: `no Envoy here: ${(error as Error).message.split('\n')[0]}` };
  }
}
