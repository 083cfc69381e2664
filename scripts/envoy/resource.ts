import { isIP } from 'node:net';
import { isServerName, type LocalUpstream, type Snapshot, type UpstreamTls } from './snapshot.ts';

/** Clusters for everything that a snapshot routes to. */
export function clustersOf({
  upstreams,
  rateLimitServices,
  keySets = [],
}: Pick<Snapshot, 'upstreams' | 'rateLimitServices' | 'keySets'>): object[] {
  return [...[...upstreams, ...keySets].map(clusterOf), ...rateLimitServices.map(rateLimitServiceClusterOf)];
}

/** Nobody waits long for a lease: a connection that takes more than this comes too late for all. */
const RATE_LIMIT_SERVICE_CONNECT_TIMEOUT = '0.25s';

/** Envoy's Cluster of a rate limit service, which speaks gRPC and so HTTP/2 without being asked. */
function rateLimitServiceClusterOf(rateLimitService: LocalUpstream): object {
  return {
    ...clusterOf(rateLimitService),
    connect_timeout: RATE_LIMIT_SERVICE_CONNECT_TIMEOUT,
    ...speaking({ explicit_http_config: { http2_protocol_options: {} } }),
  };
}

/** Above the time that a handshake with a server on another continent takes. */
const TLS_CONNECT_TIMEOUT = '5s';

/** What an upstream speaks. With TLS the handshake settles which HTTP it is, so that gRPC works where the server offers HTTP/2. */
function protocolOf({ protocol, tls }: LocalUpstream): object {
  if (protocol === undefined) return {};
  if (tls === undefined) return speaking({ explicit_http_config: { http2_protocol_options: {} } });
  return {
    connect_timeout: TLS_CONNECT_TIMEOUT,
    ...speaking({ auto_config: { http_protocol_options: {}, http2_protocol_options: {} } }),
    transport_socket: { name: 'envoy.transport_sockets.tls', typed_config: tlsContextOf(tls) },
  };
}

function speaking(options: object): object {
  const type = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return { typed_extension_protocol_options: { [type]: { '@type': `type.googleapis.com/${type}`, ...options } } };
}

/** The authorities stand in it, so that an Envoy in a container, or somewhere else, needs no file for them. */
function tlsContextOf({ serverName, authorities }: UpstreamTls): object {
  const validation = authorities !== null && {
    validation_context: {
      trusted_ca: { inline_string: authorities },
      match_typed_subject_alt_names: [
        { san_type: isServerName(serverName) ? 'DNS' : 'IP_ADDRESS', matcher: { exact: serverName } },
      ],
    },
  };
  return {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    ...(isServerName(serverName) && { sni: serverName }),
    // as a client, Envoy stops at TLS 1.2 by default
    common_tls_context: { tls_params: { tls_maximum_protocol_version: 'TLSv1_3' }, ...validation },
  };
}

/**
 * Envoy's Cluster of an upstream. Of a host name all addresses are tried in turn (`localhost` may
 * mean ::1 or 127.0.0.1, and a server often listens on one of them only), and it is resolved again as its DNS answer expires.
 */
export function clusterOf(upstream: LocalUpstream): object {
  return {
    '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
    name: upstream.name,
    ...(isIP(upstream.host) ? { type: 'STATIC' } : { type: 'LOGICAL_DNS', dns_lookup_family: 'ALL' }),
    connect_timeout: '1s',
    ...protocolOf(upstream),
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
 * never on the path. A request without the header matched no API, and then goes to the first upstream: it reaches Envoy's router only where
 * the policy says `unmatched: allow` or `mode: observe`. Or no request tells its route, because all lead to one upstream.
 */
export function routeTableOf(snapshot: Snapshot): object {
  const routes: object[] = snapshot.routes.map((route) => ({
    match: { prefix: '', headers: [{ name: ROUTE_HEADER, string_match: { exact: route.name } }] },
    route: to(route.upstream, snapshot),
  }));
  if (snapshot.ungated !== null)
    routes.push({
      match: { prefix: '', headers: [{ name: ROUTE_HEADER, present_match: false }] },
      route: to(snapshot.ungated, snapshot),
    });
  routes.push({ match: { prefix: '' }, route: { cluster: NOWHERE, cluster_not_found_response_code: 'NOT_FOUND' } });
  return {
    '@type': 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
    name: ROUTE_TABLE,
    validate_clusters: false,
    ...(snapshot.removedHeaders && { request_headers_to_remove: snapshot.removedHeaders }),
    virtual_hosts: [{ name: 'all', domains: ['*'], routes }],
  };
}

/** No time limit for a whole exchange: it would cut streams and upgraded connections; idle ones still end after Envoy's five minutes. */
function to(upstream: string, { upstreams }: Snapshot): object {
  const seenHost = upstreams.find(({ name }) => name === upstream)?.seenHost;
  return { cluster: upstream, timeout: '0s', ...(seenHost !== undefined && { host_rewrite_literal: seenHost }) };
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
