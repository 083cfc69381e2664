import type { Pair } from './pairs.ts';

/**
 * Request headers of which Envoy keeps one value: several lines become one, with a comma and no blank between. All other
 * headers stay lines of their own. `tests/envoy/joinedHeaders.test.ts` holds this list against a real Envoy.
 */
export const JOINED: ReadonlySet<string> = new Set([
  ':authority',
  ':method',
  ':path',
  ':scheme',
  'accept',
  'accept-encoding',
  'access-control-request-headers',
  'access-control-request-method',
  'authorization',
  'cache-control',
  'cdn-loop',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'grpc-accept-encoding',
  'grpc-timeout',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'origin',
  'pragma',
  'proxy-status',
  'referer',
  'te',
  'upgrade',
  'user-agent',
  'via',
  'x-client-trace-id',
  'x-envoy-attempt-count',
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-external-address',
  'x-envoy-is-timeout-retry',
  'x-envoy-original-host',
  'x-envoy-original-path',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-request-id',
]);

/** The headers as Envoy gives them to a filter: joined where it joins, at the place of the first. */
export function joinHeaders(pairs: readonly Pair[]): Pair[] {
  const joined: Pair[] = [];
  const places = new Map<string, Pair>();
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    const first = places.get(lower);
    if (first === undefined) {
      const pair: Pair = [lower, value];
      joined.push(pair);
      if (JOINED.has(lower)) places.set(lower, pair);
    } else if (value !== '') first[1] = first[1] === '' ? value : `${first[1]},${value}`;
  }
  return joined;
}
