import { MAX_MOUNTS, MAX_PATH_BYTES, MAX_ROUTES } from '../../contract/table.ts';
import { ANY_ORIGIN } from '../schema/cors.ts';
import { looksLikePattern, looksLikeTemplate, spelling } from '../schema/header.ts';
import { bare, covers } from '../schema/value.ts';
import { printPath } from '../secret.ts';
import { offeredPlans } from './consumers.ts';
import { keyHeadersIn, parametersOf } from './keySources.ts';
import { lifecycleOf } from './lifecycle.ts';
import {
  Names,
  type ApiDraft,
  type ConditionDraft,
  type Place,
  type PolicyDraft,
  type Report,
  type RouteDraft,
} from './draft.ts';

const ANY_HOST = 'any host';

/** A path, or where a redirect leads, must not begin with two slashes: what follows those is read as a host. */
export function checkPathData(root: PolicyDraft, report: Report): void {
  for (const api of root.get('apis').entries) {
    if (!api.get('pathData').strings.includes('empty-segments')) continue;
    const lives = [api, ...api.get('operations').entries, ...api.get('routes').items];
    const ends = [
      ...lives.map((life) => lifecycleOf(life).get('redirect').get('to')),
      ...api.get('routes').items.map((route) => route.get('rewritePrefix')),
    ];
    for (const end of ends)
      if (end.string === '/')
        report.add(
          end,
          'must be more than "/" where empty segments are data ("pathData"): what follows could be read as a host',
          null,
        );
  }
}

/** No two APIs may claim the same host and path, and routes must lie where their API does. */
export function checkPlaces(root: PolicyDraft, report: Report): void {
  const claims = new Map<string, Place>();
  let pairs = 0;
  for (const api of root.get('apis').entries) {
    const [hosts, paths] = [
      once(api.get('hosts').items, (host) => host, report),
      once(api.get('paths').items, bare, report),
    ];
    const names = api.get('hosts').given ? [...hosts.keys()] : [ANY_HOST];
    const before = pairs;
    pairs += names.length * paths.size;
    if (pairs > MAX_MOUNTS && before <= MAX_MOUNTS)
      report.add(api, `must fit into the ${MAX_MOUNTS} pairs of host and path that all APIs may have together`, pairs);
    if (pairs <= MAX_MOUNTS) for (const path of paths.values()) checkClaim(names, path, claims, report);
    const known = new Names(api.get('paths').strings);
    for (const route of api.get('routes').items.slice(0, MAX_ROUTES)) checkRoutePath(route, paths, known, report);
  }
}

/** The items by what they mean; reports those whose meaning an earlier one has. */
function once(items: readonly Place[], meaning: (text: string) => string, report: Report): Map<string, Place> {
  const seen = new Map<string, Place>();
  for (const item of items) {
    if (item.string === undefined) continue;
    const other = seen.get(meaning(item.string));
    if (other !== undefined) report.twice(item, 'must be given once', other);
    else seen.set(meaning(item.string), item);
  }
  return seen;
}

function checkClaim(hosts: readonly string[], path: Place, claims: Map<string, Place>, report: Report): void {
  for (const host of hosts) {
    const claim = JSON.stringify([host, bare(path.string!)]);
    const other = claims.get(claim);
    claims.set(claim, other ?? path);
    if (other !== undefined)
      report.twice(path, `must belong to one API; ${printPath(other.path.slice(0, 2))} has it on ${host} too`, other);
  }
}

function checkRoutePath(route: RouteDraft, paths: ReadonlyMap<string, Place>, names: Names, report: Report): void {
  const path = route.get('when').get('path');
  if (
    path.string === undefined ||
    !path.string.startsWith('/') ||
    path.string.length > MAX_PATH_BYTES ||
    paths.size === 0
  )
    return;
  for (let outer = bare(path.string); ; outer = outer.slice(0, outer.lastIndexOf('/'))) {
    if (paths.has(outer)) return;
    if (outer === '') break;
  }
  report.add(path, `must lie under a path of the API${names.hint}`);
}

