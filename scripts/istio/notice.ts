import { destinationsOf, type Policy } from '../policy/index.ts';
import { kubernetesService } from './destinationRule.ts';
import { serviceConfigOf } from '../ledger/serviceConfig.ts';
import type { EmittedFile } from './index.ts';
import { ledgerNamespace } from './ledgerConfigMap.ts';
import type { EmitOptions } from './option.ts';
import { placesOf } from './place.ts';
import { routeKindOf, routingTableOf } from './routing.ts';
import { MAX_ANNOTATION_BYTES } from './size.ts';

/** Istio's root namespace, unless the mesh was set up otherwise: a plugin without selector is for every pod of the mesh there. */
const ROOT_NAMESPACE = 'istio-system';

/** What whoever rolls the resources out should know, and cannot see in them. */
export function noticesOf(policy: Policy, options: EmitOptions, files: readonly EmittedFile[]): string[] {
  return [...failOpen(options), ...rootNamespace(policy), ...noTable(policy), ...grants(policy), ...foreignLedger(policy), ...serverSide(files)];
}

function failOpen({ failStrategy }: EmitOptions): string[] {
  if (failStrategy !== 'FAIL_OPEN') return [];
  return ['FAIL_OPEN: where the image cannot be pulled or the module cannot run, every request is let through, without key, quota or plan'];
}

function rootNamespace(policy: Policy): string[] {
  if (!policy.targets.some(({ namespace }) => namespace === ROOT_NAMESPACE)) return [];
  return [`target namespace ${ROOT_NAMESPACE}: where that is Istio's root namespace, the policy is enforced on every sidecar of the whole mesh`];
}

/** The module names a route on every request; something has to read it. */
function noTable(policy: Policy): string[] {
  const isRead = placesOf(policy).some((place) => routeKindOf(place, undefined) !== null);
  const leads = Object.values(policy.apis).some((api) => api.routes.some(({ upstream }) => upstream !== undefined && upstream !== api.upstream));
  if (!isRead || !leads || routingTableOf(policy) !== null) return [];
  return ['no routing table: the upstreams name no services, so your own routes must match on the header x-tollgate-route'];
}

/** The Gateway API lets nobody send requests into another namespace without that one's word. */
function grants(policy: Policy): string[] {
  const from = new Set(policy.targets.flatMap(({ gatewayApi }) => (gatewayApi ? [gatewayApi.namespace] : [])));
  const to = new Set(Object.values(policy.upstreams).flatMap((upstream) => destinationsOf(upstream)).flatMap(({ host }) => kubernetesService(host)?.namespace ?? []));
  return [...from].flatMap((namespace) => [...to].filter((other) => other !== namespace).map((other) =>
    `namespace ${other}: must hold a ReferenceGrant for HTTPRoutes of namespace ${namespace}, or their requests are answered with 500`));
}

/** Nobody can tell where the service of another cluster's name reads its configuration. */
function foreignLedger(policy: Policy): string[] {
  if (serviceConfigOf(policy) === null || ledgerNamespace(policy) !== null) return [];
  return [`ledger: cluster ${policy.ledger!.cluster} is no service of Kubernetes, so no ConfigMap is made for it; "tollgate ledger" prints the service's configuration`];
}

function serverSide(files: readonly EmittedFile[]): string[] {
  return files.filter(({ bytes }) => bytes > MAX_ANNOTATION_BYTES).map(({ name, bytes }) =>
    `${name}: ${bytes} bytes; apply it with "kubectl apply --server-side", because client-side apply keeps a second copy in an annotation of at most ${MAX_ANNOTATION_BYTES} bytes`);
}
