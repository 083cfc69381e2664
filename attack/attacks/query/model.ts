/**
 * Routes by query as docs/policy.md says they are chosen, read with URLSearchParams: the first route all of whose conditions hold. It knows
 * nothing of how the module reads a query.
 */
export type Condition =
  | string
  | { readonly exact: string }
  | { readonly prefix: string }
  | { readonly oneOf: readonly string[] }
  | { readonly present: true }
  | { readonly absent: true };

export interface Route {
  readonly name: string;
  readonly query: Readonly<Record<string, Condition>>;
  /** A header of the request, which must have this value. */
  readonly header?: readonly [name: string, value: string];
  readonly method?: string;
}

/** As many parameters count; empty ones between two `&` too. */
const MOST_PARAMETERS = 64;

export interface Asked {
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
  /** Without its question mark; empty for none. */
  readonly query: string;
}

export function routeOf(routes: readonly Route[], { method, headers, query }: Asked): string {
  // it takes one question mark off, which must not be the caller's
  const parameters = [...new URLSearchParams(`?${query.split('&').slice(0, MOST_PARAMETERS).join('&')}`)];
  const found = routes.find(
    (route) =>
      (route.method === undefined || route.method === method) &&
      (route.header === undefined ||
        headers.some(([name, value]) => name === route.header![0] && value === route.header![1])) &&
      Object.entries(route.query).every(([name, condition]) =>
        holds(
          condition,
          parameters.filter(([one]) => one === name).map(([, value]) => value),
        ),
      ),
  );
  return found?.name ?? 'default';
}

function holds(condition: Condition, values: readonly string[]): boolean {
  if (typeof condition === 'string') return values.includes(condition);
  if ('exact' in condition) return values.includes(condition.exact);
  if ('prefix' in condition) return values.some((value) => value.startsWith(condition.prefix));
  if ('oneOf' in condition) return values.some((value) => condition.oneOf.includes(value));
  return 'present' in condition ? values.length > 0 : values.length === 0;
}

/** The query as the upstream sees it, with its question mark: what is a key's parameter is gone, whatever else there is stays as it came. */
export function withoutKey(query: string, name: string): string {
  const pairs = query.split('&');
  const isOurs = (pair: string): boolean => decoded(pair.split('=')[0]!) === name;
  if (!pairs.some(isOurs)) return `?${query}`;
  // behind the last `&` stands nothing
  if (pairs.at(-1) === '') pairs.pop();
  const kept = pairs.filter((pair) => !isOurs(pair));
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}

/** The keys in a query, those that are empty too. */
export function keysIn(query: string, name: string): string[] {
  return query
    .split('&')
    .filter((pair) => decoded(pair.split('=')[0]!) === name)
    .map((pair) => decoded(pair.split('=').slice(1).join('=')))
    .filter((key) => key !== '');
}

/** A key has no spaces: `+` is itself here. */
function decoded(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));
}
