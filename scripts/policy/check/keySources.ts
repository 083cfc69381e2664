import { spelling } from '../schema/header.ts';
import { headerOfSource, type WrittenSource } from '../schema/keySource.ts';
import { MAX_REMOVED_HEADERS } from '../schema/mesh.ts';
import { printPath } from '../secret.ts';
import type { ApiDraft, Draft, Place, PolicyDraft, Report, WrittenPolicy } from './draft.ts';

type SourceDraft = Draft<NonNullable<WrittenPolicy['keySources']>[number]>;

/** In place of a header: a key in the query needs none. */
const IN_QUERY = '';
const KINDS = ['header', 'authorization', 'basic', 'query', 'cookie'] as const;

/** Places that are given twice, or of which one lies in another. */
export function checkKeySources(root: PolicyDraft, report: Report): void {
  checkList(root.get('keySources').items, report);
  for (const api of root.get('apis').entries) checkList(api.get('keySources').items, report);
}

/** Where routes take keys off, there must be routes, and whole headers to take. */
export function checkKeyRemoval(root: PolicyDraft, report: Report): void {
  const removal = root.get('keyRemoval');
  if (removal.string !== 'routes') return;
  const why = whyNotByRoutes(root);
  if (why !== null) report.add(removal, `must be "module", because ${why}`);
}

function whyNotByRoutes(root: PolicyDraft): string | null {
  const apis = root.get('apis').entries;
  const own = apis.find((api) => api.get('keySources').given || api.get('forwardKey').given);
  if (own !== undefined)
    return `routes remove the same headers for all APIs, and ${printPath(own.path)} says of its keys`;
  if (root.get('forwardKey').isTrue) return '"forwardKey: true" says that upstreams see the key';
  const sources = root.get('keySources').items;
  const shared = sources.find(
    (source) => KINDS.some((kind) => kind !== 'header' && source.get(kind).given) || source.get('prefix').given,
  );
  if (shared !== undefined)
    return `routes remove whole headers, and a key in ${printPath(shared.path)} has a part of one`;
  const headers = root.get('keySources').given
    ? sources.map((source) => source.get('header').string ?? '')
    : ['x-api-key'];
  // a name may be long, and its spellings are counted before they are made
  const spellings = headers.reduce((sum, header) => sum + 2 ** (spelling(header).split('-').length - 1), 0);
  const odd = headers.find((header) => !/^[a-z0-9_-]+$/.test(header));
  if (odd !== undefined)
    return `Istio's routes remove no header with other characters than letters, digits, "-" and "_"`;
  if (spellings > MAX_REMOVED_HEADERS)
    return `a route removes at most ${MAX_REMOVED_HEADERS} headers, and the names of key headers can be spelled in ${spellings} ways`;
  return whyNoTable(root);
}

/** Why requests may be routed by no table of the policy. */
function whyNoTable(root: PolicyDraft): string | null {
  const upstreams = root.get('upstreams').entries;
  if (upstreams.length === 0) return 'the policy has no upstreams, so no routes';
  const targets = root.get('targets').items;
  const bare = targets.find(
    (target) =>
      target.get('namespace').given ||
      (target.get('workload').given && (target.get('workload').get('mode').string ?? 'SERVER') === 'SERVER'),
  );
  if (bare !== undefined) return `the sidecars of ${printPath(bare.path)} have no routing table of the policy`;
  const isInMesh = upstreams.some((upstream) => upstream.get('service').given || upstream.get('services').given);
  if (targets.length > 0 && !isInMesh)
    return 'no upstream names a service of the mesh, so "tollgate emit" makes no routing table';
  return null;
}

/** For each API the headers that hold its keys, in the spelling that they are compared in. */
export function keyHeadersIn(root: PolicyDraft): (api: ApiDraft) => ReadonlySet<string> {
  const usual = root.get('keySources').given ? headersOf(root.get('keySources').items) : new Set(['x-api-key']);
  return (api) => (api.get('keySources').given ? headersOf(api.get('keySources').items) : usual);
}

