import { join } from 'node:path';
import { statsTags } from '../contract/metrics.ts';
import { accessLogOf } from './accessLog.ts';
import { clustersOf, extensionOf, NOWHERE_REPLY, PLUGIN, ROUTE_TABLE, routeTableOf, WASM_FILTER } from './resource.ts';
import type { Snapshot } from './snapshot.ts';
import { JWT_FILTER, jwtFilterOf, TOKEN_FILTER } from './tokens.ts';

export interface BootstrapOptions {
  /** Folder of the discovery files. */
  folder: string;
  /** 0: a free one, to be read from the admin interface. */
  port: number;
  adminPort: number;
  /** Address to listen on, for clients and for the admin interface; default 127.0.0.1. */
  listen?: string;
  /** Prefixes of the admin interface's pages that may be asked for; default: all. */
  adminPaths?: readonly string[];
  /** Envoy's default is 60; the tests raise it so that the filter, not Envoy, meets a 64 KB header. */
  maxRequestHeadersKb?: number;
  /** Further fields of the connection manager: the tests handle paths and hosts as other people's Envoys do. */
  connectionManager?: object;
  /** TLS of the listener, and filters in front of the module: for the tests of who calls. */
  transportSocket?: object;
  filtersBefore?: readonly object[];
  /** Envoy's JWT filter is in front of the module. */
  verifiesTokens?: boolean;
}

/** Names of the files that Envoy watches, each holding one kind of resource. */
export const FILES = {
  clusters: 'clusters.json',
  routes: 'routes.json',
  tokens: 'tokens.json',
  extension: 'extension.json',
} as const;
export const STAT_PREFIX = 'tollgate';
/** Labels for the module's metrics, as Istio's proxies have them for what is named in `extraStatTags`. */
export const STATS_CONFIG = { stats_tags: statsTags() };
const LOOPBACK = '127.0.0.1';
const CONNECTION_LIMIT = {
  '@type':
    'type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
  max_active_downstream_connections: 50_000,
};

/** The fixed part: one listener, the admin interface, and where the files are that change with the policy. */
export function bootstrap(options: BootstrapOptions): object {
  return {
    node: { id: 'tollgate-run', cluster: 'tollgate' },
    admin: adminOf(options),
    dynamic_resources: { cds_config: watched(options, FILES.clusters) },
    static_resources: {
      listeners: [listener(socketAddress(options.listen ?? LOOPBACK, options.port), discovered(options), options)],
    },
    overload_manager: overloadManager(),
    stats_config: STATS_CONFIG,
  };
}

/** Envoy warns on every start when nothing bounds its connections. */
export function overloadManager(): object {
  return {
    resource_monitors: [
      { name: 'envoy.resource_monitors.global_downstream_max_connections', typed_config: CONNECTION_LIMIT },
    ],
  };
}

/** What changes with the policy, as the connection manager's fields say it: written out, or where to find it. */
interface Changing {
  readonly routes: object;
  /** The filter's fields beside its name. */
  readonly plugin: object;
  /** The same of the JWT filter in front of it; absent where no API takes tokens. */
  readonly tokens?: object;
}

function discovered(options: BootstrapOptions): Changing {
  return {
    routes: { rds: { route_config_name: ROUTE_TABLE, config_source: watched(options, FILES.routes) } },
    plugin: { config_discovery: { config_source: watched(options, FILES.extension), type_urls: [WASM_FILTER] } },
    ...(options.verifiesTokens === true && {
      tokens: { config_discovery: { config_source: watched(options, FILES.tokens), type_urls: [JWT_FILTER] } },
    }),
  };
}

type ManagerOptions = Pick<
  BootstrapOptions,
  'maxRequestHeadersKb' | 'connectionManager' | 'transportSocket' | 'filtersBefore'
>;

export function listener(address: object, changing: Changing, options: ManagerOptions = {}): object {
  return {
    name: 'http',
    address,
    // with SO_REUSEPORT a second `tollgate run` would silently share the port instead of being refused
    enable_reuse_port: false,
    // without SO_REUSEPORT the kernel favours one worker; a local trial should show quotas shared by all of them
    connection_balance_config: { exact_balance: {} },
    filter_chains: [
      {
        ...(options.transportSocket && { transport_socket: options.transportSocket }),
        filters: [{ name: 'http', typed_config: connectionManager(changing, options) }],
      },
    ],
  };
}

/**
 * Paths are left as Envoy leaves them by default, raw (`normalize_path`, `merge_slashes` and the handling of escaped slashes
 * off): a user's own Envoy most likely does the same, and the filter must be safe on what it really sees there. Nothing
 * below matches on the path, so there is no second reading of it that could differ from the filter's.
 */
function connectionManager({ routes, plugin, tokens }: Changing, options: ManagerOptions): object {
  return {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: STAT_PREFIX,
    codec_type: 'AUTO',
    use_remote_address: true,
    ...(options.maxRequestHeadersKb === undefined ? {} : { max_request_headers_kb: options.maxRequestHeadersKb }),
    // HTTP/1.0 may come without Host; a name that no policy can serve, so that it never matches an API's hosts by accident
    http_protocol_options: { accept_http_10: true, default_host_for_http_10: 'unspecified.invalid' },
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    ...options.connectionManager,
    access_log: [accessLogOf()],
    ...routes,
    local_reply_config: NOWHERE_REPLY,
    http_filters: [
      ...(options.filtersBefore ?? []),
      ...(tokens === undefined ? [] : [{ name: TOKEN_FILTER, ...tokens }]),
      { name: PLUGIN, ...plugin },
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
  };
}

function adminOf({ listen = LOOPBACK, adminPort, adminPaths }: BootstrapOptions): object {
  return {
    address: socketAddress(listen, adminPort),
    ...(adminPaths && { allow_paths: adminPaths.map((prefix) => ({ prefix })) }),
  };
}

export function socketAddress(address: string, port: number): object {
  return { socket_address: { address, port_value: port } };
}

function watched(options: BootstrapOptions, file: string): object {
  return { path_config_source: { path: join(options.folder, file) }, resource_api_version: 'V3' };
}

export interface StaticOptions {
  /** Address to listen on: 0.0.0.0 inside a container, whose ports docker publishes. */
  readonly listen: string;
  readonly port: number;
  readonly adminPort: number;
  /** Path of the wasm file as Envoy sees it. */
  readonly module: string;
}

/** A bootstrap that needs no other file than the module: for an Envoy that somebody else starts. It does not follow edits. */
export function staticBootstrap(snapshot: Snapshot, { listen, port, adminPort, module }: StaticOptions): object {
  const { typed_config: wasm } = extensionOf(snapshot.pluginConfig, module, snapshot.vmId) as { typed_config: object };
  const changing = {
    routes: { route_config: plain(routeTableOf(snapshot)) },
    plugin: { typed_config: wasm },
    ...(snapshot.issuers && { tokens: { typed_config: jwtFilterOf(snapshot.issuers) } }),
  };
  return {
    node: { id: 'tollgate', cluster: 'tollgate' },
    admin: { address: socketAddress('127.0.0.1', adminPort) },
    static_resources: {
      listeners: [listener(socketAddress(listen, port), changing)],
      clusters: clustersOf(snapshot).map(plain),
    },
    overload_manager: overloadManager(),
    stats_config: STATS_CONFIG,
  };
}

/** The message itself: only where Envoy discovers it does it come with its type. */
function plain(resource: object): object {
  return Object.fromEntries(Object.entries(resource).filter(([field]) => field !== '@type'));
}
