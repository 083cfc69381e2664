import { isIP } from 'node:net';
import type { Upstream } from './snapshot.ts';

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
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: upstream.host, port_value: upstream.port } } } }] }],
    },
  };
}
