import type { Reading } from './readers.ts';

export const KEY = 'acme-secret-key';

interface Api {
  readonly hosts?: readonly string[];
  readonly paths: readonly string[];
  readonly pathData?: readonly string[];
}

/** Adjacent and nested APIs on names, addresses and wildcards; `rest` covers everything else on any host. */
const APIS: Record<string, Api> = {
  gated: { hosts: ['api.example.com', '*.example.com'], paths: ['/v1', '/admin/users', '/pets/@me'] },
  open: { hosts: ['api.example.com', 'open.example.com'], paths: ['/public', '/pets'] },
  nested: { hosts: ['api.example.com'], paths: ['/public/private'] },
  address: { hosts: ['[2001:db8::1]', '127.0.0.1'], paths: ['/v1'] },
};
const REST: Api = { paths: ['/'] };

const DATA = { pathData: ['escaped-slashes', 'empty-segments'] };

/**
 * The policies under which spellings are tried: unmatched requests pass, or match an API for the rest, in whose paths slashes may be data
 * as in those of an open one.
 */
export const POLICIES: Record<string, Record<string, Api>> = {
  'unmatched: allow': APIS,
  'an API for the rest': { ...APIS, rest: REST },
  'data in paths': { ...APIS, open: { ...APIS['open']!, ...DATA }, rest: { ...REST, ...DATA } },
};

export function policyOf(apis: Record<string, Api>, digest: string): string {
  return JSON.stringify({
    policy: 'spellings',
    unmatched: 'allow',
    upstreams: { v1: { url: 'http://127.0.0.1:9001' } },
    apis: Object.fromEntries(
      Object.entries(apis).map(([name, api]) => [name, { ...api, upstream: 'v1', plans: ['gold'] }]),
    ),
    plans: { gold: {} },
    consumers: { acme: { plan: 'gold', keys: [{ id: 'acme-1', digest }] } },
  });
}

/** The API at a host and path by a plain linear search; null for none. */
export function apiAt(apis: Record<string, Api>, { host, path }: Reading, ignoresCase: boolean): string | null {
  const fold = (text: string): string => (ignoresCase ? text.toLowerCase() : text);
  let best: { name: string; rank: readonly [number, number, number] } | null = null;
  for (const [name, api] of Object.entries(apis)) {
    for (const pattern of api.hosts ?? ['']) {
      const rank = pattern === '' ? 0 : pattern.startsWith('*') ? 1 : 2;
      const covers =
        rank === 0 ||
        (rank === 1 ? host.length >= pattern.length && host.endsWith(pattern.slice(1)) : host === pattern);
      if (!covers) continue;
      for (const prefix of api.paths) {
        const segments = `${fold(prefix)}/`.replace('//', '/');
        if (!`${fold(path)}/`.startsWith(segments)) continue;
        const found = [rank, pattern.length, prefix.length] as const;
        if (best === null || outranks(found, best.rank)) best = { name, rank: found };
      }
    }
  }
  return best?.name ?? null;
}

function outranks(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((part, index) => part !== b[index]);
  return at >= 0 && a[at]! > b[at]!;
}
