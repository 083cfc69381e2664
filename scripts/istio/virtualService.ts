import { type Destination, destinationsOf, meshHostOf, type Policy, type Upstream } from '../policy/index.ts';
import { openMatches, type OpenRule } from './failOpen.ts';
import { type Former, formerSubsets, formerVirtualRoutes, hadRest, removedBeside } from './former.ts';
import type { MeshPlace } from './place.ts';
import { metadata, type Resource } from './resource.ts';
import { ROUTE_HEADER, type RoutingTable } from './routing.ts';

/**
 * The routing table for a classic gateway, or for the sidecars of clients. With FAIL_OPEN, what no module has checked goes where the API's
 * default route leads.
 */
export function virtualServicesOf(
  policy: string,
  table: RoutingTable,
  place: MeshPlace,
  former: Former = [],
  open: readonly OpenRule[] = [],
): Resource[] {
  const { gateway } = place.target;
  const { name } = metadata(policy, place.suffix, place.namespace);
  const gone = formerVirtualRoutes(former, name, place.namespace, new Set(table.rules.map(({ name }) => name)));
  // on the client's side other pods' requests must still get through: a VirtualService replaces a host's own routing
  const hasRest =
    table.hasUngated || !gateway || (open.length === 0 && hadRest(former, 'VirtualService', name, place.namespace));
  const removed = removedBeside(former, 'VirtualService', name, place.namespace, table);
  const route = (upstream: Upstream): object => routeTo(upstream, removed);
  const http = [
    ...table.rules.map(({ name, upstream }) => ({ name, match: matching(name), ...route(upstream) })),
    ...gone.map(({ name, rule }) => ({ name, match: matching(name), ...rule })),
    ...table.apis.map(nowhere),
    ...open.map((rule) => ({ name: `${rule.api}/unjudged`, match: openMatches(rule), ...route(rule.upstream) })),
    ...(hasRest ? [{ name: 'unmatched', ...route(table.first) }] : []),
  ];
  return apart(table.hosts ?? ['*', ...table.namedHosts]).map((hosts, index) => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: metadata(policy, index === 0 ? place.suffix : `${place.suffix}-${index + 1}`, place.namespace),
    spec: { hosts, gateways: gateway ? gateway.gateways : ['mesh'], ...(!gateway && { exportTo: ['.'] }), http },
  }));
}

/** Istio refuses a VirtualService with a host that another one of its hosts covers; so each of them gets one of its own. */
function apart(hosts: readonly string[]): string[][] {
  const groups: string[][] = [];
  for (const host of hosts) {
    const group = groups.find((others) => !others.some((other) => covers(other, host) || covers(host, other)));
    if (group === undefined) groups.push([host]);
    else group.push(host);
  }
  return groups;
}

/** True when a wildcard covers the other host: `*` any, `*.example.com` all below that domain. */
function covers(wildcard: string, host: string): boolean {
  return wildcard.startsWith('*') && host.endsWith(wildcard.slice(1));
}

function matching(name: string): object[] {
  return [{ headers: { [ROUTE_HEADER]: { exact: name } } }];
}

/** A route that the module already knows and this table does not must not be taken by another rule. */
function nowhere(api: string): object {
  return {
    name: `${api}/unknown`,
    match: [{ headers: { [ROUTE_HEADER]: { prefix: `${api}/` } } }],
    directResponse: { status: 404, body: { string: 'no route of the policy leads here\n' } },
  };
}

function routeTo(upstream: Upstream, removed: readonly string[]): object {
  const { timeout, retries } = upstream;
  const authority = meshHostOf(upstream);
  return {
    route: destinationsOf(upstream).map(({ host, port, subset, weight }) => ({
      destination: { host, port: { number: port }, ...(subset !== undefined && { subset }) },
      ...(weight !== undefined && { weight }),
    })),
    ...(authority !== undefined && { rewrite: { authority } }),
    ...(removed.length > 0 && { headers: { request: { remove: removed } } }),
    ...(timeout !== undefined && { timeout }),
    ...(retries && { retries }),
  };
}

/**
 * DestinationRules for the subsets whose labels the policy names, one for each host. They stand in the service's own
 * namespace, where Istio adds their subsets to those of a rule that is there already; elsewhere they would hide it.
 */
export function destinationRulesOf(policy: Policy, namespace: string, former: Former = []): Resource[] {
  const hosts = new Map<string, Map<string, NonNullable<Destination['labels']>>>();
  for (const { host, subset, labels } of Object.values(policy.upstreams).flatMap((upstream) =>
    destinationsOf(upstream),
  )) {
    if (subset === undefined || labels === undefined) continue;
    hosts.set(host, (hosts.get(host) ?? new Map<string, NonNullable<Destination['labels']>>()).set(subset, labels));
  }
  const gone = formerSubsets(former, (host, subset) => hosts.get(host)?.has(subset) ?? false);
  const goneOf = (host: string): object[] =>
    gone
      .filter(({ spec }) => (spec as { host: string }).host === host)
      .flatMap(({ spec }) => (spec as { subsets: object[] }).subsets);
  const rules = [...hosts].map(([host, subsets]) => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: metadata(
      policy.policy,
      host.replace(/\.svc\..*$/, '').replaceAll('.', '-'),
      kubernetesService(host)?.namespace ?? namespace,
    ),
    spec: { host, subsets: [...[...subsets].map(([name, labels]) => ({ name, labels })), ...goneOf(host)] },
  }));
  return [...rules, ...gone.filter(({ spec }) => !hosts.has((spec as { host: string }).host))];
}

/** Name and namespace of a host that is a Kubernetes service's; null for any other host. */
export function kubernetesService(host: string): { name: string; namespace: string } | null {
  const match = /^([^.]+)\.([^.]+)\.svc(?:\.|$)/.exec(host);
  return match === null ? null : { name: match[1]!, namespace: match[2]! };
}
