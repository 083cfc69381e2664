import { MESH_COMPONENTS } from './available.ts';
import { availableComponents } from '../../harness/components/available.ts';
import { testComponentNames } from '../../harness/components/component.ts';
import { provide } from '../../harness/components/provide.ts';

/**
 * What `tests/all.ts` does before the suites that need real components. Asked for by name, or in CI, it builds what is
 * missing, for minutes the first time; as one suite of many it only looks. Resolves to why there can be no mesh here, or to
 * nothing to add to the environment.
 */
export async function prepareMesh(
  build: boolean,
  progress: (line: string) => void,
): Promise<Record<string, string> | { skip: string }> {
  const failures = build ? await provide(testComponentNames, progress) : new Map<string, string>();
  if (failures.size > 0 && process.env['CI'] === 'true') throw new Error(reasons(failures));
  const found = await availableComponents(MESH_COMPONENTS);
  if (found.skip === false) return {};
  return { skip: failures.size > 0 ? reasons(failures) : found.skip };
}

function reasons(failures: ReadonlyMap<string, string>): string {
  const names = new Map<string, string[]>();
  for (const [name, reason] of failures) names.set(reason, [...(names.get(reason) ?? []), name]);
  return [...names].map(([reason, all]) => `${all.join(', ')}: ${reason}`).join('; ');
}
