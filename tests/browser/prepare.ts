import { findBrowser } from '../../harness/browser/find.ts';
import { provide } from '../../harness/components/provide.ts';

/** What apt-get says of a package that the distribution does not have. */
const UNKNOWN_PACKAGE = /Unable to locate|no installation candidate/;

/**
 * What `tests/all.ts` does before this suite: asked for by name, or in CI, it installs Chromium where there is no browser. Without one
 * the suite is skipped; in CI that is a failure, unless the distribution has no such package.
 */
export async function prepareBrowser(
  install: boolean,
  progress: (line: string) => void,
): Promise<Record<string, string> | { skip: string }> {
  if ((await findBrowser()) !== null) return {};
  const failures = install ? await provide(['chromium'], progress) : new Map<string, string>();
  if ((await findBrowser()) !== null) return {};
  const reason = failures.get('chromium') ?? 'no Chromium here; "npm test browser" installs it';
  if (process.env['CI'] === 'true' && !UNKNOWN_PACKAGE.test(reason)) throw new Error(reason);
  return { skip: reason };
}
