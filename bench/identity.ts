import { keyOf } from '../harness/config.ts';

/** Number of consumers of a variant, unless its name says another. */
export const CONSUMERS = 1000;

/** The key in the middle, which a linear search from either end finds in the same time. */
export const KEY = keyOf(CONSUMERS / 2);
export const WRONG_KEY = 'no-such-key-at-all';
export const KEY_HEADER = 'x-api-key';
export const CONSUMER_HEADER = 'x-tollgate-consumer';
export const PLAN_HEADER = 'x-tollgate-plan';
export const ROUTE_HEADER = 'x-tollgate-route';
export const ROUTE = 'petstore/v2';
/** Status of Envoy's answer on its first route, and on the one that `ROUTE` selects: it shows whether a variant has routed. */
export const PASSED = 200;
export const ROUTED = 202;
export const PATH = '/v1/pets?limit=10';

/** A limit that no run can use up. */
export const ENDLESS = 1_000_000_000;

/** A request's headers beside its key: as many as a small client sends. */
export const REQUEST_HEADERS: Readonly<Record<string, string>> = {
  'user-agent': 'bench',
  accept: '*/*',
  'x-request-id': '4f0c7b9e-7a6d-4a9e-9b39-0a2c0f9f5d11',
  'x-api-version': '2',
};

/** Key and consumer, for variants that keep keys in plain text. */
export function consumers(): { key: string; consumer: string }[] {
  return Array.from({ length: CONSUMERS }, (_, i) => ({ key: keyOf(i), consumer: i === 0 ? 'acme' : `consumer-${i}` }));
}
