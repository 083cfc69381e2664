import { MONITORING_COMPONENTS } from '../../harness/components/component.ts';
import { provide } from '../../harness/components/provide.ts';

/**
 * What `tests/all.ts` does before this suite: asked for by name, or in CI, it installs Prometheus if it is missing. The tests that
 * need it skip without it; the others run anyway.
 */
export async function prepareMonitoring(
  install: boolean,
  progress: (line: string) => void,
): Promise<Record<string, string>> {
  const failures = install ? await provide(MONITORING_COMPONENTS, progress) : new Map<string, string>();
  if (failures.size > 0 && process.env['CI'] === 'true')
    throw new Error([...failures].map((pair) => pair.join(': ')).join('; '));
  return {};
}
