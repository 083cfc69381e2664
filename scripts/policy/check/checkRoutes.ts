import type { Cursor } from './cursor.ts';
import { MAX_PAIRS } from './checkPlaces.ts';
import { Offers } from './holding.ts';
import { covers } from '../schema/place.ts';
import type { Report } from './report.ts';
import { MAX_ROUTES } from '../schema/route.ts';

/** Routes that can never take a request: their conditions contradict the API, or an earlier route takes all of it. */
export function checkRoutes(root: Cursor, report: Report): void {
  const offers = new Offers(root);
  const plans = new Set(root.get('plans').entries.map((plan) => plan.key));
  for (const api of root.get('apis').entries) {
    const offered = offers.plansOf(api.key);
    const paths = api.get('paths').texts.slice(0, MAX_PAIRS);
    const earlier: { route: Cursor; conditions: Conditions }[] = [];
    for (const route of api.get('routes').items.slice(0, MAX_ROUTES)) {
      for (const plan of route.get('when').get('plans').items) {
        if (plan.text !== undefined && plans.has(plan.text) && !offered.has(plan.text))
          report.add(plan, `must be a plan that the API offers${offered.hint}`);
      }
      const conditions = conditionsOf(route.get('when'), paths);
      if (conditions === null) continue;
      const winner = earlier.find((other) => takesAll(other.conditions, conditions))?.route;
      if (winner !== undefined)
        report.twice(
          route,
          `must be reachable; route ${JSON.stringify(winner.get('name').text ?? '')} before it takes all its requests`,
          winner,
          route.get('name').text ?? null,
        );
      earlier.push({ route, conditions });
    }
  }
}

const LISTS = ['methods', 'plans', 'consumers'] as const;
const CONDITIONS = new Set<string>(['headers', 'path', ...LISTS]);

/** Conditions of a route, made for being compared with those of a thousand others. */
interface Conditions {
  /** The path of the condition; null: any. */
  readonly path: string | null;
  /** True for a path that all paths of the API lie under. */
  readonly coversApi: boolean;
  readonly lists: ReadonlyMap<string, ReadonlySet<string>>;
  readonly headers: ReadonlyMap<string, HeaderTest>;
}

/** Values, a prefix, or neither: present or absent. */
interface HeaderTest {
  readonly values: ReadonlySet<string> | null;
  readonly prefix: string | null;
  readonly absent: boolean;
}

/** Only what is understood in full may be compared; null for the rest. */
function conditionsOf(when: Cursor, paths: readonly string[]): Conditions | null {
  if (when.entries.length === 0 || !when.entries.every((entry) => CONDITIONS.has(entry.key) && entry.given))
    return null;
  const path = when.get('path');
  if (path.given && path.text === undefined) return null;
  return {
    path: path.text ?? null,
    coversApi: path.text === undefined || (paths.length > 0 && paths.every((inner) => covers(path.text!, inner))),
    lists: new Map(LISTS.filter((list) => when.get(list).given).map((list) => [list, new Set(when.get(list).texts)])),
    headers: new Map(when.get('headers').entries.map((header) => [header.key, headerTest(header)])),
  };
}

function headerTest(condition: Cursor): HeaderTest {
  const exact = condition.text ?? condition.get('exact').text;
  const values =
    exact !== undefined
      ? new Set([exact])
      : condition.get('oneOf').given
        ? new Set(condition.get('oneOf').texts)
        : null;
  const isPresent = condition.get('present').given;
  return {
    values: isPresent ? null : values,
    prefix: isPresent ? '' : (condition.get('prefix').text ?? null),
    absent: condition.get('absent').given,
  };
}

/** True when every request that meets `later` meets `earlier`: each condition of the earlier one follows from the later one. */
function takesAll(earlier: Conditions, later: Conditions): boolean {
  if (earlier.headers.size > later.headers.size || !pathFollows(earlier, later)) return false;
  for (const [list, allowed] of earlier.lists) if (!isWithin(later.lists.get(list), allowed)) return false;
  for (const [name, test] of earlier.headers) if (!headerFollows(test, later.headers.get(name))) return false;
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