/** The headers that hold keys of some API, or of requests that none covers. */
export function keyHeadersAnywhere(root: PolicyDraft): ReadonlySet<string> {
  const usual = root.get('keySources').given ? [...headersOf(root.get('keySources').items)] : ['x-api-key'];
  return new Set([...usual, ...root.get('apis').entries.flatMap((api) => [...headersOf(api.get('keySources').items)])]);
}

function headersOf(sources: readonly SourceDraft[]): ReadonlySet<string> {
  const values = sources.map(({ isMapping, value }) => (isMapping ? (value as WrittenSource) : {}));
  return new Set(values.map((source) => spelling(String(headerOfSource(source) ?? IN_QUERY))));
}

/** The query parameters among some key sources. */
export function parametersOf(sources: { readonly items: readonly SourceDraft[] }): ReadonlySet<string | undefined> {
  return new Set(sources.items.map((source) => source.get('query').string));
}

/** Pages that cannot send a key. */
export function warnOfCors(root: PolicyDraft, report: Report): void {
  const keyHeadersOf = keyHeadersIn(root);
  for (const api of root.get('apis').entries) {
    const headers = api.get('cors').get('headers');
    const keyHeaders = keyHeadersOf(api);
    const isOpen = api.get('anonymous').string === 'allow' || api.get('anonymous').isMapping;
    if (!headers.given || isOpen || keyHeaders.has(IN_QUERY)) continue;
    const sent = new Set([
      ...headers.strings.map(spelling),
      ...(api.get('cors').get('credentials').isTrue ? ['cookie'] : []),
    ]);
    if (api.get('credentials').strings.includes('token') && sent.has('authorization')) continue;
    if (![...keyHeaders].some((header) => sent.has(header)))
      report.add(
        headers,
        `names no header that holds keys (${[...keyHeaders].join(', ')}), so pages cannot send one`,
        null,
      );
  }
}

/** A place in a request, as the module compares it. */
interface Looked {
  readonly at: Place;
  readonly kind: string;
  readonly name: string;
  /** null: the whole value is the key. */
  readonly prefix: string | null;
}

function checkList(sources: readonly SourceDraft[], report: Report): void {
  const seen: Looked[] = [];
  for (const source of sources.slice(0, MAX_LOOKED)) {
    const looked = lookedOf(source);
    if (looked === null) continue;
    const twin = seen.find((other) => isSame(other, looked));
    const within = seen.find((other) => overlap(other, looked));
    if (twin !== undefined) report.twice(looked.at, 'must be given once', twin.at);
    else if (within !== undefined)
      report.twice(
        looked.at,
        'must be told from the other prefixes of the header; one value must not hold two keys',
        within.at,
      );
    seen.push(looked);
  }
}

/** More are an error of their own. */
const MAX_LOOKED = 64;

function lookedOf(source: SourceDraft): Looked | null {
  const given = KINDS.filter((kind) => source.get(kind).given);
  const [kind] = given;
  if (kind === undefined || given.length > 1) return null;
  const at = source.get(kind);
  if (at.string === undefined) return null;
  const prefix = source.get('prefix');
  if (prefix.given && (kind !== 'header' || prefix.string === undefined)) return null;
  // names of schemes have no case
  const name = kind === 'authorization' ? at.string.toLowerCase() : at.string;
  return { at: prefix.given ? prefix : at, kind, name, prefix: prefix.string?.toLowerCase() ?? null };
}

function isSame(a: Looked, b: Looked): boolean {
  return a.kind === b.kind && a.name === b.name && a.prefix === b.prefix;
}

function overlap(a: Looked, b: Looked): boolean {
  if (a.kind !== 'header' || b.kind !== 'header' || spelling(a.name) !== spelling(b.name)) return false;
  if (a.prefix === null || b.prefix === null) return a.prefix !== b.prefix;
  return a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix);
}
