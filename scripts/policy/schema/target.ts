import { z } from 'zod';
import { filled, listed } from './collection.ts';
import { gatewayName, labels, name63, port, resourceName } from './mesh.ts';

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
