import type { Pattern, Segment } from '../schema/operation.ts';
import { bare } from '../schema/value.ts';
import type { ApiDraft, OperationDraft, PolicyDraft, Report } from './draft.ts';

/** An operation whose key is understood. */
export interface Listed {
  readonly operation: OperationDraft;
  readonly pattern: Pattern;
}

/** A node of the tree that the module makes of templates. */
interface Node {
  readonly literals: Map<string, Node>;
  readonly variables: Map<string, Node>;
  /** The first operation whose template ends here. */
  operation: OperationDraft | null;
}

/** How many nodes a path may have to try in the worst case; the module counts the same (filter/operation). */
export function triedBy(patterns: readonly Pattern[]): number {
  const root = emptyNode();
  for (const pattern of patterns) open(root, pattern);
  return triedBelow(root);
}

function emptyNode(): Node {
  return { literals: new Map(), variables: new Map(), operation: null };
}

/** The node of a template, created if there is none. */
function open(root: Node, { segments }: Pattern): Node {
  let node = root;
  for (const segment of segments) {
    const children = segment.kind === 'literal' ? node.literals : node.variables;
    const key = keyOf(segment);
    let child = children.get(key);
    if (child === undefined) children.set(key, (child = emptyNode()));
    node = child;
  }
  return node;
}

function keyOf(segment: Segment): string {
  if (segment.kind === 'literal') return segment.text;
  return segment.kind === 'rest' ? REST : `${segment.prefix}{}${segment.suffix}`;
}

const REST = '...';
const ANY = '{}';

function triedBelow(node: Node): number {
  let tried = 0;
  for (const child of node.variables.values()) tried += 1 + triedBelow(child);
  const bySpelling = new Map<string, number>();
  for (const [text, child] of node.literals) {
    const spelling = text.toLowerCase();
    bySpelling.set(spelling, (bySpelling.get(spelling) ?? 0) + 1 + triedBelow(child));
  }
  return tried + [...bySpelling.values()].reduce((most, one) => Math.max(most, one), 0);
}

/**
 * Where APIs lie, by host and path in lower case: what lies under a longer path of another API is its own, and what only
 * case tells from that is refused.
 */
export class ApiMounts {
  readonly #apis = new Map<string, { readonly api: string; readonly path: string }[]>();

  constructor(root: PolicyDraft) {
    for (const api of root.get('apis').entries) {
      for (const host of hostsOf(api)) {
        for (const path of api.get('paths').strings) {
          const place = placeOf(host, bare(path));
          const others = this.#apis.get(place);
          const mount = { api: api.key, path: bare(path) };
          if (others === undefined) this.#apis.set(place, [mount]);
          else others.push(mount);
        }
      }
    }
  }

  /** Why an operation of the API never gets a request that lies under these literal segments of the API's paths; null: it may get some. */
  takerOf(api: ApiDraft, literals: readonly string[]): string | null {
    let taker: string | null = null;
    for (const host of hostsOf(api)) {
      for (const path of api.get('paths').strings) {
        const found = this.#below(api.key, host, bare(path), literals);
        if (found === null) return null;
        if (taker === null || found.api !== api.key) taker = ruleOf(found);
      }
    }
    return taker;
  }

  #below(own: string, host: string, path: string, literals: readonly string[]): Taker | null {
    let at = path;
    for (const literal of literals) {
      at += `/${literal}`;
      const mounts = this.#apis.get(placeOf(host, at)) ?? [];
      const exact = mounts.find((mount) => mount.path === at);
      const found = exact ?? mounts.find(({ api }) => api !== own);
      if (found !== undefined) return { api: found.api, isExact: exact !== undefined };
    }
    return null;
  }
}

interface Taker {
  readonly api: string;
  readonly isExact: boolean;
}

function ruleOf({ api, isExact }: Taker): string {
  return isExact
    ? `never matches; the API "${api}" takes all requests below its path`
    : `never matches; only case tells its path from one of the API "${api}", so its requests are refused as invalid_path`;
}

