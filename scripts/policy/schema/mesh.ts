import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { filled, listed, wholeFrom, upstreamUrl } from './value.ts';

const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const FULL_HOST = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/;
const LABEL_NAME = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const GATEWAY = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\/)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

const NAME63_RULE = 'must be a Kubernetes name: 1 to 63 lower-case letters, digits and "-", with no "-" at its ends';
const RESOURCE_RULE = 'must be the name of a Kubernetes resource: lower-case letters, digits, "-" and "."';
const HOST_RULE =
  'must be a full host such as petstore.shop.svc.cluster.local; a short one would depend on the namespace it is read in';
const LABEL_NAME_RULE = 'must be the name of a Kubernetes label, such as app or app.kubernetes.io/name';
const LABEL_VALUE_RULE = 'must be the value of a Kubernetes label: 1 to 63 letters, digits, "-", "_" and "."';
const SERVER_NAME_RULE = 'must be a name of lower-case letters, digits, "-" and "."';
const GATEWAY_RULE = 'must be the name of a Gateway, or NAMESPACE/NAME';
/** Names of Kubernetes' smaller kinds: namespaces, services, subsets. */
export function name63(description: string) {
  return z.string().regex(DNS_LABEL, { error: NAME63_RULE }).meta({ description });
}

export function resourceName(description: string) {
  return z.string().regex(DNS_NAME, { error: RESOURCE_RULE }).meta({ description });
}

export function meshHost(description: string) {
  return z
    .string()
    .regex(FULL_HOST, { error: HOST_RULE })
    .meta({ description, examples: ['petstore.shop.svc.cluster.local'] });
}

export function gatewayName(description: string) {
  return z.string().regex(GATEWAY, { error: GATEWAY_RULE }).meta({ description });
}

/** Labels that pods are chosen by; none at all would choose every pod. */
export function labels(description: string) {
  return z
    .record(
      z.string().regex(LABEL_NAME, { error: LABEL_NAME_RULE }),
      z.string().regex(LABEL_VALUE, { error: LABEL_VALUE_RULE }),
    )
    .refine((labels) => Object.keys(labels).length > 0, { error: 'must name a label' })
    .meta({ description });
}

export function port(description: string) {
  return wholeFrom(1, 65_535, description);
}

const TARGET_KINDS = ['gateway', 'namespace', 'workload', 'gatewayApi'] as const;

const gateway = z.strictObject({
  namespace: name63("Namespace of the gateway's pods."),
  selector: labels("Labels of the gateway's pods, such as { istio: ingressgateway }."),
  gateways: filled(
    gatewayName('NAMESPACE/NAME, or a NAME in the same namespace.'),
    'must name a Gateway',
    'Istio Gateways that the routing table is for.',
  ).optional(),
});

const workload = z.strictObject({
  namespace: name63('Namespace of the pods.'),
  selector: labels('Labels of the pods.'),
  mode: z
    .enum(['SERVER', 'CLIENT'])
    .default('SERVER')
    .meta({ description: 'SERVER: requests that come to the pods. CLIENT: requests that they send.' }),
  ports: filled(
    port('A port.'),
    'must hold a port; leave the field out for all ports',
    "Only requests to these ports: the container's for SERVER, the called service's for CLIENT.",
  ).optional(),
});

const gatewayApi = z.strictObject({
  namespace: name63('Namespace of the resource.'),
  kind: z.enum(['Gateway', 'Service', 'Waypoint']).meta({
    description:
      'Gateway: an ingress gateway. Service: one service behind a waypoint. Waypoint: all services behind it.',
  }),
  name: resourceName('Name of the resource.'),
  services: filled(
    name63('A Service in the same namespace.'),
    'must name a Service',
    'Of a Waypoint: the Services that the routing table is for.',
  ).optional(),
});

/** Where a policy is enforced on Istio. */
export const target = z
  .strictObject({
    gateway: gateway.meta({ description: 'Pods of a classic gateway.' }).optional(),
    namespace: name63('Every sidecar of this namespace, for the requests that come to it.').optional(),
    workload: workload.meta({ description: 'Sidecars of chosen pods.' }).optional(),
    gatewayApi: gatewayApi
      .meta({ description: 'A resource of the Gateway API: a gateway, or a waypoint of ambient mode.' })
      .optional(),
  })
  .refine((target) => Object.values(target).filter((value) => value !== undefined).length === 1, {
    error: `must hold exactly one of ${TARGET_KINDS.join(', ')}`,
  })
  .meta({ minProperties: 1, maxProperties: 1 });

export const targets = listed(
  target,
  'Where the policy is enforced on Istio; "tollgate emit" makes one plugin resource for each.',
);

export type Target = z.output<typeof target>;

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

