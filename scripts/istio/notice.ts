import { CORE_SCHEMA, load } from 'js-yaml';
import {
  destinationsOf,
  endingText,
  passesUnmatched,
  tellsRoute,
  type PluginConfig,
  type Policy,
} from '../policy/index.ts';
import { kubernetesService } from './virtualService.ts';
import { isFormer, serviceConfigOf, type ServiceConfig } from '../rateLimitService/serviceConfig.ts';
import { isEdge, openRulesOf } from './failOpen.ts';
import { type EmittedFile, rateLimitServiceNamespace } from './emit.ts';
import type { EmitOptions } from './plugin.ts';
import { placesOf } from './place.ts';
import { routeKindOf, routingTableOf } from './routing.ts';
import { MAX_CLIENT_SIDE_BYTES } from './resource.ts';

/** Istio's root namespace, unless the mesh was set up otherwise: a plugin without selector is for every pod of the mesh there. */
const ROOT_NAMESPACE = 'istio-system';

/** What somebody who rolls the resources out should know and cannot see in them. */
export function noticesOf(policy: Policy, options: EmitOptions, files: readonly EmittedFile[]): string[] {
  return [
    ...failOpen(policy, options),
    ...rootNamespace(policy),
    ...gatewayAsServer(policy),
    ...noTable(policy),
    ...otherRoutes(policy),
    ...grants(policy),
    ...foreignRateLimitService(policy),
    ...countersByPlan(files),
    ...zonesEnding(files),
    ...logFormat(policy),
    ...pathNormalization(policy),
    ...serverSide(files),
  ];
}

/** Says what passes and what does not: docs/istio.md has the table. */
function failOpen(policy: Policy, { failStrategy }: EmitOptions): string[] {
  if (failStrategy !== 'FAIL_OPEN') return [];
  const places = placesOf(policy);
  const hasTable = routingTableOf(policy) !== null;
  const several =
    hasTable && !passesUnmatched(policy) && new Set(openRulesOf(policy).map(({ upstream }) => upstream)).size > 1;
  const inside = places.filter((place) => !isEdge(place)).map(({ suffix }) => suffix);
  const modern = places.filter(({ target }) => target.gatewayApi?.kind === 'Gateway').map(({ suffix }) => suffix);
  return [
    'FAIL_OPEN: where the image cannot be pulled or a VM has died, requests pass unchecked, without key, quota or plan; a proxy that has had no valid config yet answers 500',
    ...(several && modern.length > 0
      ? [
          `FAIL_OPEN: target ${modern.join(', ')}: unchecked requests get 404, because an HTTPRoute can send them to only one upstream and the APIs have several`,
        ]
      : []),
    ...(inside.length > 0
      ? [
          `FAIL_OPEN: target ${inside.join(', ')}: unchecked requests keep whatever x-tollgate-… headers their callers wrote; only gateways remove them`,
        ]
      : []),
  ];
}

function rootNamespace(policy: Policy): string[] {
  if (!policy.targets.some(({ namespace }) => namespace === ROOT_NAMESPACE)) return [];
  return [
    `target namespace ${ROOT_NAMESPACE}: where that is Istio's root namespace, the policy is enforced on every sidecar of the whole mesh`,
  ];
}

/** Labels that gateways have as Istio or the Gateway API deploys them. */
const GATEWAY_LABELS: readonly [label: string, value: RegExp][] = [
  ['istio', /gateway$/],
  ['app', /^istio-(?:in|e)gress(?:gateway)?$/],
  ['gateway.networking.k8s.io/gateway-name', /./],
  ['istio.io/gateway-name', /./],
];

/** Istio silently applies no plugin with mode SERVER to a gateway: what is behind it would be open. */
function gatewayAsServer({ targets }: Policy): string[] {
  const gateways = targets.flatMap(({ gateway }) => (gateway ? [gateway] : []));
  return targets.flatMap(({ workload }) => {
    if (workload?.mode !== 'SERVER') return [];
    const labels = Object.entries(workload.selector);
    const isNamed = labels.some(([label, value]) =>
      GATEWAY_LABELS.some(([known, pattern]) => known === label && pattern.test(value)),
    );
    const isSame = gateways.some(
      ({ namespace, selector }) =>
        namespace === workload.namespace && labels.every(([label, value]) => selector[label] === value),
    );
    if (!isNamed && !isSame) return [];
    const selector = labels.map(([label, value]) => `${label}: ${value}`).join(', ');
    return [
      `target workload { ${selector} }: looks like a gateway, where Istio applies no plugin with mode SERVER, so nothing would be checked there; make it a target "gateway"`,
    ];
  });
}