function hostsOf(api: ApiDraft): readonly string[] {
  return api.get('hosts').given ? api.get('hosts').strings : [''];
}

function placeOf(host: string, path: string): string {
  return `${host} ${path.toLowerCase()}`;
}

/** The literal segments with which a template begins. */
function literalsOf({ segments }: Pattern): string[] {
  const until = segments.findIndex(({ kind }) => kind !== 'literal');
  return (until < 0 ? segments : segments.slice(0, until)).map((segment) => (segment as { text: string }).text);
}

/** Operations whose requests all go elsewhere, or are refused because they could be read as another's. */
export function warnOfUnreachable(api: ApiDraft, listed: readonly Listed[], mounts: ApiMounts, report: Report): void {
  const root = emptyNode();
  for (const { operation, pattern } of listed) open(root, pattern).operation ??= operation;
  for (const { operation, pattern } of listed) {
    const rule = mounts.takerOf(api, literalsOf(pattern)) ?? hiderOf(root, pattern.segments);
    if (rule !== null) report.add(operation, rule, null);
  }
}

/**
 * Within an API the more literal template goes first, and no number of literals takes all that a variable does. So two
 * things hide a template: variables that take the rest of a path one by one, and, of two variables whose text differs in
 * case only, the one that a server that ignores case finds first.
 */
function hiderOf(root: Node, segments: readonly Segment[]): string | null {
  let node = root;
  for (const [index, segment] of segments.entries()) {
    const key = keyOf(segment);
    if (segment.kind === 'rest') {
      const next = node.variables.get(ANY);
      if (next?.operation && takesRest(next) !== null)
        return `never matches; "${next.operation.key}" and those below it take all its requests`;
    }
    if (segment.kind === 'variable') {
      for (const [other, child] of node.variables) {
        if (other >= key || other.toLowerCase() !== key.toLowerCase()) continue;
        const taker = takerBelow(child, segments, index + 1);
        if (taker !== null)
          return `never matches; only case tells its requests from those of "${taker.key}", so they are refused as invalid_path`;
      }
    }
    node = (segment.kind === 'literal' ? node.literals : node.variables).get(key)!;
  }
  return null;
}

/** The operation that takes whatever these segments from `index` on stand for, in a server that ignores case. */
function takerBelow(node: Node, segments: readonly Segment[], index: number): OperationDraft | null {
  const segment = segments[index];
  if (segment === undefined) return node.operation;
  if (segment.kind === 'rest') return takesRest(node);
  if (segment.kind === 'literal') {
    for (const [text, child] of node.literals) {
      const taker = text.toLowerCase() === segment.text.toLowerCase() ? takerBelow(child, segments, index + 1) : null;
      if (taker !== null) return taker;
    }
  }
  for (const [key, child] of node.variables) {
    if (key === REST) return child.operation;
    const taker = fits(key, segment) ? takerBelow(child, segments, index + 1) : null;
    if (taker !== null) return taker;
  }
  return null;
}

/** One of the operations that together take every path that goes on below a node; null: there are others. */
function takesRest(node: Node): OperationDraft | null {
  const rest = node.variables.get(REST);
  if (rest !== undefined) return rest.operation;
  const next = node.variables.get(ANY);
  return next?.operation ? takesRest(next) : null;
}

/** True when a variable, `prefix{}suffix`, takes all that a segment may be, in whatever case. */
function fits(key: string, segment: Exclude<Segment, { kind: 'rest' }>): boolean {
  const [prefix, suffix] = key.toLowerCase().split('{}') as [string, string];
  const [before, after] = segment.kind === 'literal' ? [segment.text, segment.text] : [segment.prefix, segment.suffix];
  return (
    before.toLowerCase().startsWith(prefix) &&
    after.toLowerCase().endsWith(suffix) &&
    (segment.kind === 'variable' || segment.text.length > prefix.length + suffix.length)
  );
}
