import { existsSync } from 'node:fs';
import { access, constants, mkdir } from 'node:fs/promises';
import { findEnvoy } from '../../scripts/envoy/find.ts';
import { currentModule } from '../../scripts/build/module.ts';
import { runToEnd } from '../../scripts/program/run.ts';
import { availableComponents } from '../../harness/components/available.ts';
import type { ComponentName } from '../../harness/components/component.ts';
import { AGENT_DATA } from '../../harness/mesh/proxy.ts';

/** What the mesh is made of. */
export const MESH_COMPONENTS = [
  'etcd',
  'kube-apiserver',
  'kubelet',
  'pilot-discovery',
  'pilot-agent',
  'docker-registry',
] as const satisfies readonly ComponentName[];

export type Available =
  | { paths: Record<(typeof MESH_COMPONENTS)[number], string>; envoy: string; module: string; skip: false }
  | { skip: string };

/** The parts of a mesh, or why there can be none here; with CI=true that is a failure, because nobody would read it. */
export async function available(): Promise<Available> {
  const found = await availableComponents(MESH_COMPONENTS);
  if (found.skip !== false) return found;
  try {
    await Promise.all([demandGo(), demandAgentData()]);
    return { ...found, envoy: (await findEnvoy()).command, module: (await currentModule()).path };
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    return { skip: (error as Error).message.split('\n')[0]! };
  }
}

async function demandGo(): Promise<void> {
  if ((await runToEnd('go', ['version'])).code !== 0)
    throw new Error('no Go here, which finds the sources of Istio with its CRDs');
}

async function demandAgentData(): Promise<void> {
  if (!existsSync(AGENT_DATA)) await mkdir(AGENT_DATA, { recursive: true }).catch(() => undefined);
  await access(AGENT_DATA, constants.W_OK).catch(() => {
    throw new Error(`${AGENT_DATA} is not writable, and Istio's agent keeps its modules nowhere else`);
  });
}
