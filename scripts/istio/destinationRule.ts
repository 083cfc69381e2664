import { destinationsOf, type Destination, type Policy } from '../policy/index.ts';
import { formerSubsets, type Former } from './former.ts';
import { metadata, type Resource } from './resource.ts';

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

/** Name and namespace of a host that is a Kubernetes service's; null for one of the outside world. */
export function kubernetesService(host: string): { name: string; namespace: string } | null {
  const match = /^([^.]+)\.([^.]+)\.svc(?:\.|$)/.exec(host);
  return match === null ? null : { name: match[1]!, namespace: match[2]! };
}
