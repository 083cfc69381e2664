import { WORKFLOW_COMPONENTS } from '../../harness/components/component.ts';
import { provide } from '../../harness/components/provide.ts';

/** What `tests/all.ts` does before this suite: asked for by name, or in CI, it builds what reads workflows if it is missing. */
export async function prepareWorkflows(
  build: boolean,
  progress: (line: string) => void,
): Promise<Record<string, string>> {
  const failures = build ? await provide(WORKFLOW_COMPONENTS, progress) : new Map<string, string>();
  if (failures.size > 0 && process.env['CI'] === 'true')
    throw new Error([...failures].map((pair) => pair.join(': ')).join('; '));
  return {};
}
