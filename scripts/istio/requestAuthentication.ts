import { takesTokens, type PluginConfig, type Policy } from '../policy/index.ts';
import type { MeshPlace } from './place.ts';
import { metadata, type Resource } from './resource.ts';

/**
 * The resource by which Istio verifies tokens in one place; null where no API takes tokens, and for what a workload sends, to which Istio
 * applies none. It takes no token away: only the module knows whether a request is for an API that takes them.
 */
export function requestAuthenticationOf(policy: Policy, config: PluginConfig, place: MeshPlace): Resource | null {
  if (!takesTokens(config) || place.target.workload?.mode === 'CLIENT') return null;
  const { selector, targetRefs } = place;
  const jwtRules = Object.values(policy.tokens ?? {}).map(({ issuer, audiences, jwks }) => ({
    issuer,
    ...(audiences && { audiences }),
    ...(typeof jwks === 'string' ? { jwksUri: jwks } : { jwks: JSON.stringify(jwks) }),
    // Istio's own default would look into the query too
    fromHeaders: [{ name: 'Authorization', prefix: 'Bearer ' }],
    forwardOriginalToken: true,
  }));
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: metadata(policy.policy, place.suffix, place.namespace),
    spec: { ...(selector && { selector }), ...(targetRefs && { targetRefs }), jwtRules },
  };
}
