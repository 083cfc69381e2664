import { isSameInAnyOrder, passesUnmatched, type Policy } from '../policy/index.ts';
import { listChange, type Difference } from './difference.ts';

/** What differs outside the plugin config: where requests go, and where the policy is enforced. */
export function meshDifferences(old: Policy, next: Policy): Difference[] {
  return [
    ...ungatedDifferences(old, next),
    ...upstreamDifferences(old, next),
    ...destinationDifferences(old, next),
    ...targetDifferences(old, next),
  ];
}

/** The one place where the order of upstreams matters. */
function ungatedDifferences(old: Policy, next: Policy): Difference[] {
  const [former, current] = [old, next].map((policy) =>
    hasUngated(policy) ? Object.keys(policy.upstreams)[0] : undefined,
  );
  if (former === undefined || current === undefined || former === current) return [];
  return [{ subject: 'policy', text: `requests that match no API go to ${current} (was: ${former})`, effects: [] }];
}

/** On the callers' side a routing table also routes requests that the policy does not check. */
function hasUngated(policy: Policy): boolean {
  return (
    passesUnmatched(policy) ||
    policy.targets.some(
      ({ workload, gatewayApi }) =>
        workload?.mode === 'CLIENT' || (gatewayApi !== undefined && gatewayApi.kind !== 'Gateway'),
    )
  );
}

function upstreamDifferences(old: Policy, next: Policy): Difference[] {
  const { removed } = listChange(Object.keys(old.upstreams), Object.keys(next.upstreams));
  const say = (name: string, text: string): Difference => ({ subject: `upstream ${name}`, text, effects: [] });
  return [
    ...Object.entries(next.upstreams).flatMap(([name, upstream]) => {
      const former = old.upstreams[name];
      if (former === undefined) return [say(name, 'added')];
      const fields = ['url', 'tls', 'hostRewrite', 'service', 'services', 'timeout', 'retries'] as const;
      const changed = fields.filter((field) => !isSameInAnyOrder(former[field], upstream[field]));
      return changed.length === 0 ? [] : [say(name, `other ${changed.join(', ')}`)];
    }),
    ...removed.map((name) => say(name, 'removed')),
  ];
}

/** Upstreams of the routes that both policies have. */
function destinationDifferences(old: Policy, next: Policy): Difference[] {
  const [before, after] = [destinations(old), destinations(next)];
  return [...after].flatMap(([route, upstream]): Difference[] => {
    const former = before.get(route);
    return !before.has(route) || former === upstream
      ? []
      : [
          {
            subject: `route ${route}`,
            text: `goes to ${upstream ?? 'no upstream'} (was: ${former ?? 'no upstream'})`,
            effects: [],
          },
        ];
  });
}

function destinations({ apis }: Policy): Map<string, string | undefined> {
  return new Map(
    Object.entries(apis).flatMap(([api, { upstream, routes }]) => [
      ...routes.map((route): [string, string | undefined] => [`${api}/${route.name}`, route.upstream ?? upstream]),
      [`${api}/default`, upstream] as [string, string | undefined],
    ]),
  );
}

function targetDifferences(old: Policy, next: Policy): Difference[] {
  const { added, removed } = listChange(
    old.targets.map((target) => JSON.stringify(target)),
    next.targets.map((target) => JSON.stringify(target)),
  );
  return [
    ...added.map((target): Difference => ({
      subject: 'target',
      text: `${plain(target)} added: enforced there too`,
      effects: ['narrows'],
    })),
    ...removed.map((target): Difference => ({
      subject: 'target',
      text: `${plain(target)} removed: no longer enforced there`,
      effects: ['widens'],
    })),
  ];
}

function plain(json: string): string {
  return json.slice(1, -1).replaceAll('"', '').replaceAll(':', ': ').replaceAll(',', ', ');
}
