import { EmitError } from './error.ts';
import { destinationsOf, passesUnmatched, type Policy, type Upstream } from '../policy/index.ts';
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
  /** The policy's first upstream: where requests go that match no API, as with `tollgate run`. */
  readonly first: Upstream;
  /** False: the module refuses requests that match no API. */
  readonly hasUngated: boolean;
}

/** The routing table of a policy; null where no upstream names a service of the mesh. */
export function routingTableOf(policy: Policy): RoutingTable | null {
  if (!Object.values(policy.upstreams).some((upstream) => destinationsOf(upstream).length > 0)) return null;
  // what answers itself may have no upstream
  const rule = (name: string, upstream: string | undefined): Rule[] =>
    upstream === undefined ? [] : [{ name, upstream: policy.upstreams[upstream]! }];
  const apis = Object.entries(policy.apis);
  const namedHosts = [...new Set(apis.flatMap(([, { hosts = [] }]) => hosts))];
  return {
    rules: apis.flatMap(([name, api]) => [
      ...api.routes.flatMap((route) => rule(`${name}/${route.name}`, route.upstream ?? api.upstream)),
      ...rule(`${name}/default`, api.upstream),
    ]),
    apis: apis.map(([name]) => name),
    hosts: apis.some(([, { hosts }]) => hosts === undefined) ? null : namedHosts,
    namedHosts,
    first: Object.values(policy.upstreams)[0]!,
    hasUngated: passesUnmatched(policy),
  };
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
