import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { filled } from './collection.ts';
import { upstreamUrl } from './place.ts';
import { duration, labels, meshHost, name63, port, wholeFrom } from './mesh.ts';

/** What Istio takes in `retryOn` beside the numbers of HTTP statuses. */
const RETRY_ON = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'envoy-ratelimited',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);
/** Conditions of `retryOn` that mean statuses: the only ones an HTTPRoute can say. */
export const RETRY_STATUSES: Readonly<Record<string, readonly number[]>> = {
  '5xx': [500, 502, 503, 504],
  'gateway-error': [502, 503, 504],
};
const RETRY_ON_RULE =
  'must be conditions that Istio knows, with commas between them, such as "5xx,connect-failure" or "503"';

/** Istio takes the statuses that have a name; Go knows all of Node's but one. */
function isStatus(word: string): boolean {
  return STATUS_CODES[word] !== undefined && word !== '509';
}

const destinationFields = {
  host: meshHost("The service's full host, such as petstore.shop.svc.cluster.local."),
  port: port('Port of the service.'),
  subset: name63("Part of the service's endpoints, as a DestinationRule names it.").optional(),
  labels: labels("Labels of the subset's pods; with them the DestinationRule is emitted too.").optional(),
};

const service = z.strictObject(destinationFields);
const weighted = z.strictObject({
  ...destinationFields,
  weight: wholeFrom(0, 1_000_000, 'Share of the requests, relative to the sum of all weights.'),
});

const retries = z.strictObject({
  attempts: wholeFrom(0, 100, 'How often a failed request is sent again; 0: never.'),
  perTryTimeout: duration('Time that one attempt may take.').optional(),
  retryOn: z
    .string()
    .refine((text) => text.split(',').every((word) => RETRY_ON.has(word) || isStatus(word)), { error: RETRY_ON_RULE })
    .meta({
      description: "When to try again: Envoy's words and HTTP statuses, with commas between them.",
      examples: ['5xx,connect-failure'],
    })
    .optional(),
});

const ADDRESS_RULE = 'must hold url (for "tollgate run"), service or services (for "tollgate emit")';

export const upstream = z
  .strictObject({
    url: upstreamUrl('Address of the upstream for "tollgate run": http://HOST:PORT.').optional(),
    service: service.meta({ description: 'Destination in the mesh, for "tollgate emit".' }).optional(),
    services: filled(
      weighted,
      'must hold a service',
      'Several destinations in the mesh, by weight; in place of service.',
    ).optional(),
    timeout: duration('Time that a request may take in the mesh, all attempts together.').optional(),
    retries: retries.meta({ description: 'What the mesh does with requests that fail.' }).optional(),
  })
  .refine(({ url, service, services }) => url !== undefined || service !== undefined || services !== undefined, {
    error: ADDRESS_RULE,
  })
  .refine(({ service, services }) => service === undefined || services === undefined, {
    error: 'must hold one of service and services',
  });

export type Upstream = z.output<typeof upstream>;
export type Destination = z.output<typeof service> & { weight?: number | undefined };

/** Where an upstream's requests go in the mesh; none for one that only "tollgate run" uses. */
export function destinationsOf({ service, services }: Upstream): readonly Destination[] {
  return services ?? (service === undefined ? [] : [service]);
}
