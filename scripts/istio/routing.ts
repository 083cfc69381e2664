import { EmitError } from './error.ts';
import {
  destinationsOf,
  headersRoutesRemove,
  passesUnmatched,
  tellsRoute,
  type Policy,
  type Upstream,
} from '../policy/index.ts';
import type { RouteKind } from './plugin.ts';
import type { MeshPlace } from './place.ts';

export const ROUTE_HEADER = 'x-tollgate-route';

/** One line of the routing table: what the module writes into x-tollgate-route, and where that goes. */
export interface Rule {
  /** `API/ROUTE` */
  readonly name: string;
  readonly upstream: Upstream;
}

export interface RoutingTable {
  readonly rules: readonly Rule[];
  readonly apis: readonly string[];
  /** Hosts of all APIs; null: any host is among them. */
  readonly hosts: readonly string[] | null;
  readonly namedHosts: readonly string[];
  /** Where requests go that name no route: the policy's first upstream, as with `tollgate run`, or the only one. */
  readonly first: Upstream;
  /** False: the module refuses requests that match no API, and all others name their route. */
  readonly hasUngated: boolean;
  /** True: no request names its route, because all lead to one upstream. */
  readonly isSingle: boolean;
  /** Headers that every route takes off: keys that the module leaves there. */
  readonly removed: readonly string[];
  /** True: upstreams of some API see keys, so none that an earlier table took off is taken off any more. */
  readonly showsKeys: boolean;
}

/** The routing table of a policy; null where no upstream names a service of the mesh. */
export function routingTableOf(policy: Policy): RoutingTable | null {
  if (!Object.values(policy.upstreams).some((upstream) => destinationsOf(upstream).length > 0)) return null;
  // what answers itself may have no upstream
  const rule = (name: string, upstream: string | undefined): Rule[] =>
    upstream === undefined ? [] : [{ name, upstream: policy.upstreams[upstream]! }];
  if (!tellsRoute(policy)) return single(policy);
  const apis = Object.entries(policy.apis);
  return {
    ...hostsOf(policy),
    rules: apis.flatMap(([name, api]) => [
      ...api.routes.flatMap((route) => rule(`${name}/${route.name}`, route.upstream ?? api.upstream)),
      ...rule(`${name}/default`, api.upstream),
    ]),
    apis: apis.map(([name]) => name),
    first: Object.values(policy.upstreams)[0]!,
    hasUngated: passesUnmatched(policy),
    isSingle: false,
    ...removalOf(policy),
  };
}

/** Where no request tells its route, all of them lead to one upstream: the module has refused the rest. */
function single(policy: Policy): RoutingTable | null {
  const names = Object.values(policy.apis).flatMap((api) => [
    ...api.routes.map((route) => route.upstream ?? api.upstream),
    api.upstream,
  ]);
  const name = passesUnmatched(policy) ? Object.keys(policy.upstreams)[0] : names.find((each) => each !== undefined);
  if (name === undefined) return null;
  return {
    ...hostsOf(policy),
    rules: [],
    apis: [],
    first: policy.upstreams[name]!,
    hasUngated: true,
    isSingle: true,
    ...removalOf(policy),
  };
}

function removalOf(policy: Policy): Pick<RoutingTable, 'removed' | 'showsKeys'> {
  const apis = Object.values(policy.apis);
  return {
    removed: headersRoutesRemove(policy),
    showsKeys: policy.forwardKey || apis.some(({ forwardKey }) => forwardKey === true),
  };
}

function hostsOf(policy: Policy): Pick<RoutingTable, 'hosts' | 'namedHosts'> {
  const apis = Object.values(policy.apis);
  const namedHosts = [...new Set(apis.flatMap(({ hosts = [] }) => hosts))];
  return { hosts: apis.some(({ hosts }) => hosts === undefined) ? null : namedHosts, namedHosts };
}

/**
 * Which routing table a place can read; null for a server's sidecar, which only hands requests to its own application.
 * A gateway of the Gateway API and a waypoint read HTTPRoutes, a classic gateway VirtualServices.
 */
export function routeKindOf({ target, suffix }: MeshPlace, wanted: RouteKind | undefined): RouteKind | null {
  if (target.namespace !== undefined || target.workload?.mode === 'SERVER') return null;
  const kind = target.gatewayApi ? 'HTTPRoute' : 'VirtualService';
  if (wanted !== undefined && wanted !== kind)
    throw new EmitError(
      `--routes ${wanted}: the target ${suffix} reads a ${kind}; leave the option out to emit what each target reads`,
    );
  return kind;
}
