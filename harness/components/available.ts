import { type ComponentName } from './component.ts';
import { findComponent } from './find.ts';

/** The components' paths by name, or why a suite that needs them cannot run here. */
export type Available<N extends ComponentName> = { paths: Record<N, string>; skip: false } | { skip: string };

/**
 * The components that a suite needs. This never builds them: that takes minutes, and the suite named by `npm test` or
 * `npm run test:istio` does it. Without one of them the suite is skipped and says so; with CI=true that is a failure, because nobody would notice the skip.
 */
export async function availableComponents<N extends ComponentName>(
  names: readonly N[],
  remedy = 'npm run test:istio builds them once',
): Promise<Available<N>> {
  const found = await Promise.all(names.map(async (name) => [name, await findComponent(name)] as const));
  const absent = found.filter(([, path]) => path === null).map(([name]) => name);
  if (absent.length === 0) return { paths: Object.fromEntries(found) as Record<N, string>, skip: false };
  const reason = `not here: ${absent.join(', ')}; ${remedy}`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  return { skip: reason };
}
