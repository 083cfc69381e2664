import type { WireRequest } from '../cases/wire.ts';
import { verificationOf, type LocalIssuer } from '../../scripts/envoy/tokens.ts';
import { NO_TRUST } from '../../scripts/envoy/trust.ts';
import { validPolicy } from '../../scripts/policy/index.ts';
import { verifiedClaims } from './jwtModel.ts';
import { joinHeaders, withoutNominated, type CallerFacts, type Pair } from '../../scripts/host/stream.ts';

/** The client of a request that names none, as Envoy gives its address. */
export function sourceOf({ from = '127.0.0.1' }: WireRequest): string {
  return `${from}:50000`;
}

/**
 * A request's header map in Envoy's order: authority, path, method, scheme, then the rest; a further host joins the first. Envoy appends the
 * client's address to X-Forwarded-For before any filter sees it (`use_remote_address`).
 */
export function requestPairs(request: WireRequest): Pair[] {
  const pairs: Pair[] = [];
  if (request.host !== null) pairs.push([':authority', request.host]);
  if (request.path !== null) pairs.push([':path', request.path]);
  pairs.push([':method', request.method], [':scheme', 'http']);
  for (const [name, value] of request.headers) pairs.push([name.toLowerCase() === 'host' ? ':authority' : name, value]);
  pairs.push(['x-forwarded-for', request.from ?? '127.0.0.1']);
  return joinHeaders(withoutNominated(joinHeaders(pairs)));
}

/** The issuers whose tokens an Envoy in front of the module verifies. */
export function issuersOf(policy: string): readonly LocalIssuer[] {
  return verificationOf(validPolicy(policy, 'case.policy.yaml').policy, NO_TRUST).issuers ?? [];
}

/** What Envoy knows of who sends it; the RBAC filter of docs/identity.md stands on the listener with TLS. */
export function callerOf(request: WireRequest, issuers: readonly LocalIssuer[] = [], nowMs = Date.now()): CallerFacts {
  const claims = verifiedClaims(issuers, requestPairs(request), nowMs / 1000);
  const ofToken = claims && { 'envoy.filters.http.jwt_authn': { payload: claims } };
  const { peer } = request;
  if (peer === null) return { metadata: ofToken };
  const result = peer.verified && peer.uris !== null ? 'allowed' : 'denied';
  return {
    uriSans: peer.uris ?? undefined,
    metadata: { ...ofToken, 'envoy.filters.http.rbac': { tollgate_shadow_engine_result: result } },
  };
}
