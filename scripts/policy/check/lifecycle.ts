import { bare, covers, epochSeconds } from '../schema/value.ts';
import type { WrittenLifecycle } from '../schema/lifecycle.ts';
import { readPattern } from '../schema/operation.ts';
import type { ApiDraft, Draft, Place, PolicyDraft, Report, RouteDraft } from './draft.ts';

/** Whatever may have a lifecycle: an API, an operation, a route. */
type LifecycleDraft = Draft<WrittenLifecycle>;

/** Lifecycles whose parts contradict each other, and redirects that lead back to themselves. */
export function checkLifecycles(root: PolicyDraft, report: Report): void {
  const paths = root.get('apis').entries.flatMap((api) => api.get('paths').strings);
  for (const api of root.get('apis').entries) {
    checkLifecycle(lifecycleOf(api), report);
    checkCircle(api.get('redirect').get('to'), api, api.get('paths').strings, paths, report);
    for (const operation of api.get('operations').entries) {
      checkLifecycle(lifecycleOf(operation), report);
      checkOperationCircle(lifecycleOf(operation).get('redirect').get('to'), operation.key, api, report);
    }
    const before: string[] = [];
    for (const route of api.get('routes').items) {
      checkLifecycle(lifecycleOf(route), report);
      checkRouteCircle(route, api, before, report);
      before.push(...ofOne(route.get('when').get('path').string));
    }
  }
}

/** What an API or a route says of its life; only its fields of these names are looked at. */
export function lifecycleOf(place: Place): LifecycleDraft {
  return place as LifecycleDraft;
}

/** True for what answers every request itself, whoever calls. */
export function answersAll(place: LifecycleDraft): boolean {
  return place.get('redirect').given || (place.get('retired').given && !place.get('retired').get('from').given);
}

/** True for what never lets a request reach an upstream. What is retired does, where that is only observed. */
export function needsNoUpstream(place: LifecycleDraft, mode: string | undefined): boolean {
  const { redirect, mock } = { redirect: place.get('redirect'), mock: place.get('mock') };
  return redirect.given || mock.given || (mode !== 'observe' && answersAll(place));
}

export function checkLifecycle(place: LifecycleDraft, report: Report): void {
  const { deprecated, retired, maintenance, redirect, mock } = {
    deprecated: place.get('deprecated'),
    retired: place.get('retired'),
    maintenance: place.get('maintenance'),
    redirect: place.get('redirect'),
    mock: place.get('mock'),
  };
  const winner = retired.given && !retired.get('from').given ? retired : redirect.given ? redirect : null;
  const losers = winner === retired ? [maintenance, redirect, mock] : winner === redirect ? [mock] : [];
  for (const loser of losers)
    if (loser.given) report.add(loser, `must not stand beside "${winner!.key}", which answers every request`, null);

  checkOrder(deprecated.get('since'), deprecated.get('sunset'), (since, sunset) => sunset >= since, report);
  checkOrder(maintenance.get('from'), maintenance.get('until'), (from, until) => until > from, report);
  const status = mock.get('status').number;
  const body = mock.get('body');
  if ((status === 204 || status === 205 || status === 304) && body.string !== undefined && body.string !== '')
    report.add(body, `must be empty with the status ${status}`, null);
}

function checkOrder(
  first: Place,
  second: Place,
  isGood: (first: number, second: number) => boolean,
  report: Report,
): void {
  const [one, two] = [epochSeconds(first.string ?? ''), epochSeconds(second.string ?? '')];
  if (one === null || two === null || isGood(one, two)) return;
  report.add(
    second,
    `must ${second.key === 'sunset' ? 'not be before' : 'be after'} "${first.key}" (${first.string!})`,
  );
}

const CIRCLE_RULE = 'must lead out of the path that it replaces, or callers go round in circles';

/** A redirect of an API may lead below one of its paths only where another API has that. */
function checkCircle(
  to: Place,
  api: ApiDraft,
  replaced: readonly string[],
  known: readonly string[],
  report: Report,
): void {
  const path = pathHere(to, api);
  if (path === null) return;
  const longest = Math.max(-1, ...replaced.filter((outer) => covers(outer, path)).map((outer) => bare(outer).length));
  if (longest >= 0 && !known.some((other) => covers(other, path) && bare(other).length > longest))
    report.add(to, CIRCLE_RULE);
}

/** A redirect of a route may lead below its path where a route before it takes that, or where the method may change on the way. */
function checkRouteCircle(route: RouteDraft, api: ApiDraft, before: readonly string[], report: Report): void {
  const when = route.get('when');
  if (when.get('methods').given) return;
  const own = when.get('path').string;
  checkCircle(
    route.get('redirect').get('to'),
    api,
    own === undefined ? api.get('paths').strings : [own],
    before,
    report,
  );
}

/** A redirect of an operation replaces the API's path and the template's segments up to the first variable. */
function checkOperationCircle(to: Place, key: string, api: ApiDraft, report: Report): void {
  const pattern = readPattern(key);
  if (typeof pattern === 'string') return;
  const { segments } = pattern;
  const variableAt = segments.findIndex(({ kind }) => kind !== 'literal');
  const literal = segments.slice(0, variableAt < 0 ? segments.length : variableAt);
  const below = literal.map((segment) => `/${segment.kind === 'literal' ? segment.text : ''}`).join('');
  const replaced = api.get('paths').strings.map((path) => bare(path) + below || '/');
  const path = pathHere(to, api);
  if (path === null) return;
  // without a variable, what lies below is another operation
  if (replaced.some((outer) => (variableAt < 0 ? bare(outer) === bare(path) : covers(outer, path))))
    report.add(to, CIRCLE_RULE);
}

/** The path of a redirect that leads to a host of the API, or null. */
function pathHere(to: Place, api: ApiDraft): string | null {
  const text = to.string;
  if (text === undefined || text.startsWith('/')) return text ?? null;
  if (!URL.canParse(text)) return null;
  const { hostname, pathname } = new URL(text);
  const isHere = api.get('hosts').strings.some((host) => host === hostname || isBelow(hostname, host));
  return isHere ? pathname : null;
}

function isBelow(host: string, wildcard: string): boolean {
  return wildcard.startsWith('*.') && host.endsWith(wildcard.slice(1));
}

function ofOne<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

/** Times that lie behind, after which something else should be said. */
export function warnOfLifecycle(place: LifecycleDraft, nowSeconds: number, report: Report): void {
  const warn = (time: Place, rule: string): void => {
    const seconds = epochSeconds(time.string ?? '');
    if (seconds !== null && seconds <= nowSeconds) report.add(time, rule);
  };
  if (!place.get('retired').given)
    warn(
      place.get('deprecated').get('sunset'),
      'lies in the past, and requests still pass; "retired" answers them with 410',
    );
  warn(place.get('maintenance').get('until'), 'lies in the past, so there is no maintenance any more');
}
