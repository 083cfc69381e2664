import type { Cursor } from './cursor.ts';
import { spelling } from '../schema/header.ts';
import type { Report } from './report.ts';

/** Headers in routes that cannot do what their author meant, and key sources given twice. */
export function checkHeaders(root: Cursor, report: Report): void {
  const keyHeaders = keyHeadersOf(root.get('keySources'));
  checkKeySources(root.get('keySources'), report);
  for (const api of root.get('apis').entries) {
    for (const route of api.get('routes').items) {
      for (const condition of route.get('when').get('headers').entries) checkCondition(condition, keyHeaders, report);
      checkChanges(route, report);
    }
  }
}

function keyHeadersOf(sources: Cursor): Set<string> {
  if (!sources.given) return new Set(['x-api-key']);
  return new Set(
    sources.items.map((source) => {
      if (source.get('authorization').given) return 'authorization';
      return source.get('cookie').given ? 'cookie' : spelling(source.get('header').text ?? '');
    }),
  );
}

function checkKeySources(sources: Cursor, report: Report): void {
  const seen = new Map<string, Cursor>();
  for (const source of sources.items) {
    const [kind] = source.entries;
    if (kind?.text === undefined || source.entries.length > 1) continue;
    const twin = JSON.stringify([kind.key, kind.text]);
    const other = seen.get(twin);
    if (other !== undefined) report.twice(kind, 'must be given once', other);
    else seen.set(twin, kind);
  }
}

/** A condition on a key's text would put that key into the policy. */
function checkCondition(condition: Cursor, keyHeaders: ReadonlySet<string>, report: Report): void {
  if (condition.key === 'host') report.add(condition, 'must not be a condition; an API names its hosts', null);
  const comparesText =
    condition.text !== undefined || ['exact', 'prefix', 'oneOf'].some((kind) => condition.get(kind).given);
  if (comparesText && keyHeaders.has(spelling(condition.key)))
    report.add(condition, 'must not compare a header that holds keys; there is the condition "consumers"', null);
}

function checkChanges(route: Cursor, report: Report): void {
  const set = new Set(route.get('setHeaders').entries.map((header) => spelling(header.key)));
  const removed = new Map<string, Cursor>();
  for (const header of route.get('removeHeaders').items) {
    if (header.text === undefined) continue;
    const name = spelling(header.text);
    const other = removed.get(name);
    if (other !== undefined) report.twice(header, 'must be given once', other);
    else if (set.has(name)) report.add(header, 'must not be set as well; setting replaces what the caller sent');
    removed.set(name, other ?? header);
  }
}
