import { fetchNodes } from './node.ts';
import { pack } from './packed.ts';

let tarball: string | null = null;

/** What `tests/all.ts` does before suites that need the package: it packs once for all of them. */
export async function preparePackage(): Promise<Record<string, string>> {
  tarball ??= pack();
  return { TOLLGATE_TARBALL: tarball };
}

/** For the package's own suite, asked for by name or in CI, other versions of Node.js too. */
export async function prepareStranger(
  fetch: boolean,
  progress: (line: string) => void,
): Promise<Record<string, string>> {
  if (fetch) fetchNodes(progress);
  return preparePackage();
}
