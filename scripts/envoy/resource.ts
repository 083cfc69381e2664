import { isIP } from 'node:net';
import type { Snapshot, LocalUpstream } from './snapshot.ts';

/** Clusters for everything that a snapshot routes to. */
export function clustersOf({
  upstreams,
  rateLimitServices,
}: Pick<Snapshot, 'upstreams' | 'rateLimitServices'>): object[] {
  return [...upstreams.map(clusterOf), ...rateLimitServices.map(rateLimitServiceClusterOf)];
}

/** Nobody waits long for a lease: a connection that takes more than this comes too late for all. */
const RATE_LIMIT_SERVICE_CONNECT_TIMEOUT = '0.25s';

/** Envoy's Cluster of a rate limit service, which speaks gRPC and so HTTP/2 without being asked. */
function rateLimitServiceClusterOf(rateLimitService: LocalUpstream): object {
  return {
    ...clusterOf(rateLimitService),
    connect_timeout: RATE_LIMIT_SERVICE_CONNECT_TIMEOUT,
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
}

/**
 * Envoy's Cluster of an upstream. Upstreams speak HTTP/1.1. Of a host name all addresses are tried in turn (`localhost` may
 * mean ::1 or 127.0.0.1, and a server often listens on one of them only), and it is resolved again as its DNS answer expires.
 */
export function clusterOf(upstream: LocalUpstream): object {
  return {
    '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
    name: upstream.name,
    ...(isIP(upstream.host) ? { type: 'STATIC' } : { type: 'LOGICAL_DNS', dns_lookup_family: 'ALL' }),
    connect_timeout: '1s',
    load_assignment: {
      cluster_name: upstream.name,
      endpoints: [
        {
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: upstream.host, port_value: upstream.port } } } },
          ],
        },
      ],
    },
  };
}

export const ROUTE_TABLE = 'tollgate';
const ROUTE_HEADER = 'x-tollgate-route';

/**
 * A cluster that does not exist, and whose name no upstream can have: Envoy answers 404. Filters before Tollgate see this
 * route, because no header names another yet, and Envoy's cors filter takes no policy from a `direct_response`.
 */
const NOWHERE = 'no route of the policy leads here';

/** What that answer says; Envoy's response flag NC means that the cluster does not exist. */
export const NOWHERE_REPLY = {
  mappers: [{ filter: { response_flag_filter: { flags: ['NC'] } }, body: { inline_string: `${NOWHERE}\n` } }],
};

/**
 * Envoy's RouteConfiguration: the filter has decided and says so in x-tollgate-route, so Envoy matches on that header and
 * never on the path. A request without the header matched no API: it reaches Envoy's router only where the policy says
 * `unmatched: allow` or `mode: observe`, and then goes to the first upstream.
 */
export function routeTableOf(snapshot: Snapshot): object {
  const routes: object[] = snapshot.routes.map((route) => ({
    match: { prefix: '', headers: [{ name: ROUTE_HEADER, string_match: { exact: route.name } }] },
    route: to(route.upstream),
  }));
  if (snapshot.ungated !== null)
    routes.push({
      match: { prefix: '', headers: [{ name: ROUTE_HEADER, present_match: false }] },
      route: to(snapshot.ungated),
    });
  routes.push({ match: { prefix: '' }, route: { cluster: NOWHERE, cluster_not_found_response_code: 'NOT_FOUND' } });
  return {
    '@type': 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
    name: ROUTE_TABLE,
    validate_clusters: false,
    virtual_hosts: [{ name: 'all', domains: ['*'], routes }],
  };
}

/** No time limit for a whole exchange: it would cut streams and upgraded connections; idle ones still end after Envoy's five minutes. */
function to(upstream: string): object {
  return { cluster: upstream, timeout: '0s' };
}

/** Name of the plugin: in Envoy's log, its statistics and the extension's discovery. */
export const PLUGIN = 'tollgate';
export const WASM_FILTER = 'type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm';

/**
 * The wasm filter as a discovered extension. A new plugin config then reaches the VMs that are there (counters, leases and
 * connections stay), where a changed listener would drain.
 */
export function extensionOf(pluginConfig: string, module: string, vmId?: string): object {
  return {
    '@type': 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig',
    name: PLUGIN,
    typed_config: {
      '@type': WASM_FILTER,
      config: {
        name: PLUGIN,
        root_id: PLUGIN,
        // a request that cannot be decided is refused, never let through; a VM that died is replaced a second later
        failure_policy: 'FAIL_RELOAD',
        vm_config: {
          ...(vmId === undefined ? {} : { vm_id: vmId }),
          runtime: 'envoy.wasm.runtime.v8',
          code: { local: { filename: module } },
        },
        // a Struct would arrive as protobuf bytes, not as JSON
        configuration: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: pluginConfig },
      },
    },
  };
}
