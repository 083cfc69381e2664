/** What a regular expression of a route stands for. */
export interface ReadRegex {
  readonly prefix: string;
  readonly templates: readonly string[];
  /** True: a variable takes more than the expression did. */
  readonly isWider: boolean;
}

/** A segment of letters and so on; a backslash before something that means nothing else to a regular expression. */
const LITERAL = /^(?:[A-Za-z0-9_~@:!,=&-]|\\[.\-_~+$()@])+$/;
const WHOLE = /^(?:\[\^\/\]|\[\^\/\?\])[+]$/;
const CLASS = /^(?:\\[dw]|\[(?:[A-Za-z0-9_.~^-]|\\[dw.\-_])+\])(?:\+|\{\d+(?:,\d*)?\})?$/;

/**
 * The templates that a regular expression over a path stands for, where each of its segments is a literal or a whole variable; null for
 * any other. Kong anchors it at its beginning only, so without `$` whatever follows matches too.
 */
export function readRegex(text: string): ReadRegex | null {
  let source = text.replace(/^\^/, '');
  if (!source.startsWith('/') || source.length > 1024) return null;
  const isAnchored = /(?<!\\)\$$/.test(source);
  if (isAnchored) source = source.slice(0, -1);
  let takesRest = !isAnchored;
  const tail = /(?:\/(?:\(\.[*+]\)|\.[*+])|\(\?:?\/\.\*\)\?|\(\/\.\*\)\?)$/.exec(source)?.[0];
  // `/v1/.*` is everything below, `/v1(/.*)?` and whatever is not anchored is that and the path itself
  let takesItself = true;
  if (tail !== undefined) {
    source = source.slice(0, -tail.length);
    takesRest = true;
    takesItself = tail.endsWith('?');
  }
  source = source.replace(/\/\?$/, '').replace(/(.)\/$/, '$1');
  const parts = source === '' || source === '/' ? [] : splitSegments(source);
  if (parts === null) return null;
  let isWider = false;
  const segments: { readonly text: string; readonly isVariable: boolean }[] = [];
  for (const [index, part] of parts.entries()) {
    if (LITERAL.test(part)) {
      segments.push({ text: part.replace(/\\/g, ''), isVariable: false });
      continue;
    }
    const [, name, inner] = /^\((?:\?P?<([A-Za-z_]\w*)>|\?:)?([^()]*)\)$/.exec(part) ?? [, undefined, part];
    if (inner === undefined || !(WHOLE.test(inner) || CLASS.test(inner))) return null;
    if (!WHOLE.test(inner)) isWider = true;
    segments.push({ text: `{${name ?? `v${index + 1}`}}`, isVariable: true });
  }
  const names = segments.filter(({ isVariable }) => isVariable).map(({ text }) => text);
  if (new Set(names).size < names.length) return null;
  const first = segments.findIndex(({ isVariable }) => isVariable);
  const literals = first < 0 ? segments : segments.slice(0, first);
  const rest = first < 0 ? [] : segments.slice(first);
  const prefix = `/${literals.map((segment) => segment.text).join('/')}`;
  const template = `/${rest.map((segment) => segment.text).join('/')}`;
  // what is not anchored goes on within the segment too; whole segments are less
  return {
    prefix,
    isWider,
    templates: [
      ...(takesItself ? [template] : []),
      ...(takesRest ? [`${template === '/' ? '' : template}/{rest...}`] : []),
    ],
  };
}

/** At slashes that stand outside of brackets; null where brackets do not close. */
function splitSegments(source: string): string[] | null {
  const parts: string[] = [];
  let part = '';
  let depth = 0;
  let isClass = false;
  for (let i = 1; i < source.length; i++) {
    const character = source[i]!;
    if (character === '\\') {
      part += character + (source[++i] ?? '');
      continue;
    }
    if (isClass) isClass = character !== ']';
    else if (character === '[') isClass = true;
    else if (character === '(') depth++;
    else if (character === ')') depth--;
    else if (character === '/' && depth === 0) {
      parts.push(part);
      part = '';
      continue;
    }
    part += character;
  }
  parts.push(part);
  return depth === 0 && !isClass && parts.every((one) => one !== '') ? parts : null;
}
