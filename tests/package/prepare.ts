import { pack } from './packed.ts';

/** What `tests/all.ts` does before this suite: it packs once for all its files. */
export async function preparePackage(): Promise<Record<string, string>> {
  return { TOLLGATE_TARBALL: pack() };
}
