/*
 * Which API, operation and route a path with data has, as docs/requests.md says it: lists of segments, compared one by one. The first part is
 * exact, for paths of plain words; the second says only what no server may find in a path that came through, however odd it was.
 */
export interface Api {
  readonly name: string;
  readonly paths: readonly string[];
  readonly escaped: boolean;
  readonly empty: boolean;
  readonly isOpen?: true;
  /** Templates by the operations' names; absent where everything is allowed. */
  readonly operations?: Readonly<Record<string, string>>;
  /** Routes by a path, in their order. */
  readonly routes?: Readonly<Record<string, string>>;
}

export type Expected =
  | { readonly status: 400 | 404 }
  | {
      readonly status: 200;
      readonly api: Api;
      readonly operation: string | null;
      readonly route: string;
      readonly forwarded: string;
    };

const REFUSED = { status: 400 } as const;
const NOTHING = { status: 404 } as const;

interface Found {
  readonly api: Api;
  /** The path of the API under which it was found. */
  readonly prefix: string;
}

export function expectedOf(apis: readonly Api[], path: string): Expected {
  const hasEscaped = /%2f/i.test(path);
  const hasEmpty = path.includes('//');
  const found = findApi(apis, merged(path));
  if (found === null) return hasEscaped ? REFUSED : NOTHING;
  const { api } = found;
  if (hasEscaped && !api.escaped) return REFUSED;
  if (!hasEscaped && !(hasEmpty && api.empty)) return within(found, merged(path));
  if (path.startsWith('//') || /^\/%2f/i.test(path)) return REFUSED;
  const kept = api.empty ? path : merged(path);
  const decoded = merged(path.replace(/%2f/gi, '/'));
  if (!isSame(findApi(apis, kept), found) || !isSame(findApi(apis, decoded), found)) return REFUSED;
  if (kept !== merged(path) && operationOf(found, kept) !== operationOf(found, merged(path))) return REFUSED;
  return within(found, kept);
}

function within(found: Found, path: string): Expected {
  const { api } = found;
  const operation = operationOf(found, path);
  if (api.operations !== undefined && operation === null) return NOTHING;
  return { status: 200, api, operation, route: routeOf(api, path), forwarded: path };
}

export function merged(path: string): string {
  return path.replace(/\/{2,}/g, '/');
}

/** The API with the longest path that the path lies under, segment by segment. */
export function findApi(apis: readonly Api[], path: string): Found | null {
  const all = apis.flatMap((api) => api.paths.map((prefix) => ({ api, prefix })));
  const under = all.filter(({ prefix }) => liesUnder(path, prefix));
  under.sort((a, b) => b.prefix.length - a.prefix.length);
  return under[0] ?? null;
}

function liesUnder(path: string, prefix: string): boolean {
  const segments = path.split('/');
  return prefix.split('/').every((segment, i) => segments[i] === segment);
}

function isSame(a: Found | null, b: Found): boolean {
  return a?.api === b.api && a.prefix === b.prefix;
}

function routeOf({ routes = {} }: Api, path: string): string {
  return Object.entries(routes).find(([, prefix]) => liesUnder(path, prefix))?.[0] ?? 'default';
}

/** The operation whose template fits, and goes before all others that do: a word before a form, a form before `{}`, and that before the rest. */
export function operationOf({ api: { operations = {} }, prefix }: Found, path: string): string | null {
  const segments = path.slice(prefix.length).split('/').slice(1);
  // a slash at the end makes no segment
  if (segments.at(-1) === '') segments.pop();
  const fitting = Object.entries(operations).flatMap(([name, template]) => {
    const ranks = ranksOf(template.split('/').slice(1), segments);
    return ranks === null ? [] : [{ name, ranks }];
  });
  fitting.sort((a, b) => (a.ranks < b.ranks ? -1 : 1));
  return fitting[0]?.name ?? null;
}

/** One letter for each segment, so that they sort. */
function ranksOf(template: readonly string[], segments: readonly string[]): string | null {
  let ranks = '';
  for (const [i, part] of template.entries()) {
    const segment = segments[i];
    if (segment === undefined) return null;
    if (part.endsWith('...}')) return `${ranks}d`;
    const [before, after] = part.split(/\{\w+\}/);
    if (after === undefined) {
      if (segment !== part) return null;
      ranks += 'a';
      continue;
    }
    const around = before!.length + after.length;
    const fits = segment.length > around && segment.startsWith(before!) && segment.endsWith(after);
    // only one alone takes an empty segment, which leads to another operation once it is gone
    if (around > 0 && !fits) return null;
    ranks += around > 0 ? 'b' : 'c';
  }
  return template.length === segments.length ? ranks : null;
}

type Step = (path: string) => string;
const same: Step = (path) => path;
const STEPS: readonly (readonly Step[])[] = [
  [same, (path) => path.replace(/%2f/gi, '/'), (path) => unescaped(path)],
  [same, (path) => path.replace(/;[^/]*/g, '')],
  [same, merged],
  [same, resolved],
  [same, (path) => path.toLowerCase()],
];

/** The path as servers read it that take some of its data for slashes, slashes for one, parameters for nothing. */
export function readingsOf(path: string): string[] {
  return [
    ...new Set(
      STEPS.reduce<string[]>((paths, steps) => paths.flatMap((one) => steps.map((step) => step(one))), [path]),
    ),
  ];
}

function unescaped(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));
}

/** Dot segments as RFC 3986 says, whatever they come from. */
function resolved(path: string): string {
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [i, segment] of segments.entries()) {
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
    if (i === segments.length - 1 && /^\.\.?$/.test(segment)) kept.push('');
  }
  return `/${kept.join('/')}`;
}
