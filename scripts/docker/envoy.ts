import { Refusal } from '../cli/command.ts';
import { DOCKER } from './client.ts';
import { Container, removeLeftovers, THIS_MACHINE, type ContainerPlan } from './container.ts';
import { engineFacts } from './engine.ts';
import { provideImage } from './image.ts';
import { tryContainer } from './trial.ts';
import type { FoundEnvoy } from '../envoy/find.ts';
import { NEWEST_WHEEL } from '../envoy/version.ts';

export const IMAGE = `envoyproxy/envoy:v${NEWEST_WHEEL}`;

/** An engine that answers later is announced: it may be asleep, or not there at all. */
const LATE_MS = 3000;

export interface DockerOptions {
  image?: string;
  signal?: AbortSignal;
  progress?: (text: string) => void;
}

/**
 * Envoy from its image: on this machine's network where the engine can have it, so that ports and upstreams mean the same as
 * without docker, and otherwise with ports published on loopback.
 */
export async function dockerEnvoy({
  image = IMAGE,
  signal,
  progress = () => undefined,
}: DockerOptions = {}): Promise<FoundEnvoy> {
  if (process.platform === 'win32')
    throw new Refusal('docker: Tollgate drives docker from Linux and macOS; on Windows run it inside WSL');
  const late = setTimeout(() => progress('waiting for the docker engine to answer'), LATE_MS);
  const { isRootless } = await engineFacts(signal).finally(() => clearTimeout(late));
  await removeLeftovers(signal);
  await provideImage(image, progress, signal);
  const user = isRootless ? '0:0' : `${process.getuid!()}:${process.getgid!()}`;
  const { plan, version } = await workingPlan({ image, user }, progress, signal);
  return {
    command: DOCKER,
    version,
    source: 'docker',
    prefix: () => [],
    container: (folder, ports) => Container.plan(plan, folder, ports),
  };
}

/** The first plan under which an Envoy runs and is reached. */
async function workingPlan(
  of: Omit<ContainerPlan, 'network'>,
  progress: (text: string) => void,
  signal?: AbortSignal,
): Promise<{ plan: ContainerPlan; version: string }> {
  let failure: string | null = null;
  for (const network of ['host', 'published'] as const) {
    const plan = { ...of, network };
    const trial = await tryContainer(plan, signal);
    if (signal?.aborted) throw new Refusal('docker: was stopped');
    if (trial.version !== null) {
      if (network === 'published') progress(aboutPublished(trial.reachesHere));
      return { plan, version: trial.version };
    }
    failure = trial.failure;
  }
  throw new Refusal(failure === null ? UNREACHED : `docker: cannot run ${of.image}: ${failure}${hintOn(failure)}`);
}

const UNREACHED =
  "docker: the engine runs Envoy where 127.0.0.1 of this machine does not lead, neither on the host's network nor through published ports; " +
  'take an engine of this machine ("docker context ls" shows which one is asked), or run without --docker';

function aboutPublished(reachesHere: boolean): string {
  const ports = 'the engine has a network of its own: ports are published on 127.0.0.1';
  return reachesHere
    ? `${ports}, and upstreams on 127.0.0.1 are reached as ${THIS_MACHINE}`
    : `${ports}; its containers do not reach 127.0.0.1 of this machine (as ${THIS_MACHINE}), so upstreams there will answer 503 (docs/docker.md)`;
}

/** docker names the folder, not what can be done. */
function hintOn(failure: string): string {
  if (!/mount|bind source|not shared|Invalid path|unable to read|permission denied/i.test(failure)) return '';
  return '\nthe engine must see the folder: TMPDIR names another for it, and an engine on another machine sees none';
}