/** Headers in routes that cannot do what their author meant. */
export function checkHeaders(root: PolicyDraft, report: Report): void {
  const keyHeadersOf = keyHeadersIn(root);
  const usualParameters = parametersOf(root.get('keySources'));
  for (const api of root.get('apis').entries) {
    const keyHeaders = keyHeadersOf(api);
    const own = api.get('keySources');
    const keyParameters = own.given ? parametersOf(own) : usualParameters;
    checkCors(api, report);
    for (const route of api.get('routes').items) {
      for (const condition of route.get('when').get('headers').entries) checkCondition(condition, keyHeaders, report);
      for (const condition of route.get('when').get('query').entries) checkParameter(condition, keyParameters, report);
      checkChanges(route, report);
    }
  }
}

/** What contradicts itself in an API's cors. */
function checkCors(api: ApiDraft, report: Report): void {
  const cors = api.get('cors');
  if (cors.given && api.get('preflight').string === 'allow')
    report.add(
      api.get('preflight'),
      'must not be "allow" beside "cors", which answers preflights; leave one of the two out',
      null,
    );
  const origins = cors.get('origins');
  const any = origins.string === ANY_ORIGIN ? origins : origins.items.find(({ string }) => string === ANY_ORIGIN);
  if (any !== undefined && origins.items.length > 1)
    report.add(any, 'must stand alone, because it covers all origins', null);
  if (any !== undefined && cors.get('credentials').isTrue)
    report.add(
      cors.get('credentials'),
      'must not be true where any origin may read answers: browsers refuse it; list the origins that may use cookies',
      null,
    );
  for (const list of ['origins', 'methods', 'headers', 'exposedHeaders'] as const)
    once(cors.get(list).items, (item) => item, report);
}

/** A condition on a key's text would put that key into the policy. */
function checkCondition(condition: ConditionDraft, keyHeaders: ReadonlySet<string>, report: Report): void {
  if (condition.key === 'host') report.add(condition, 'must not be a condition; an API names its hosts', null);
  if (comparesText(condition) && keyHeaders.has(spelling(condition.key)))
    report.add(condition, 'must not compare a header that holds keys; there is the condition "consumers"', null);
}

function checkParameter(
  condition: ConditionDraft,
  keyParameters: ReadonlySet<string | undefined>,
  report: Report,
): void {
  if (comparesText(condition) && keyParameters.has(condition.key))
    report.add(condition, 'must not compare a parameter that holds keys; there is the condition "consumers"', null);
}

function comparesText(condition: ConditionDraft): boolean {
  const kinds = ['exact', 'prefix', 'oneOf'] as const;
  return condition.string !== undefined || kinds.some((kind) => condition.get(kind).given);
}

function checkChanges(route: RouteDraft, report: Report): void {
  const set = new Set(route.get('setHeaders').entries.map((header) => spelling(header.key)));
  const removed = new Map<string, Place>();
  for (const header of route.get('removeHeaders').items) {
    if (header.string === undefined) continue;
    const name = spelling(header.string);
    const other = removed.get(name);
    if (other !== undefined) report.twice(header, 'must be given once', other);
    else if (set.has(name)) report.add(header, 'must not be set as well; setting replaces what the caller sent');
    removed.set(name, other ?? header);
  }
}

/** Routes that can never take a request: their conditions contradict the API, or an earlier route takes all of it. */
export function checkRoutes(root: PolicyDraft, report: Report): void {
  const offeredBy = offeredPlans(root);
  const plans = new Set(root.get('plans').entries.map((plan) => plan.key));
  for (const api of root.get('apis').entries) {
    const offered = offeredBy(api.key);
    const paths = api.get('paths').strings.slice(0, MAX_MOUNTS);
    const earlier: { route: RouteDraft; conditions: Conditions }[] = [];
    for (const route of api.get('routes').items.slice(0, MAX_ROUTES)) {
      for (const plan of route.get('when').get('plans').items) {
        if (plan.string !== undefined && plans.has(plan.string) && !offered.has(plan.string))
          report.add(plan, `must be a plan that the API offers${offered.hint}`);
      }
      const conditions = conditionsOf(route, paths);
      if (conditions === null) continue;
      const winner = earlier.find((other) => takesAll(other.conditions, conditions))?.route;
      if (winner !== undefined)
        report.twice(
          route,
          `must be reachable; route ${JSON.stringify(winner.get('name').string ?? '')} before it takes all its requests`,
          winner,
          route.get('name').string ?? null,
        );
      earlier.push({ route, conditions });
    }
  }
}

