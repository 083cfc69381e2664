import { listener, overloadManager, socketAddress } from './bootstrap.ts';
import { clustersOf } from './cluster.ts';
import { extensionOf } from './extension.ts';
import { routeTableOf } from './routeTable.ts';
import type { Snapshot } from './snapshot.ts';

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
  const changing = { routes: { route_config: plain(routeTableOf(snapshot)) }, plugin: { typed_config: wasm } };
  return {
    node: { id: 'tollgate', cluster: 'tollgate' },
    admin: { address: socketAddress('127.0.0.1', adminPort) },
    static_resources: {
      listeners: [listener(socketAddress(listen, port), changing)],
      clusters: clustersOf(snapshot).map(plain),
    },
    overload_manager: overloadManager(),
  };
}

/** The message itself: only where Envoy discovers it does it come with its type. */
function plain(resource: object): object {
  return Object.fromEntries(Object.entries(resource).filter(([field]) => field !== '@type'));
}
