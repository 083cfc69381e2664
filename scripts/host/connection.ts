import type { Pair } from './pairs.ts';

/** True for a request that asks to leave HTTP, as Envoy sees it: by both headers together. */
export function isUpgrade(headers: readonly Pair[]): boolean {
  return headers.some(([name]) => name === 'upgrade') && nominations(headers).includes('upgrade');
}

/**
 * The headers without `Connection` and those that it nominates: Envoy drops them before any filter sees the request. With an
 * upgrade it drops none, and passes the nominations on.
 */
export function withoutNominated(headers: readonly Pair[]): Pair[] {
  if (isUpgrade(headers)) return [...headers];
  const gone = new Set(['connection', 'upgrade', ...nominations(headers)]);
  return headers.filter(([name]) => !gone.has(name));
}

function nominations(headers: readonly Pair[]): string[] {
  const lists = headers.filter(([name]) => name === 'connection').map(([, value]) => value);
  return lists
    .join()
    .split(',')
    .map((name) => name.trim().toLowerCase());
}
