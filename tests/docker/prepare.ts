import { DOCKER_COMPONENTS } from '../../harness/components/component.ts';
import { provide } from '../../harness/components/provide.ts';

/** What `tests/all.ts` does before this suite: asked for by name, or in CI, it installs the engine and Prometheus, and builds compose. */
export async function prepareDocker(build: boolean, progress: (line: string) => void): Promise<Record<string, string>> {
  const failures = build ? await provide([...DOCKER_COMPONENTS, 'prometheus'], progress) : new Map<string, string>();
  if (failures.size > 0 && process.env['CI'] === 'true')
    throw new Error([...failures].map((pair) => pair.join(': ')).join('; '));
  return {};
}