const DURATION_RULE = 'must be a time such as 500ms, 5s or 1m: a whole number above 0 and its unit (ms, s, m, h)';
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

export function duration(description: string) {
  return z
    .string()
    .regex(/^[1-9][0-9]{0,4}(?:ms|s|m|h)$/, { error: DURATION_RULE })
    .meta({ description, examples: ['5s'] });
}

/** Milliseconds of a duration, or null for anything else. */
export function durationMs(text: string): number | null {
  const match = /^(\d+)(ms|s|m|h)$/.exec(text);
  return match === null ? null : Number(match[1]) * UNIT_MS[match[2]!]!;
}

const retries = z.strictObject({
  attempts: wholeFrom(0, 100, 'How often a failed request is sent again; 0: never.'),
  perTryTimeout: duration('Time that one attempt may take.').optional(),
  retryOn: z
    .string()
    .refine((text) => text.split(',').every((word) => RETRY_ON.has(word) || isStatus(word)), { error: RETRY_ON_RULE })
    .meta({
      description: "When to retry: Envoy's conditions and HTTP statuses, separated by commas.",
      examples: ['5xx,connect-failure'],
    })
    .optional(),
});

const HOST_REWRITE_RULE =
  'must be true (the name of the url or service) or a name of lower-case letters, digits, "-" and "."';

const ADDRESS_RULE = 'must hold url (for "tollgate run"), service or services (for "tollgate emit")';

const TLS_RULE = 'must hold ca, serverName or insecure';

/** How an upstream's certificate is judged, where the default (the system's authorities, the URL's host) does not do. */
const tls = z
  .strictObject({
    ca: z
      .string()
      .min(1, { error: 'must name a file' })
      .max(1024, { error: 'must name a file, in at most 1024 characters' })
      .meta({
        description:
          "A file of certificates (PEM), next to the policy, that must have signed the upstream's. Default: the system's authorities.",
        examples: ['certs/ca.pem'],
      })
      .optional(),
    serverName: z
      .string()
      .regex(DNS_NAME, { error: SERVER_NAME_RULE })
      .meta({
        description: "The name that the certificate must be for, and that is asked for (SNI). Default: the URL's host.",
      })
      .optional(),
    insecure: z
      .literal(true, { error: 'must be true; leave it out to have the certificate verified' })
      .meta({ description: 'true: any certificate is accepted. For a trial only: nobody knows then who answers.' })
      .optional(),
  })
  .refine((tls) => Object.values(tls).some((value) => value !== undefined), { error: TLS_RULE })
  .refine(({ ca, insecure }) => ca === undefined || insecure === undefined, {
    error: 'must hold one of ca and insecure',
  })
  .meta({ minProperties: 1 });

export type Tls = z.output<typeof tls>;

export const upstream = z
  .strictObject({
    url: upstreamUrl(
      'Address of the upstream for "tollgate run": http://HOST:PORT, h2c:// for HTTP/2 without TLS (gRPC), https:// for TLS.',
    ).optional(),
    hostRewrite: z
      .union(
        [z.literal(true, { error: HOST_REWRITE_RULE }), z.string().regex(DNS_NAME, { error: HOST_REWRITE_RULE })],
        { error: HOST_REWRITE_RULE },
      )
      .meta({
        description:
          "The host that the upstream sees in place of the caller's. true: the name in its url, or in the mesh its service's.",
        examples: [true, 'pets.example.com'],
      })
      .optional(),
    tls: tls.meta({ description: 'How the certificate of a url of https:// is verified.' }).optional(),
    service: service.meta({ description: 'Destination in the mesh, for "tollgate emit".' }).optional(),
    services: filled(
      weighted,
      'must hold a service',
      'Several destinations in the mesh, by weight; instead of service.',
    ).optional(),
    timeout: duration('Time that a request may take in the mesh, all attempts together.').optional(),
    retries: retries.meta({ description: 'How the mesh retries requests that fail.' }).optional(),
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

/** The host that an upstream sees in the mesh; undefined: the caller's. */
export function meshHostOf(upstream: Upstream): string | undefined {
  return upstream.hostRewrite === true ? destinationsOf(upstream)[0]?.host : upstream.hostRewrite;
}

/** Headers that one rule of a routing table removes at most: what the Gateway API's filter takes. */
export const MAX_REMOVED_HEADERS = 16;

/** etcd refuses larger requests by default (--max-request-bytes). */
export const MAX_REQUEST_BYTES = 1_572_864;
/** Left free for what the API server adds: managed fields, times, the key, the request's frame. */
export const MARGIN_BYTES = 65_536;
/** The largest object that is emitted. */
export const MAX_OBJECT_BYTES = MAX_REQUEST_BYTES - MARGIN_BYTES;
