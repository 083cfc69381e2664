import { host as hostSchema, pathPrefix } from '../policy/schema/value.ts';
import type { Spot } from './documents.ts';
import { quoted } from './loss.ts';
import { below, isPlainFields, items, lose, member, type Reading, stringAt } from './spot.ts';

/** Where an API lies: on each of these hosts, under each of these paths. */
export interface Mounts {
  /** Null: any host. */
  readonly hosts: readonly string[] | null;
  readonly paths: readonly string[];
}

interface Mount {
  readonly host: string | null;
  readonly path: string;
}

const MAX_MOUNTS = 256;
/** Stands for any value of a variable. */
const ANY = '\u0001';
const hosts = hostSchema('');
const paths = pathPrefix('');

/** Mounts of OpenAPI 3: from `servers`, of which a document may have none. */
export function mountsOfServers(reading: Reading, root: Spot): Mounts {
  const spot = below(root, 'servers');
  const servers = items(reading, spot);
  const found: Mount[] = [];
  for (const server of servers) {
    for (const url of urlsOf(reading, server)) {
      const mount = mountOf(reading, below(server, 'url'), url);
      if (mount !== null && !found.some((other) => isSame(other, mount))) found.push(mount);
    }
    if (found.length <= MAX_MOUNTS) continue;
    found.length = MAX_MOUNTS;
    lose(reading, spot, `has more than ${MAX_MOUNTS} addresses; those after the first ${MAX_MOUNTS} are left out`);
    break;
  }
  if (found.length === 0 && servers.length > 0)
    lose(reading, spot, 'has no address that a policy could say; the API lies under "/" of any host');
  return grouped(reading, spot, found);
}

/** Mounts of Swagger 2.0: `host` and `basePath`. */
export function mountsOfHost(reading: Reading, root: Spot): Mounts {
  const [host, basePath] = [below(root, 'host'), below(root, 'basePath')];
  const name = stringAt(reading, host);
  const path = stringAt(reading, basePath) ?? '/';
  const hostPart = name === undefined ? null : hostOf(reading, host, name.replace(/:\d*$/, ''));
  const pathPart = pathOf(reading, basePath, path.startsWith('/') ? path : `/${path}`);
  return { hosts: hostPart === null ? null : [hostPart], paths: [pathPart ?? '/'] };
}

function isSame(a: Mount, b: Mount): boolean {
  return a.host === b.host && a.path === b.path;
}

/** The addresses that a server's URL stands for: one for each combination of its variables' values. */
function urlsOf(reading: Reading, server: Spot): string[] {
  if (!isPlainFields(server.value)) {
    lose(reading, server, `must be a mapping; found ${quoted(server.value)}`);
    return [];
  }
  const url = stringAt(reading, below(server, 'url'));
  if (url === undefined) return [];
  let urls = [''];
  for (const [, literal, name] of url.matchAll(/([^{}]+|[{}](?![^{}]*\}))|\{([^{}]*)\}/g)) {
    const values = literal === undefined ? valuesOf(reading, server, name!, url) : [literal];
    if (values === null) return [];
    urls = urls.flatMap((start) => values.map((value) => start + value)).slice(0, MAX_MOUNTS + 1);
  }
  return urls;
}

/** What a variable may be; null where the document does not say. */
function valuesOf(reading: Reading, server: Spot, name: string, url: string): string[] | null {
  const variable = below(below(server, 'variables'), name);
  const listed = member(variable.value, 'enum');
  const usual = member(variable.value, 'default');
  const values = Array.isArray(listed) ? listed.filter((value) => isValue(value)).map(String) : [];
  if (values.length > 0) return values.slice(0, MAX_MOUNTS + 1);
  if (isPort(url, name) || isLeadingLabel(url, name)) return [ANY];
  if (isValue(usual)) {
    lose(reading, variable, `may have any value; only its default ${quoted(usual)} is imported`);
    return [String(usual)];
  }
  lose(reading, variable, 'has no values; the server is left out');
  return null;
}

function isValue(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function isPort(url: string, name: string): boolean {
  return url.includes(`:{${name}}`);
}

/** `https://{tenant}.example.com` is `*.example.com`, and `https://{host}` any host. */
function isLeadingLabel(url: string, name: string): boolean {
  const rest = /^[^/]*:\/\/(.*)$/s.exec(url)?.[1];
  return rest !== undefined && rest.startsWith(`{${name}}`) && /^(?:[.:/]|$)/.test(rest.slice(name.length + 2));
}

function mountOf(reading: Reading, spot: Spot, url: string): Mount | null {
  const [, authority, path] = /^(?:[^:/?#]+:)?(?:\/\/([^/?#]*))?([^?#]*)/s.exec(url)!;
  if (/[?#]/.test(url)) lose(reading, spot, 'holds a query or a fragment, which is left out');
  if (authority === undefined && !path!.startsWith('/')) {
    lose(reading, spot, `is relative to where the document lies, which a policy does not know; found ${quoted(url)}`);
    return null;
  }
  const prefix = pathOf(reading, spot, path === '' ? '/' : path!);
  if (prefix === null) return null;
  if (authority === undefined) return { host: null, path: prefix };
  const name = authority.replace(/^.*@/s, '').replace(/:[^:\]]*$/, '');
  if (name === ANY) return { host: null, path: prefix };
  const host = hostOf(reading, spot, name);
  return host === null ? null : { host, path: prefix };
}

function hostOf(reading: Reading, spot: Spot, text: string): string | null {
  const host = text.replace(ANY, '*').replace(/\.$/, '').toLowerCase();
  const ascii =
    !/^[\0-\x7f]*$/.test(host) && URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : host;
  if (hosts.safeParse(ascii).success) return ascii;
  lose(reading, spot, `is no host that a policy could name; found ${quoted(host)}`);
  return null;
}

function pathOf(reading: Reading, spot: Spot, text: string): string | null {
  const path = text.replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1');
  if (!path.includes(ANY) && paths.safeParse(path).success) return path;
  lose(reading, spot, `is under no path that a policy could name; found ${quoted(path.replaceAll(ANY, '{}'))}`);
  return null;
}

/** Hosts and paths; where not each host has each path, what the policy covers beyond the document is reported. */
function grouped(reading: Reading, spot: Spot, found: readonly Mount[]): Mounts {
  if (found.length === 0) return { hosts: null, paths: ['/'] };
  const names = [...new Set(found.map(({ host }) => host))];
  const prefixes = [...new Set(found.map(({ path }) => path))];
  const isAny = names.includes(null);
  const isWhole = prefixes.every(
    (path) =>
      found.some((mount) => mount.path === path && mount.host === null) ||
      (!isAny && names.every((host) => found.some((mount) => isSame(mount, { host, path })))),
  );
  if (!isWhole)
    lose(reading, spot, 'has not each path on each host; in the policy each host of the API has each of its paths');
  return { hosts: isAny ? null : (names as string[]), paths: prefixes };
}
