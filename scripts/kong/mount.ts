import { isDeepStrictEqual } from 'node:util';
import { MAX_MOUNTS } from '../contract/table.ts';
import type { KongRoute } from './document.ts';
import { KongError } from './error.ts';
import type { KongReading } from './entity.ts';
import type { Match, RoutePath } from './match.ts';

/** A route that can be taken, with what it matches. */
export interface Taken {
  readonly route: KongRoute;
  readonly match: Match;
  /** Its place among all routes: Kong takes the older one where nothing else decides. */
  readonly order: number;
}

/** A route that takes requests under a path, and the path of its own by which it does. */
export interface Claim {
  readonly taken: Taken;
  readonly path: RoutePath;
  /** True: it lies at the place itself; false: at a shorter path, which takes what lies under it. */
  readonly isOwn: boolean;
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
/** Paths of routes to more hosts that are looked at for hosts of their own. */
const MAX_CROSSINGS = 200_000;

/** True for a route that does not take everything under its path. */
export function isConditional({ taken: { match }, path }: Claim): boolean {
  return match.methods !== null || match.headers.length > 0 || path.templates !== null;
}

/**
 * Groups routes by where they lie. Kong tries all routes in an order of its own, a policy finds one API by host and then by path; so each
 * place gets all the routes that could take a request there, in Kong's order.
 */
export function groupsOf(routes: readonly Taken[], reading: KongReading): Group[] {
  const claims = claimsByPlace(routes);
  const byRoutes = new Map<string, { claims: readonly Claim[]; hosts: Map<string, (string | null)[]> }>();
  for (const place of placesOf(claims, reading)) {
    const found = claimsAt(place, claims, reading);
    // an API lies on any host or on hosts by name
    const key = JSON.stringify([
      place.host === null,
      found.map(({ taken, path, isOwn }) => [taken.order, isOwn ? path.templates : path.prefix]),
    ]);
    const same = byRoutes.get(key) ?? { claims: found, hosts: new Map<string, (string | null)[]>() };
    byRoutes.set(key, same);
    const hosts = same.hosts.get(place.path) ?? [];
    same.hosts.set(place.path, [...hosts, place.host]);
  }
  return [...byRoutes.values()].flatMap(({ claims: same, hosts }) => grouped(same, hosts));
}

/**
 * Places where a policy needs an API: those that routes name, and on a host of its own the paths of routes to more hosts, because a policy
 * looks at the host first and Kong at several things together. Not those where the same routes are tried as at a shorter path.
 */
function placesOf(claims: ReadonlyMap<string, readonly Claim[]>, reading: KongReading): Place[] {
  const byHost = new Map<string | null, Set<string>>();
  for (const { host, path } of [...claims.keys()].map(placeOf)) {
    const paths = byHost.get(host) ?? new Set<string>();
    byHost.set(host, paths.add(path));
  }
  let crossings = 0;
  const places: Place[] = [];
  for (const [host, own] of byHost) {
    const paths = new Set(own);
    for (const wider of hostsAbove(host).slice(1)) {
      for (const path of byHost.get(wider) ?? []) {
        if (paths.has(path) || ++crossings > MAX_CROSSINGS) continue;
        if (pathsAbove(path).some((above) => own.has(above))) paths.add(path);
      }
    }
    const tried = new Map<string, string>();
    for (const path of [...paths].sort((a, b) => a.length - b.length)) {
      const key = claimsAt({ host, path }, claims, reading)
        .map((claim) => `${claim.taken.order} ${claim.path.prefix} ${claim.path.templates?.join(' ') ?? ''}`)
        .join();
      const above = pathsAbove(path).find((one) => one !== path && tried.has(one));
      tried.set(path, key);
      if (above !== undefined && tried.get(above) === key) {
        for (const { taken } of own.has(path) ? claims.get(keyOf(host, path))! : [])
          reading.note(taken.route.pointer, 'gets no requests to some of its paths, as in Kong: other routes go first');
      } else places.push({ host, path });
    }
  }
  if (crossings > MAX_CROSSINGS)
    reading.lose([], 'has too many hosts and paths to compare all: routes with a host go before those without');
  return places;
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
        if (list === undefined) claims.set(key, [{ taken, path, isOwn: true }]);
        else list.push({ taken, path, isOwn: true });
      }
    }
  }
  if (claims.size > MAX_MOUNTS)
    throw new KongError(`has ${claims.size} pairs of host and path; a policy has at most ${MAX_MOUNTS}`);
  return claims;
}

/** The routes that could take a request at a place, up to the first that takes all. */
function claimsAt(place: Place, claims: ReadonlyMap<string, readonly Claim[]>, reading: KongReading): Claim[] {
  const found: Claim[] = [];
  for (const host of hostsAbove(place.host)) {
    for (const path of pathsAbove(place.path)) {
      for (const claim of claims.get(keyOf(host, path)) ?? []) {
        if (claim.path.templates === null || path === place.path) found.push({ ...claim, isOwn: path === place.path });
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
  return [path, ...segments.map((_, index) => `/${segments.slice(0, segments.length - index - 1).join('/')}`)];
}
