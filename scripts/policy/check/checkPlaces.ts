import type { Cursor } from './cursor.ts';
import { bare, MAX_PATH_BYTES } from '../schema/place.ts';
import { printPath } from './path.ts';
import { Names, type Report } from './report.ts';
import { MAX_ROUTES } from '../schema/route.ts';

/** The module holds a request against them one after the other. */
export const MAX_PAIRS = 4096;
const ANY_HOST = 'any host';

/** No two APIs may claim the same host and path, and routes must lie where their API does. */
export function checkPlaces(root: Cursor, report: Report): void {
  const claims = new Map<string, Cursor>();
  let pairs = 0;
  for (const api of root.get('apis').entries) {
    const [hosts, paths] = [
      once(api.get('hosts').items, (host) => host, report),
      once(api.get('paths').items, bare, report),
    ];
    const names = api.get('hosts').given ? [...hosts.keys()] : [ANY_HOST];
    const before = pairs;
    pairs += names.length * paths.size;
    if (pairs > MAX_PAIRS && before <= MAX_PAIRS)
      report.add(api, `must fit into the ${MAX_PAIRS} pairs of host and path that all APIs may have together`, pairs);
    if (pairs <= MAX_PAIRS) for (const path of paths.values()) checkClaim(names, path, claims, report);
    const known = new Names(api.get('paths').texts);
    for (const route of api.get('routes').items.slice(0, MAX_ROUTES)) checkRoutePath(route, paths, known, report);
  }
}

/** The items by what they mean; reports those whose meaning an earlier one has. */
function once(items: readonly Cursor[], meaning: (text: string) => string, report: Report): Map<string, Cursor> {
  const seen = new Map<string, Cursor>();
  for (const item of items) {
    if (item.text === undefined) continue;
    const other = seen.get(meaning(item.text));
    if (other !== undefined) report.twice(item, 'must be given once', other);
    else seen.set(meaning(item.text), item);
  }
  return seen;
}

function checkClaim(hosts: readonly string[], path: Cursor, claims: Map<string, Cursor>, report: Report): void {
  for (const host of hosts) {
    const claim = JSON.stringify([host, bare(path.text!)]);
    const other = claims.get(claim);
    claims.set(claim, other ?? path);
    if (other !== undefined)
      report.twice(path, `must belong to one API; ${printPath(other.path.slice(0, 2))} has it on ${host} too`, other);
  }
}

function checkRoutePath(route: Cursor, paths: ReadonlyMap<string, Cursor>, names: Names, report: Report): void {
  const path = route.get('when').get('path');
  if (path.text === undefined || !path.text.startsWith('/') || path.text.length > MAX_PATH_BYTES || paths.size === 0)
    return;
  for (let outer = bare(path.text); ; outer = outer.slice(0, outer.lastIndexOf('/'))) {
    if (paths.has(outer)) return;
    if (outer === '') break;
  }
  report.add(path, `must lie under a path of the API${names.hint}`);
}