const TESTS = ['headers', 'query'] as const;
const LISTS = ['methods', 'plans', 'consumers'] as const;
const CONDITIONS = new Set<string>([...TESTS, 'path', ...LISTS]);

/** Conditions of a route, in a form that is quickly compared with those of a thousand others. */
interface Conditions {
  /** The path of the condition; null: any. */
  readonly path: string | null;
  /** True for a path that all paths of the API lie under. */
  readonly coversApi: boolean;
  readonly lists: ReadonlyMap<string, ReadonlySet<string>>;
  /** Tests of headers and of query parameters. */
  readonly tests: ReadonlyMap<string, HeaderTest>;
}

/** Values, a prefix, or neither: present or absent. */
interface HeaderTest {
  readonly values: ReadonlySet<string> | null;
  readonly prefix: string | null;
  readonly absent: boolean;
}

/** Only what is understood in full may be compared; null for the rest. */
function conditionsOf(route: RouteDraft, paths: readonly string[]): Conditions | null {
  const when = route.get('when');
  if (when.entries.length === 0 || !when.entries.every((entry) => CONDITIONS.has(entry.key) && entry.given))
    return null;
  const path = when.get('path');
  if (path.given && path.string === undefined) return null;
  return {
    path: path.string ?? null,
    coversApi: path.string === undefined || (paths.length > 0 && paths.every((inner) => covers(path.string!, inner))),
    lists: new Map(LISTS.filter((list) => when.get(list).given).map((list) => [list, new Set(when.get(list).strings)])),
    tests: new Map(TESTS.flatMap((of) => when.get(of).entries.map((one) => [`${of} ${one.key}`, headerTest(one)]))),
  };
}

function headerTest(condition: ConditionDraft): HeaderTest {
  const exact = condition.string ?? condition.get('exact').string;
  const values =
    exact !== undefined
      ? new Set([exact])
      : condition.get('oneOf').given
        ? new Set(condition.get('oneOf').strings)
        : null;
  const isPresent = condition.get('present').given;
  return {
    values: isPresent ? null : values,
    prefix: isPresent ? '' : (condition.get('prefix').string ?? null),
    absent: condition.get('absent').given,
  };
}

/** True when every request that meets `later` meets `earlier`: each condition of the earlier one follows from the later one. */
function takesAll(earlier: Conditions, later: Conditions): boolean {
  if (earlier.tests.size > later.tests.size || !pathFollows(earlier, later)) return false;
  for (const [list, allowed] of earlier.lists) if (!isWithin(later.lists.get(list), allowed)) return false;
  for (const [name, test] of earlier.tests) if (!headerFollows(test, later.tests.get(name))) return false;
  return true;
}

function pathFollows(earlier: Conditions, later: Conditions): boolean {
  if (earlier.path === null) return true;
  return later.path === null ? earlier.coversApi : covers(earlier.path, later.path);
}

function isWithin(values: ReadonlySet<string> | undefined, allowed: ReadonlySet<string>): boolean {
  if (values === undefined || values.size === 0 || values.size > allowed.size) return false;
  for (const value of values) if (!allowed.has(value)) return false;
  return true;
}

function headerFollows(earlier: HeaderTest, later: HeaderTest | undefined): boolean {
  if (later === undefined || earlier.absent || later.absent)
    return later !== undefined && earlier.absent && later.absent;
  if (earlier.prefix !== null) {
    const starts = later.values ?? [later.prefix ?? ''];
    for (const start of starts) if (!start.startsWith(earlier.prefix)) return false;
    return true;
  }
  return earlier.values !== null && later.values !== null && isWithin(later.values, earlier.values);
}

/** Values of headers and parameters, which the module takes literally. */
export function warnOfPatterns(route: RouteDraft, report: Report): void {
  for (const condition of TESTS.flatMap((of): ConditionDraft[] => route.get('when').get(of).entries)) {
    for (const value of [condition, condition.get('exact'), condition.get('prefix'), ...condition.get('oneOf').items]) {
      if (value.string !== undefined && looksLikePattern(value.string))
        report.add(
          value,
          'is compared as it stands; for a beginning there is "prefix", for any value "present: true"',
          null,
        );
    }
  }
  for (const header of route.get('setHeaders').entries) {
    if (header.string !== undefined && looksLikeTemplate(header.string))
      report.add(header, 'is sent as it stands; there are no variables', null);
  }
}
