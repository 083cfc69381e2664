import { createHash } from 'node:crypto';
import type { Policy, Target } from '../policy/index.ts';

/** Where one plugin resource goes and which requests it sees. */
export interface MeshPlace {
  readonly target: Target;
  /** Last part of the resource's name, the same as long as the target means the same. */
  readonly suffix: string;
  readonly namespace: string;
  readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly targetRefs?: readonly { readonly group: string; readonly kind: string; readonly name: string }[];
  readonly match: readonly { readonly mode: string; readonly ports?: readonly { readonly number: number }[] }[];
}

const MAX_SUFFIX = 63;

/** The places of a policy's targets, in their order. */
export function placesOf(policy: Policy): MeshPlace[] {
  const places = policy.targets.map(placeOf);
  const isShared = ({ suffix, namespace }: MeshPlace): boolean =>
    places.filter((other) => other.suffix === suffix && other.namespace === namespace).length > 1;
  return places.map((place) =>
    isShared(place) ? { ...place, suffix: `${place.suffix}-${digestOf(place.target)}` } : place,
  );
}

/** The listeners of a gateway are clients of what is behind it: Istio never applies a plugin with mode SERVER there. */
function placeOf(target: Target): MeshPlace {
  if (target.namespace !== undefined)
    return { target, suffix: 'sidecars', namespace: target.namespace, match: [{ mode: 'SERVER' }] };
  if (target.gateway) {
    const { namespace, selector } = target.gateway;
    return {
      target,
      suffix: named('gateway', target, selector),
      namespace,
      selector: { matchLabels: selector },
      match: [{ mode: 'CLIENT' }],
    };
  }
  if (target.workload) {
    const { namespace, selector, mode, ports } = target.workload;
    const match = [{ mode, ...(ports && { ports: ports.map((number) => ({ number })) }) }];
    return {
      target,
      suffix: named(mode === 'CLIENT' ? 'client' : 'workload', target, selector),
      namespace,
      selector: { matchLabels: selector },
      match,
    };
  }
  const { namespace, kind, name } = target.gatewayApi!;
  const ref =
    kind === 'Service' ? { group: '', kind, name } : { group: 'gateway.networking.k8s.io', kind: 'Gateway', name };
  // a waypoint has listeners of one class only; Istio decides which
  return {
    target,
    suffix: named(kind.toLowerCase(), target, { name }),
    namespace,
    targetRefs: [ref],
    match: [{ mode: kind === 'Gateway' ? 'CLIENT' : 'CLIENT_AND_SERVER' }],
  };
}

/** `gateway-ingressgateway`: the kind of target and its labels' values, as far as a resource's name can hold them. */
function named(kind: string, target: Target, labels: Readonly<Record<string, string>>): string {
  const text = [
    kind,
    ...Object.keys(labels)
      .sort()
      .map((label) => labels[label]!),
  ].join('-');
  const plain = text.toLowerCase().replace(/[^a-z0-9-]/g, '-');
  return plain === text && text.length <= MAX_SUFFIX
    ? text
    : `${plain.slice(0, MAX_SUFFIX - 9).replace(/-+$/, '')}-${digestOf(target)}`;
}

function digestOf(target: Target): string {
  const sorted = JSON.stringify(target, (_, value: unknown) =>
    isMapping(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value,
  );
  return createHash('sha256').update(sorted).digest('hex').slice(0, 8);
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
