import { provide } from '../../harness/components/provide.ts';

/**
 * What `tests/all.ts` does before this suite: asked for by name, or in CI, it builds the real service if it is missing. The
 * tests that need it skip without it; the others run anyway.
 */
export async function prepareRateLimitService(
  build: boolean,
  progress: (line: string) => void,
): Promise<Record<string, string>> {
  const failures = build ? await provide(['ratelimit', 'redis-server'], progress) : new Map<string, string>();
  if (failures.size > 0 && process.env['CI'] === 'true')
    throw new Error([...failures].map((pair) => pair.join(': ')).join('; '));
  return {};
}
