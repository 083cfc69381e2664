import { quote } from '../check/secret.ts';

/*
 * What people bring along from other gateways: `/admin/*`, `/records/:id`, `/pets/{id}`, `^/v1$`. Taken to the letter it
 * would cover nothing, and with `unmatched: allow` leave open what it was meant to close.
 */
const PATTERN = /\*|\/:|\/\(|[{}[\]<>|^]|\.\+|\\|\$\d|[^/]\$$/;

/** What is wrong with a path that holds a pattern, and what to write; null for a path without one. */
export function patternRule(path: unknown): string | null {
  if (typeof path !== 'string' || !path.startsWith('/')) return null;
  const found = PATTERN.exec(path);
  if (found === null) return null;
  const before = path.slice(0, found.index + (/^(?:\/|[^/]\$$)/.test(found[0]) ? 1 : 0));
  const parent = quote(before.replace(/[^/]*$/, '').replace(/(.)\/$/, '$1'));
  if (before.endsWith('/'))
    return `must be a path without patterns; write ${parent}, which covers all that lies under it`;
  return `must be a path without patterns, of whole segments; write ${quote(before)}, which covers what lies under it, or ${parent}`;
}

/** The same for the path that a route puts in the place of another. */
export function rewritePatternRule(path: unknown): string | null {
  const rule = patternRule(path);
  return rule?.replace(/; write ("[^"]*").*/, '; write $1, the rest of the path follows by itself') ?? null;
}

export const WHOLE_NAME_RULE = 'must be a whole name; there are no patterns';

/** True for a header's value that reads like a pattern. Media ranges and entity tags have a `*` of their own. */
export function looksLikePattern(value: string): boolean {
  return /^\^|\.[*+]|[^\s/,;]\*$|[^/]\$$|^\*$/.test(value);
}

/** True for a header's value that reads as if something were to be put in. */
export function looksLikeTemplate(value: string): boolean {
  return /%[A-Z_]+(?:\(.*?\))?%|\$\{|\{\{|\$\d|%\{/.test(value);
}
