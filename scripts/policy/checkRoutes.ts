import type { Cursor } from './cursor.ts';
import { covers } from './place.ts';
import { hint, type Report } from './report.ts';

/** Routes that can never take a request: their conditions contradict the API, or an earlier route takes all of it. */
export function checkRoutes(root: Cursor, report: Report): void {
  for (const api of root.get('apis').entries) {
    const offered = api.get('plans').texts;
    const plans = new Set(root.get('plans').entries.map((plan) => plan.key));
    const routes = api.get('routes').items;
    for (const [index, route] of routes.entries()) {
      for (const plan of route.get('when').get('plans').items) {
        if (plan.text !== undefined && plans.has(plan.text) && !offered.includes(plan.text)) report.add(plan, `must be a plan that the API offers${hint(offered)}`);
      }
      const winner = routes.slice(0, index).find((earlier) => takesAll(earlier.get('when'), route.get('when'), api.get('paths').texts));
      if (winner !== undefined) report.add(route, `must be reachable; route ${JSON.stringify(winner.get('name').text ?? '')} before it takes all its requests`, route.get('name').text ?? null);
    }
  }
}

/** True when every request that meets `later` meets `earlier`: each condition of the earlier one follows from the later one. */
function takesAll(earlier: Cursor, later: Cursor, paths: readonly string[]): boolean {
  if (!isConditions(earlier) || !isConditions(later)) return false;
  return (
    pathFollows(earlier.get('path'), later.get('path'), paths) &&
    ['methods', 'plans', 'consumers'].every((list) => listFollows(earlier.get(list), later.get(list))) &&
    earlier.get('headers').entries.every((header) => headerFollows(header, later.get('headers').get(header.key)))
  );
}

const CONDITIONS = new Set(['headers', 'methods', 'path', 'plans', 'consumers']);

/** Only what is understood in full may be compared. */
function isConditions(when: Cursor): boolean {
  return when.entries.length > 0 && when.entries.every((entry) => CONDITIONS.has(entry.key) && entry.given);
}

function pathFollows(earlier: Cursor, later: Cursor, paths: readonly string[]): boolean {
  if (!earlier.given) return true;
  const outer = earlier.text;
  if (outer === undefined) return false;
  const inner = later.given ? [later.text ?? ''] : paths;
  return inner.length > 0 && inner.every((path) => covers(outer, path));
}

function listFollows(earlier: Cursor, later: Cursor): boolean {
  return !earlier.given || (later.texts.length > 0 && later.texts.every((text) => earlier.texts.includes(text)));
}

function headerFollows(earlier: Cursor, later: Cursor): boolean {
  if (!later.given) return false;
  if (earlier.get('absent').given) return later.get('absent').given;
  if (later.get('absent').given) return false;
  if (earlier.get('present').given) return true;
  const prefix = earlier.get('prefix').text;
  const values = valuesOf(later);
  if (prefix !== undefined) {
    const starts = values ?? [later.get('prefix').text ?? ''];
    return starts.every((start) => start.startsWith(prefix));
  }
  const allowed = valuesOf(earlier);
  return allowed !== undefined && values !== undefined && values.every((value) => allowed.includes(value));
}

/** The values that a condition compares with, or nothing for another kind of condition. */
function valuesOf(condition: Cursor): string[] | undefined {
  const exact = condition.text ?? condition.get('exact').text;
  if (exact !== undefined) return [exact];
  return condition.get('oneOf').given ? condition.get('oneOf').texts : undefined;
}
