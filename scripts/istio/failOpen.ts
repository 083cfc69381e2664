import { OWN_PREFIX } from '../contract/table.ts';
import { destinationsOf, identityHeadersOf, type Api, type Policy, type Upstream } from '../policy/index.ts';
import type { MeshPlace } from './place.ts';
import { metadata, type Resource } from './resource.ts';

/**
 * With FAIL_OPEN, requests that no module has checked reach the routing table: nobody has set x-tollgate-route, and
 * nobody has removed what a client sent. Here are the rules by which they find their API all the same, and the guard that
 * removes our headers from every request before the module sees it.
 */
export interface OpenRule {
  readonly api: string;
  /** Null: any. */
  readonly host: string | null;
  readonly path: string;
  readonly upstream: Upstream;
}

/** Where a request without a route goes, in the order in which APIs win over one another (docs/policy.md). */
export function openRulesOf({ apis, upstreams }: Policy): OpenRule[] {
  const rules = Object.entries(apis).flatMap(([api, entry]) =>
    hostsOf(entry).flatMap((host) =>
      // an API that answers itself may have no upstream
      entry.upstream === undefined
        ? []
        : entry.paths.map((path) => ({ api, host, path, upstream: upstreams[entry.upstream!]! })),
    ),
  );
  return rules
    .filter(({ upstream }) => destinationsOf(upstream).length > 0)
    .sort((a, b) => hostRank(b.host) - hostRank(a.host) || b.path.length - a.path.length);
}

function hostsOf({ hosts }: Api): (string | null)[] {
  return hosts === undefined ? [null] : [...hosts];
}

/** An exact host wins over a wildcard, a longer wildcard over a shorter one; any host comes last. */
function hostRank(host: string | null): number {
  return host === null ? -1 : host.startsWith('*') ? host.length : 1_000;
}

/** What a VirtualService matches: whole segments of the path, and the host with any port. */
export function openMatches({ host, path }: OpenRule): object[] {
  const authority =
    host === null
      ? {}
      : {
          authority: { regex: `(?i)${host.startsWith('*') ? '.+' : ''}${escaped(host.replace(/^\*/, ''))}(:[0-9]+)?` },
        };
  const base = path === '/' ? [] : [{ uri: { exact: path }, ...authority }];
  return [...base, { uri: { prefix: path === '/' ? '/' : `${path}/` }, ...authority }];
}

function escaped(text: string): string {
  return text.replace(/[.\\+*?^$|()[\]{}]/g, '\\$&');
}

const HTTP = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const MUTATION = 'type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation';

/** Headers by which the policy tells upstreams who calls, and which are not of ours. */
export function foreignHeadersOf(policy: Policy): string[] {
  const names = Object.values(identityHeadersOf(policy)).filter((name) => name !== undefined);
  return [...new Set(names)].filter((name) => !name.startsWith(OWN_PREFIX)).sort();
}

/**
 * Removes our headers from what comes into a gateway, whether or not there is a module. Early: Envoy chooses the route
 * before its filters run, and only a running module makes it choose again.
 */
export function guardOf(policy: string, place: MeshPlace, names: readonly string[]): Resource {
  const { selector, targetRefs } = place;
  // to servers that read - and _ alike they are the same header
  const patterns = ['x[-_]tollgate[-_].*', ...names.map((name) => escaped(name).replace(/[-_]/g, '[-_]'))];
  const mutations = patterns.map((regex) => ({ remove_on_match: { key_matcher: { safe_regex: { regex } } } }));
  return {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: metadata(policy, place.suffix, place.namespace),
    spec: {
      ...(selector && { workloadSelector: { labels: selector.matchLabels } }),
      ...(targetRefs && { targetRefs }),
      configPatches: [
        {
          applyTo: 'NETWORK_FILTER',
          match: {
            context: 'GATEWAY',
            listener: { filterChain: { filter: { name: 'envoy.filters.network.http_connection_manager' } } },
          },
          patch: {
            operation: 'MERGE',
            value: {
              typed_config: {
                '@type': HTTP,
                early_header_mutation_extensions: [
                  { name: `tollgate-${policy}`, typed_config: { '@type': MUTATION, mutations } },
                ],
              },
            },
          },
        },
      ],
    },
  };
}

/** Whether a place is the edge, where our headers can only be forged: elsewhere a gateway may have written them. */
export function isEdge({ target }: MeshPlace): boolean {
  return target.gateway !== undefined || target.gatewayApi?.kind === 'Gateway';
}
