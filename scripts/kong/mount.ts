import { isDeepStrictEqual } from 'node:util';
import { MAX_MOUNTS } from '../contract/table.ts';
import type { Route } from './document.ts';
import { KongError } from './error.ts';
import type { Reading } from './entity.ts';
import type { Match, RoutePath } from './match.ts';

/** A route that can be taken, with what it matches. */
export interface Taken {
  readonly route: Route;
  readonly match: Match;
  /** Its place among all routes: Kong takes the older one where nothing else decides. */
  readonly order: number;
}

/** A route that takes requests under a path, and the path of its own by which it does. */
export interface Claim {
  readonly taken: Taken;
  readonly path: RoutePath;
}

/** Hosts and paths under which the same routes are tried in the same order: an API of a policy. */
export interface Group {
  readonly hosts: readonly (string | null)[];
  readonly paths: readonly string[];
  /** The first whose conditions hold takes a request; only the last may have none. */
  readonly claims: readonly Claim[];
}

/** Pairs of host and path that all routes together may have. */
const MAX_CLAIMS = 100_000;

/** True for a route that does not take everything under its path. */
export function isConditional({ taken: { match }, path }: Claim): boolean {
  return match.methods !== null || match.headers.length > 0 || path.templates !== null;
}

/**
 * Groups routes by where they lie. Kong tries all routes in an order of its own, a policy finds one API by host and then by path; so each
 * place gets all the routes that could take a request there, in Kong's order.
 */
export function groupsOf(routes: readonly Taken[], reading: Reading): Group[] {
  const claims = claimsByPlace(routes);
  const places = [...claims.keys()].map(placeOf);
  const byRoutes = new Map<string, { claims: readonly Claim[]; hosts: Map<string, (string | null)[]> }>();
  for (const place of places) {
    const found = claimsAt(place, claims, reading);
    if (!found.some(({ path }) => path.prefix === place.path)) {
      const [shadowed] = claims.get(keyOf(place.host, place.path))!;
      reading.lose(
        shadowed!.taken.route.pointer,
        'is taken by none of the requests to some of its paths: others go first',
      );
      continue;
    }
    const key = JSON.stringify(
      found.map(({ taken, path }) => [taken.order, path.prefix === place.path ? '' : path.prefix]),
    );
    const same = byRoutes.get(key) ?? { claims: found, hosts: new Map<string, (string | null)[]>() };
    byRoutes.set(key, same);
    const hosts = same.hosts.get(place.path) ?? [];
    same.hosts.set(place.path, [...hosts, place.host]);
  }
  return [...byRoutes.values()].flatMap(({ claims: same, hosts }) => grouped(same, hosts));
}

/** Each host of an API has each of its paths, so what does not make a product is parted. */
function grouped(claims: readonly Claim[], hostsByPath: ReadonlyMap<string, readonly (string | null)[]>): Group[] {
  const groups: { hosts: readonly (string | null)[]; paths: string[]; claims: readonly Claim[] }[] = [];
  for (const [path, hosts] of hostsByPath) {
    const same = groups.find((group) => isDeepStrictEqual(group.hosts, hosts));
    if (same === undefined) groups.push({ hosts, paths: [path], claims });
    else same.paths.push(path);
  }
  return groups;
}

interface Place {
  readonly host: string | null;
  readonly path: string;
}

function keyOf(host: string | null, path: string): string {
  return `${host ?? ''} ${path}`;
}

function placeOf(key: string): Place {
  const space = key.indexOf(' ');
  return { host: space === 0 ? null : key.slice(0, space), path: key.slice(space + 1) };
}

function claimsByPlace(routes: readonly Taken[]): Map<string, Claim[]> {
  const claims = new Map<string, Claim[]>();
  let count = 0;
  for (const taken of routes) {
    for (const host of taken.match.hosts) {
      for (const path of taken.match.paths) {
        if (++count > MAX_CLAIMS) throw new KongError(`has more than ${MAX_CLAIMS} pairs of host and path`);
        const key = keyOf(host, path.prefix);
        const list = claims.get(key);
        if (list === undefined) claims.set(key, [{ taken, path }]);
        else list.push({ taken, path });
      }
    }
  }
  if (claims.size > MAX_MOUNTS)
    throw new KongError(`has ${claims.size} pairs of host and path; a policy has at most ${MAX_MOUNTS}`);
  return claims;
}

/** The routes that could take a request at a place, up to the first that takes all. */
function claimsAt(place: Place, claims: ReadonlyMap<string, readonly Claim[]>, reading: Reading): Claim[] {
  const found: Claim[] = [];
  for (const host of hostsAbove(place.host)) {
    for (const path of pathsAbove(place.path)) {
      for (const claim of claims.get(keyOf(host, path)) ?? []) {
        if (claim.path.templates === null || path === place.path) found.push(claim);
        else if (path !== place.path)
          reading.lose(
            claim.taken.route.pointer,
            'is a regular expression, which Kong tries before the longer paths of other routes; a policy finds the longest path first',
          );
      }
    }
  }
  found.sort(inOrderOfKong);
  const list: Claim[] = [];
  const routes = new Set<number>();
  for (const claim of found) {
    // a route with several paths here takes requests by the first of them, and a regular expression by each
    if (claim.path.templates === null && routes.has(claim.taken.order)) continue;
    routes.add(claim.taken.order);
    list.push(claim);
    if (!isConditional(claim)) break;
  }
  return list;
}

/** More kinds of attributes first, then plain hosts, more headers, regular expressions, longer paths, and the older route. */
function inOrderOfKong(a: Claim, b: Claim): number {
  const [one, other] = [a.taken.match, b.taken.match];
  return (
    other.weight - one.weight ||
    Number(other.hasPlainHosts) - Number(one.hasPlainHosts) ||
    other.headers.length - one.headers.length ||
    Number(b.path.templates !== null) - Number(a.path.templates !== null) ||
    b.path.length - a.path.length ||
    a.taken.order - b.taken.order
  );
}

function hostsAbove(host: string | null): (string | null)[] {
  if (host === null) return [null];
  const labels = host.replace(/^\*\./, '').split('.');
  const start = host.startsWith('*.') ? 0 : 1;
  const wider = labels.slice(start).map((_, index) => `*.${labels.slice(start + index).join('.')}`);
  return [...(start === 0 ? [] : [host]), ...wider, null];
}

function pathsAbove(path: string): string[] {
  const segments = path === '/' ? [] : path.slice(1).split('/');
  return [path, ...segments.map((_, index) => `/${segments.slice(0, segments.length - index - 1).join('/')}`)].filter(
    (one, index, all) => all.indexOf(one) === index,
  );
}
