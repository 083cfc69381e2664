import { MONITORING_COMPONENTS } from '../../harness/components/component.ts';
import { provide } from '../../harness/components/provide.ts';

/**
 * What `tests/all.ts` does before this suite: asked for by name, or in CI, it installs Prometheus and builds docker compose if they are
 * missing. The tests that need one of them skip without it; the others run anyway.
 */
export async function prepareMonitoring(
  install: boolean,
  progress: (line: string) => void,
): Promise<Record<string, string>> {
  const failures = install
    ? await provide([...MONITORING_COMPONENTS, 'docker-compose'], progress)
    : new Map<string, string>();
  if (failures.size > 0 && process.env['CI'] === 'true')
    throw new Error([...failures].map((pair) => pair.join(': ')).join('; '));
  return {};
}
