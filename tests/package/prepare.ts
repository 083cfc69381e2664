import { pack } from './packed.ts';

let tarball: string | null = null;

/** What `tests/all.ts` does before suites that need the package: it packs once for all of them. */
export async function preparePackage(): Promise<Record<string, string>> {
  tarball ??= pack();
  return { TOLLGATE_TARBALL: tarball };
}
