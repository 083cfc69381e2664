import type { Cursor } from './cursor.ts';
import { bare, covers } from './place.ts';
import { printPath } from './path.ts';
import { hint, type Report } from './report.ts';

/** No two APIs may claim the same host and path, and routes must lie where their API does. */
export function checkPlaces(root: Cursor, report: Report): void {
  const claims = new Map<string, Cursor>();
  for (const api of root.get('apis').entries) {
    refuseTwice(api.get('hosts').items, (host) => host, report);
    refuseTwice(api.get('paths').items, bare, report);
    for (const path of uniquePaths(api)) checkClaim(api, path, claims, report);
    for (const route of api.get('routes').items) checkRoutePath(route, api.get('paths').texts, report);
  }
}

function refuseTwice(items: readonly Cursor[], meaning: (text: string) => string, report: Report): void {
  const seen = new Set<string>();
  for (const item of items) {
    if (item.text === undefined) continue;
    if (seen.has(meaning(item.text))) report.add(item, 'must be given once');
    seen.add(meaning(item.text));
  }
}

function uniquePaths(api: Cursor): Cursor[] {
  const paths = api.get('paths').items.filter((path) => path.text !== undefined);
  return paths.filter((path, index) => paths.findIndex((other) => bare(other.text!) === bare(path.text!)) === index);
}

function checkClaim(api: Cursor, path: Cursor, claims: Map<string, Cursor>, report: Report): void {
  const hosts = api.get('hosts').given ? new Set(api.get('hosts').texts) : ['any host'];
  for (const host of hosts) {
    const claim = JSON.stringify([host, bare(path.text!)]);
    const other = claims.get(claim);
    claims.set(claim, other ?? api);
    if (other !== undefined) report.add(path, `must belong to one API; ${printPath(other.path)} has it on ${host} too`);
  }
}

function checkRoutePath(route: Cursor, paths: readonly string[], report: Report): void {
  const path = route.get('when').get('path');
  if (path.text === undefined || !path.text.startsWith('/') || paths.length === 0) return;
  if (!paths.some((outer) => covers(outer, path.text!))) report.add(path, `must lie under a path of the API${hint(paths)}`);
}
