import type { WireRequest } from '../cases/wire.ts';
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

/** What Envoy knows of who sends it; the RBAC filter of docs/identity.md stands on the listener with TLS. */
export function callerOf({ peer }: WireRequest): CallerFacts {
  if (peer === null) return {};
  const result = peer.verified && peer.uris !== null ? 'allowed' : 'denied';
  return {
    uriSans: peer.uris ?? undefined,
    metadata: { 'envoy.filters.http.rbac': { tollgate_shadow_engine_result: result } },
  };
}