/** The module names a route on every request; something has to read it. */
function noTable(policy: Policy): string[] {
  const isRead = placesOf(policy).some((place) => routeKindOf(place, undefined) !== null);
  const leads = Object.values(policy.apis).some((api) =>
    api.routes.some(({ upstream }) => upstream !== undefined && upstream !== api.upstream),
  );
  if (!isRead || !leads || !tellsRoute(policy) || routingTableOf(policy) !== null) return [];
  return [
    'no routing table: the upstreams name no services, so your own routes must match on the header x-tollgate-route',
  ];
}

/** What the module leaves in a request, only Tollgate's own routes take off. */
function otherRoutes({ keyRemoval }: Policy): string[] {
  if (keyRemoval !== 'routes') return [];
  return [
    'keyRemoval: routes: keys are taken off by the routes emitted here and by no others, so on these gateways no other VirtualService or HTTPRoute may take requests with keys',
  ];
}

/** The Gateway API lets nobody send requests into another namespace without that namespace's consent. */
function grants(policy: Policy): string[] {
  const from = new Set(policy.targets.flatMap(({ gatewayApi }) => (gatewayApi ? [gatewayApi.namespace] : [])));
  const to = new Set(
    Object.values(policy.upstreams)
      .flatMap((upstream) => destinationsOf(upstream))
      .flatMap(({ host }) => kubernetesService(host)?.namespace ?? []),
  );
  return [...from].flatMap((namespace) =>
    [...to]
      .filter((other) => other !== namespace)
      .map(
        (other) =>
          `namespace ${other}: must hold a ReferenceGrant for HTTPRoutes of namespace ${namespace}, or their requests are answered with 500`,
      ),
  );
}

/** Modules that count by plan are on their way out, and their counters with them. */
function countersByPlan(files: readonly EmittedFile[]): string[] {
  const texts = files.flatMap(({ resource }) =>
    resource.kind === 'ConfigMap' ? Object.values(resource.data ?? {}) : [],
  );
  if (!texts.some((text) => (load(text, { schema: CORE_SCHEMA }) as ServiceConfig).descriptors.some(isFormer)))
    return [];
  return [
    'rateLimitService: the ConfigMap keeps what earlier modules ask for, which count by plan, until --forget; with this module counts of mesh-wide quotas begin at zero once',
  ];
}

/** What was compiled for a time long ago, because it was asked for. */
function zonesEnding(files: readonly EmittedFile[]): string[] {
  const configs = files.flatMap(({ resource: { spec } }) => {
    const { pluginConfig, wasm } = (spec ?? {}) as {
      pluginConfig?: PluginConfig;
      wasm?: { pluginConfig: PluginConfig };
    };
    return pluginConfig ?? wasm?.pluginConfig ?? [];
  });
  const text = endingText(configs[0]?.zones ?? [], Date.now() / 1000);
  return text === null ? [] : [`${text}; emit without --at and SOURCE_DATE_EPOCH, or with a later time`];
}

/** A cluster of any other name does not say where its service reads the configuration. */
function foreignRateLimitService(policy: Policy): string[] {
  if (serviceConfigOf(policy) === null || rateLimitServiceNamespace(policy) !== null) return [];
  return [
    `rateLimitService: cluster ${policy.rateLimitService!.cluster} is not a Kubernetes service, so it gets no ConfigMap; "tollgate rate-limit-service" prints the service's configuration`,
  ];
}

/** The log's format is the mesh's, not the policy's. */
function logFormat({ accessLog }: Policy): string[] {
  if (accessLog?.fields === undefined) return [];
  return [
    "accessLog: the fields show where the mesh's access log names them, as %FILTER_STATE(wasm.tollgate.consumer:PLAIN)% in meshConfig.accessLogFormat (docs/access-log.md)",
  ];
}

/** What every Envoy of the mesh does to a path before any filter sees it. */
function pathNormalization({ apis }: Policy): string[] {
  const named = Object.entries(apis).filter(([, { pathData }]) => pathData !== undefined);
  if (named.length === 0) return [];
  return [
    `pathData: API ${named.map(([name]) => name).join(', ')}: meshConfig.pathNormalization must be NONE or BASE, Istio's default; MERGE_SLASHES merges slashes and DECODE_AND_MERGE_SLASHES decodes %2F too, before the module sees the path`,
  ];
}

function serverSide(files: readonly EmittedFile[]): string[] {
  return files
    .filter(({ bytes }) => bytes > MAX_CLIENT_SIDE_BYTES)
    .map(
      ({ name, bytes }) =>
        `${name}: an object of ${bytes} bytes; apply it with "kubectl apply --server-side", because client-side apply keeps a second copy in an annotation, which takes objects of at most ${MAX_CLIENT_SIDE_BYTES} bytes`,
    );
}
