import type { WireRequest } from '../cases/wire.ts';
import { joinHeaders, withoutNominated, type Pair } from '../../scripts/host/stream.ts';

/** A request's header map in Envoy's order: authority, path, method, scheme, then the rest; a further host joins the first. */
export function requestPairs(request: WireRequest): Pair[] {
  const pairs: Pair[] = [];
  if (request.host !== null) pairs.push([':authority', request.host]);
  if (request.path !== null) pairs.push([':path', request.path]);
  pairs.push([':method', request.method], [':scheme', 'http']);
  for (const [name, value] of request.headers) pairs.push([name.toLowerCase() === 'host' ? ':authority' : name, value]);
  return withoutNominated(joinHeaders(pairs));
}
