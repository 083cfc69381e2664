import { CORE_SCHEMA, load } from 'js-yaml';
import { MAX_REMOVED_HEADERS } from '../policy/schema/mesh.ts';
import { emittedFrom, type Resource } from './resource.ts';
import { ROUTE_HEADER, type RoutingTable } from './routing.ts';

/**
 * What an earlier emit left in the folder. Proxies receive a plugin and its routing table at different moments, and with
 * a removed route whichever comes first is wrong: the old plugin still names the route, or the new table no longer has
 * it. So a table keeps the routes, and a DestinationRule the subsets, that earlier ones had; nothing leads there once the
 * new plugin is in force, and what was applied first is valid beside the old and the new of the other.
 */
export type Former = readonly Resource[];

/** How many of the routes and subsets that are gone are kept, the latest first. */
export const MOST_FORMER = 100;

/** The resources of a policy among a folder's files, by name and text. One that cannot be read is written anew as a whole. */
export function formerIn(files: ReadonlyMap<string, string>, policy: string): Former {
  return [...files.values()]
    .filter((text) => emittedFrom(text) === policy)
    .flatMap((text) => {
      try {
        const resource = load(text, { schema: CORE_SCHEMA }) as Resource;
        return typeof resource?.metadata?.name === 'string' ? [resource] : [];
      } catch {
        return [];
      }
    });
}

export interface FormerRoute {
  /** `API/ROUTE` */
  readonly name: string;
  /** All of its rule but what it matches. */
  readonly rule: Readonly<Record<string, unknown>>;
}

/** Routes of a place's VirtualServices that the table no longer has. */
export function formerVirtualRoutes(
  former: Former,
  name: string,
  namespace: string,
  known: ReadonlySet<string>,
): FormerRoute[] {
  return latest(
    of(former, 'VirtualService', name, namespace)
      .flatMap(({ spec }) => list(spec, 'http'))
      .flatMap((rule) => {
        const route = at(at(at(list(rule, 'match')[0], 'headers'), ROUTE_HEADER), 'exact');
        return isGone(route, known) ? [{ name: route, rule: without(rule, 'match') }] : [];
      }),
  );
}

/** Routes of a place's HTTPRoutes that the table no longer has. */
export function formerHttpRoutes(
  former: Former,
  name: string,
  namespace: string,
  known: ReadonlySet<string>,
): FormerRoute[] {
  return latest(
    of(former, 'HTTPRoute', name, namespace)
      .flatMap(({ spec }) => list(spec, 'rules'))
      .flatMap((rule) =>
        list(rule, 'matches').flatMap((match) => {
          const header = list(match, 'headers')[0];
          const route = at(header, 'name') === ROUTE_HEADER ? at(header, 'value') : undefined;
          return isGone(route, known) ? [{ name: route, rule: without(rule, 'matches') }] : [];
        }),
      ),
  );
}

/**
 * True where the earlier table of a place had a way for requests that name no route, which the plugin of before may still let pass. A
 * VirtualService that answers unknown routes itself had it only for requests that match no API.
 */
export function hadRest(
  former: Former,
  kind: 'VirtualService' | 'HTTPRoute',
  name: string,
  namespace: string,
): boolean {
  const tables = of(former, kind, name, namespace).map(({ spec }) => spec);
  const rules = tables.flatMap((spec) => [...list(spec, 'http'), ...list(spec, 'rules')]);
  const isRest = (rule: unknown): boolean =>
    list(rule, 'route').length + list(rule, 'backendRefs').length > 0 &&
    [...list(rule, 'match'), ...list(rule, 'matches')].every((match) => at(match, 'headers') === undefined);
  return rules.some(isRest) && !rules.some((rule) => at(rule, 'directResponse') !== undefined);
}

/**
 * Headers that the routes of a place take off: those of the new table, and those of the table before, because the plugin of before may still
 * leave keys where they are; the new one takes them off itself.
 */
export function removedBeside(
  former: Former,
  kind: 'VirtualService' | 'HTTPRoute',
  name: string,
  namespace: string,
  { removed, showsKeys }: Pick<RoutingTable, 'removed' | 'showsKeys'>,
): readonly string[] {
  if (showsKeys) return removed;
  const rules = of(former, kind, name, namespace).flatMap(({ spec }) => [
    ...list(spec, 'http'),
    ...list(spec, 'rules'),
  ]);
  const before = rules.flatMap((rule) => [
    ...list(at(at(rule, 'headers'), 'request'), 'remove'),
    ...list(rule, 'filters').flatMap((filter) => list(at(filter, 'requestHeaderModifier'), 'remove')),
  ]);
  const names = new Set([...removed, ...before.filter((header) => typeof header === 'string')]);
  return [...names].slice(0, MAX_REMOVED_HEADERS).sort();
}

/** DestinationRules of the folder with the subsets that the new ones no longer have. */
export function formerSubsets(former: Former, known: (host: string, subset: string) => boolean): Resource[] {
  return former
    .filter(({ kind }) => kind === 'DestinationRule')
    .flatMap((resource) => {
      const host = at(resource.spec, 'host');
      const subsets = list(resource.spec, 'subsets').filter(
        (subset) => typeof at(subset, 'name') === 'string' && !known(String(host), String(at(subset, 'name'))),
      );
      return typeof host === 'string' && subsets.length > 0
        ? [{ ...resource, spec: { host, subsets: subsets.slice(0, MOST_FORMER) } }]
        : [];
    });
}

/** What a ConfigMap held as this file. */
export function formerText(
  former: Former,
  { name, namespace }: Resource['metadata'],
  file: string,
): string | undefined {
  const [configMap] = of(former, 'ConfigMap', name, namespace);
  const text = configMap?.data?.[file];
  return typeof text === 'string' ? text : undefined;
}

/** A table that is split has a number at the end of its further names. */
function of(former: Former, kind: string, name: string, namespace: string): Former {
  return former.filter(
    ({ kind: ofKind, metadata }) =>
      ofKind === kind &&
      metadata.namespace === namespace &&
      metadata.name.startsWith(name) &&
      /^(?:-\d+)?$/.test(metadata.name.slice(name.length)),
  );
}

function isGone(route: unknown, known: ReadonlySet<string>): route is string {
  return typeof route === 'string' && !known.has(route);
}

/** Parts of a split table repeat what they have in common. */
function latest(routes: readonly FormerRoute[]): FormerRoute[] {
  const first = new Map<string, FormerRoute>();
  for (const route of routes) if (!first.has(route.name)) first.set(route.name, route);
  return [...first.values()].slice(0, MOST_FORMER);
}

function without(rule: unknown, field: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(rule as object).filter(([name]) => name !== field));
}

function list(value: unknown, field: string): unknown[] {
  const found = at(value, field);
  return Array.isArray(found) ? found : [];
}

function at(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined;
}
