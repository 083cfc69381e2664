import { overloadManager, socketAddress } from '../scripts/envoy/bootstrap.ts';
import { WASM_FILTER } from '../scripts/envoy/resource.ts';
import { PASSED, ROUTE, ROUTE_HEADER, ROUTED } from './identity.ts';
import type { Service, Variant } from './variant.ts';

const HTTP2 = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const HTTP_MANAGER =
  'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

/** A variant with what must be decided before Envoy starts. */
export interface Placed {
  readonly variant: Variant;
  readonly port: number;
  /** Path of its wasm file. */
  readonly module: string | null;
}

/** A cluster that routes name and no request reaches. */
const NOWHERE = 'nowhere';
const leadsNowhere = { route: { cluster: NOWHERE } };
const FAULT = 'envoy.filters.http.fault';

/**
 * One Envoy with a listener for each variant. Envoy answers itself, because an upstream would add its own noise to every figure; all
 * filters still run, on the response too. The answer comes from the fault filter, last before the router, and not from a
 * direct_response, because the rate limit filter does nothing on a route without a cluster.
 */
export function envoyConfig(placed: readonly Placed[], services: ReadonlyMap<Service, number>): object {
  return {
    node: { id: 'bench', cluster: 'bench' },
    admin: { address: socketAddress('127.0.0.1', 0) },
    static_resources: {
      listeners: placed.map(listener),
      clusters: [...services, [NOWHERE, 1] as const].map(([name, port]) => cluster(name, port)),
    },
    overload_manager: overloadManager(),
  };
}

function listener(placed: Placed): object {
  return {
    name: placed.variant.name,
    address: socketAddress('127.0.0.1', placed.port),
    filter_chains: [{ filters: [{ name: 'http', typed_config: httpManager(placed) }] }],
  };
}

function httpManager({ variant, module }: Placed): object {
  return {
    '@type': HTTP_MANAGER,
    stat_prefix: variant.name,
    codec_type: 'HTTP1',
    ...(variant.accessLog === undefined ? {} : { access_log: [nowhereLog(variant.accessLog)] }),
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          ...(variant.rateLimits === undefined ? {} : { rate_limits: variant.rateLimits }),
          // every variant has the same routes, whether or not it uses the second
          routes: [
            {
              match: { prefix: '/', headers: [{ name: ROUTE_HEADER, string_match: { exact: ROUTE } }] },
              ...leadsNowhere,
              typed_per_filter_config: { [FAULT]: answer(ROUTED) },
            },
            { match: { prefix: '/' }, ...leadsNowhere },
          ],
        },
      ],
    },
    http_filters: [
      ...(variant.filters?.() ?? []),
      ...(module === null ? [] : [wasmFilter(variant, module)]),
      ...(variant.routing?.() ?? []),
      { name: FAULT, typed_config: answer(PASSED) },
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
  };
}

/** Formats as any log does, and keeps nothing. */
function nowhereLog(format: Readonly<Record<string, string>>): object {
  return {
    name: 'envoy.access_loggers.file',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
      path: '/dev/null',
      log_format: { json_format: format },
    },
  };
}

function answer(status: number): object {
  return {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault',
    abort: { http_status: status, percentage: { numerator: 100, denominator: 'HUNDRED' } },
  };
}

/** A VM for each variant: with the same vm_id, variants with the same module would share one. */
function wasmFilter(variant: Variant, module: string): object {
  return {
    name: variant.name,
    typed_config: {
      '@type': WASM_FILTER,
      config: {
        name: variant.name,
        root_id: variant.name,
        failure_policy: 'FAIL_CLOSED',
        vm_config: { vm_id: variant.name, runtime: 'envoy.wasm.runtime.v8', code: { local: { filename: module } } },
        configuration: {
          '@type': 'type.googleapis.com/google.protobuf.StringValue',
          value: variant.configuration?.() ?? '',
        },
      },
    },
  };
}

function cluster(name: string, port: number): object {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    typed_extension_protocol_options: {
      [HTTP2]: { '@type': `type.googleapis.com/${HTTP2}`, explicit_http_config: { http2_protocol_options: {} } },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress('127.0.0.1', port) } }] }],
    },
  };
}
