import { serviceConfigOf, serviceConfigText } from '../rateLimitService/serviceConfig.ts';
import type { Policy } from '../policy/index.ts';
import { kubernetesService } from './destinationRule.ts';
import { metadata, type Resource } from './resource.ts';

/** Last part of the ConfigMap's name; `--only` knows it by this. */
export const RATE_LIMIT_SERVICE = 'rate-limit-service';

/** What the rate limit service needs to know of a policy, in the service's namespace; none where that cannot be told. */
export function rateLimitServiceConfigMapOf(policy: Policy): Resource | null {
  const config = serviceConfigOf(policy);
  const namespace = rateLimitServiceNamespace(policy);
  if (config === null || namespace === null) return null;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadata(policy.policy, RATE_LIMIT_SERVICE, namespace),
    // the file's name is the policy's, so that one folder takes those of several policies
    data: { [`${policy.policy}.yaml`]: serviceConfigText(config, policy.policy) },
  };
}

/** `outbound|8081||ratelimit.tollgate.svc.cluster.local`: Istio's cluster of a Kubernetes service says its namespace. */
export function rateLimitServiceNamespace({ rateLimitService }: Policy): string | null {
  const host = /^outbound\|\d+\|[^|]*\|([^|]+)$/.exec(rateLimitService?.cluster ?? '')?.[1];
  return host === undefined ? null : (kubernetesService(host)?.namespace ?? null);
}
