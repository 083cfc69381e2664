import { SHELL_COMPONENTS } from '../../harness/components/component.ts';
import { provide } from '../../harness/components/provide.ts';
import { fetchNodes } from './node.ts';
import { pack } from './packed.ts';

let tarball: string | null = null;

/** What `tests/all.ts` does before suites that need the package: it packs once for all of them. */
export async function preparePackage(): Promise<Record<string, string>> {
  tarball ??= pack();
  return { TOLLGATE_TARBALL: tarball };
}

/** For the package's own suite, asked for by name or in CI, other versions of Node.js too, and shells. */
export async function prepareStranger(
  fetch: boolean,
  progress: (line: string) => void,
): Promise<Record<string, string>> {
  if (fetch) {
    fetchNodes(progress);
    const failures = await provide(SHELL_COMPONENTS, progress);
    if (failures.size > 0 && process.env['CI'] === 'true')
      throw new Error([...failures].map((pair) => pair.join(': ')).join('; '));
  }
  return preparePackage();
}
