import { isIP } from 'node:net';
import type { Snapshot, Upstream } from './snapshot.ts';

/** Everything that a snapshot leads to. */
export function clustersOf({
  upstreams,
  rateLimitServices,
}: Pick<Snapshot, 'upstreams' | 'rateLimitServices'>): object[] {
  return [...upstreams.map(clusterOf), ...rateLimitServices.map(rateLimitServiceClusterOf)];
}

/** Nobody waits long for a lease: a connection that takes more than this comes too late for all. */
const RATE_LIMIT_SERVICE_CONNECT_TIMEOUT = '0.25s';

/** Envoy's Cluster of a rate limit service, which speaks gRPC and so HTTP/2 without being asked. */
function rateLimitServiceClusterOf(rateLimitService: Upstream): object {
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
export function clusterOf(upstream: Upstream): object {
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
