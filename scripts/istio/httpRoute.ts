import { RETRY_STATUSES } from '../policy/schema/mesh.ts';
import { destinationsOf, meshHostOf, type Destination, type Upstream } from '../policy/index.ts';
import { kubernetesService } from './virtualService.ts';
import type { OpenRule } from './failOpen.ts';
import { formerHttpRoutes, hadRest, removedBeside, type Former } from './former.ts';
import type { MeshPlace } from './place.ts';
import { metadata, type Resource } from './resource.ts';
import { ROUTE_HEADER, type RoutingTable } from './routing.ts';

/** What the Gateway API's schema takes at most; its 128 matches of a whole HTTPRoute are not reached with 16 × 8. */
const MAX_RULES = 16;
const MAX_MATCHES = 8;
const MAX_HOSTNAMES = 16;

/** The routing table for the Gateway API, in as many HTTPRoutes as its limits ask for. */
export function httpRoutesOf(
  policy: string,
  table: RoutingTable,
  place: MeshPlace,
  former: Former = [],
  open: readonly OpenRule[] = [],
): Resource[] {
  const isGateway = place.target.gatewayApi!.kind === 'Gateway';
  const { name } = metadata(policy, place.suffix, place.namespace);
  const removed = removedBeside(former, 'HTTPRoute', name, place.namespace, table);
  const restTo = (upstream: Upstream): object => restOf(upstream, place.namespace, removed);
  // an HTTPRoute replaces a Service's own routing, also for callers that no waypoint handles
  const rest =
    table.hasUngated || !isGateway || (open.length === 0 && hadRest(former, 'HTTPRoute', name, place.namespace))
      ? [restTo(table.first)]
      : openRest(open).map(restTo);
  const rules = [...rulesOf(table, place.namespace, removed), ...formerRules(policy, table, place, former), ...rest];
  const hostnames = isGateway && table.hosts !== null ? chunks(table.hosts, MAX_HOSTNAMES) : [null];
  const parts = chunks(rules, MAX_RULES).flatMap((part) => hostnames.map((names) => ({ rules: part, names })));
  return parts.map(({ rules, names }, index) => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: metadata(policy, index === 0 ? place.suffix : `${place.suffix}-${index + 1}`, place.namespace),
    spec: { parentRefs: parentsOf(place), ...(names && { hostnames: names }), rules },
  }));
}

function parentsOf({ target }: MeshPlace): object[] {
  const { kind, name, services = [] } = target.gatewayApi!;
  if (kind === 'Gateway') return [{ group: 'gateway.networking.k8s.io', kind, name }];
  return (kind === 'Service' ? [name] : services).map((service) => ({ group: '', kind: 'Service', name: service }));
}

/** One rule for each upstream, with all routes that lead there. */
function rulesOf({ rules }: RoutingTable, namespace: string, removed: readonly string[]): object[] {
  const byUpstream = new Map<Upstream, string[]>();
  for (const { name, upstream } of rules) byUpstream.set(upstream, [...(byUpstream.get(upstream) ?? []), name]);
  return [...byUpstream].flatMap(([upstream, names]) =>
    chunks(names, MAX_MATCHES).map((part) => ({
      matches: part.map(matching),
      ...to(upstream, namespace, removed),
    })),
  );
}

/** Routes that an earlier table had, those with one destination together. */
function formerRules(
  policy: string,
  { rules }: RoutingTable,
  { suffix, namespace }: MeshPlace,
  former: Former,
): object[] {
  const gone = formerHttpRoutes(
    former,
    metadata(policy, suffix, namespace).name,
    namespace,
    new Set(rules.map(({ name }) => name)),
  );
  const byRest = new Map<string, string[]>();
  for (const { name, rule } of gone)
    byRest.set(JSON.stringify(rule), [...(byRest.get(JSON.stringify(rule)) ?? []), name]);
  return [...byRest].flatMap(([rest, names]) =>
    chunks(names, MAX_MATCHES).map((part) => ({ matches: part.map(matching), ...(JSON.parse(rest) as object) })),
  );
}

function matching(name: string): object {
  return { headers: [{ type: 'Exact', name: ROUTE_HEADER, value: name }] };
}

/** What no other rule takes: a path prefix counts for less than any header. */
function restOf(upstream: Upstream, namespace: string, removed: readonly string[]): object {
  return { matches: [{ path: { type: 'PathPrefix', value: '/' } }], ...to(upstream, namespace, removed) };
}

/** With FAIL_OPEN, the one upstream of all APIs; a path of several would win over the header of every other rule. */
export function openRest(open: readonly OpenRule[]): Upstream[] {
  const upstreams = new Set(open.map(({ upstream }) => upstream));
  return upstreams.size === 1 ? [...upstreams] : [];
}

function to(upstream: Upstream, namespace: string, removed: readonly string[]): object {
  const { timeout, retries } = upstream;
  const perTry = retries?.perTryTimeout;
  const hostname = meshHostOf(upstream);
  const filters = [
    ...(removed.length > 0 ? [{ type: 'RequestHeaderModifier', requestHeaderModifier: { remove: removed } }] : []),
    ...(hostname !== undefined ? [{ type: 'URLRewrite', urlRewrite: { hostname } }] : []),
  ];
  return {
    ...(filters.length > 0 && { filters }),
    backendRefs: destinationsOf(upstream).map((destination) => backend(destination, namespace)),
    ...((timeout !== undefined || perTry !== undefined) && {
      timeouts: {
        ...(timeout !== undefined && { request: timeout }),
        ...(perTry !== undefined && { backendRequest: perTry }),
      },
    }),
    ...(retries && {
      retry: { attempts: retries.attempts, ...(retries.retryOn !== undefined && { codes: codesOf(retries.retryOn) }) },
    }),
  };
}

function backend({ host, port, weight }: Destination, namespace: string): object {
  const service = kubernetesService(host);
  const share = weight === undefined ? {} : { weight };
  if (service === null) return { group: 'networking.istio.io', kind: 'Hostname', name: host, port, ...share };
  return {
    group: '',
    kind: 'Service',
    name: service.name,
    ...(service.namespace !== namespace && { namespace: service.namespace }),
    port,
    ...share,
  };
}

function codesOf(retryOn: string): number[] {
  return [...new Set(retryOn.split(',').flatMap((word) => RETRY_STATUSES[word] ?? [Number(word)]))];
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}
