/*
 * Which API takes a request, as plainly as it can be said: one pass over all pairs of host and path, most specific first.
 * The module's trie is held against it.
 */
export interface Mount {
  /** A name, `*.` and a domain, or null for any host. */
  readonly host: string | null;
  readonly path: string;
  readonly api: string;
}

export interface Match {
  readonly api: string | null;
  /** A more generous reader of the path would find another API, or one where there is none. */
  readonly doubtful: boolean;
  /** Bytes of the path that the prefix covers. */
  readonly covered: number;
}

type Cover = 'exact' | 'loose' | null;

/** `mounts` in the order of the plugin config, `path` in the judged form. */
export function linearMatch(mounts: readonly Mount[], host: string, path: string): Match {
  let loose: { api: string | null; covered: number } | null = null;
  for (const mount of sorted(mounts)) {
    if (!coversHost(mount.host, host)) continue;
    const { cover, covered } = coverOf(path, mount.path);
    if (cover === null) continue;
    if (cover === 'exact') {
      const harmless = loose === null || loose.api === mount.api || loose.covered <= covered;
      return { api: mount.api, doubtful: !harmless, covered };
    }
    loose =
      loose === null
        ? { api: mount.api, covered }
        : { api: loose.api === mount.api ? mount.api : null, covered: Math.max(loose.covered, covered) };
  }
  return { api: null, doubtful: loose !== null, covered: 0 };
}

/** Exact hosts, wildcards from the longest, any host; below one host the longest path first, then the order of the config. */
function sorted(mounts: readonly Mount[]): Mount[] {
  const kind = ({ host }: Mount): number => (host === null ? 0 : host.startsWith('*.') ? 1 : 2);
  return [...mounts].sort(
    (a, b) => kind(b) - kind(a) || (b.host ?? '').length - (a.host ?? '').length || b.path.length - a.path.length,
  );
}

function coversHost(named: string | null, host: string): boolean {
  if (named === null) return true;
  if (!named.startsWith('*.')) return named === host;
  return host.length > named.length - 1 && host.endsWith(named.slice(1));
}

/** Loosely: letters in the other case, parameters behind segments, an escaped `?` or `#` for the path's end. */
function coverOf(path: string, prefix: string): { cover: Cover; covered: number } {
  const bare = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
  if (path.startsWith(bare) && (path.length === bare.length || path[bare.length] === '/'))
    return { cover: 'exact', covered: bare.length };
  const segments = bare.split('/').slice(1);
  const pattern = segments.map((segment) => `/${segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`).join('(?:;[^/]*)?');
  const found = new RegExp(`^${pattern}(?:(?:;[^/]*)?(?=/|$)|(%3F|%23))`, 'i').exec(path);
  if (found === null || found[1]?.includes('f') === true) return { cover: null, covered: 0 };
  return { cover: 'loose', covered: found[1] === undefined ? found[0].length : path.length };
}
