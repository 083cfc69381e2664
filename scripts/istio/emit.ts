import { EmitError } from './error.ts';
import { compilePolicy, orderedPolicy, type Policy } from '../policy/index.ts';
import { serviceConfigOf, serviceConfigText, withFormer } from '../rateLimitService/serviceConfig.ts';
import { foreignHeadersOf, guardOf, isEdge, openRulesOf } from './failOpen.ts';
import { formerText, type Former } from './former.ts';
import { httpRoutesOf } from './httpRoute.ts';
import { type MeshPlace, placesOf } from './place.ts';
import { checkOwnMetadata, type RolloutStep, withOwnMetadata } from './ownMetadata.ts';
import { type EmitOptions, pluginOf } from './plugin.ts';
import { requestAuthenticationOf } from './requestAuthentication.ts';
import { checkSize, metadata, type Resource, storedBytes, yamlOf } from './resource.ts';
import { routeKindOf, type RoutingTable, routingTableOf } from './routing.ts';
import { destinationRulesOf, kubernetesService, virtualServicesOf } from './virtualService.ts';

export interface EmittedFile {
  /** Name of the file, without folder: kind, namespace and name of the resource. */
  readonly name: string;
  readonly text: string;
  /** `tables`: it has to be there before the plugins. */
  readonly stage: 'tables' | 'plugins';
  readonly resource: Resource;
  /** Size of the object in etcd. */
  readonly bytes: number;
}

/**
 * Every resource that rolls a policy out, one in a file, in the order in which they are to be applied. The same policy, options and
 * former resources give the same bytes.
 */
export function emitResources(written: Policy, options: EmitOptions, former: Former = []): EmittedFile[] {
  checkOwnMetadata(options);
  const policy = orderedPolicy(written);
  const config = compilePolicy(policy, options.atSeconds);
  const table = routingTableOf(policy);
  const places = chosen(policy, options.only);
  const plugins = places.map((place) => pluginOf(config, place, options));
  const guards =
    options.failStrategy === 'FAIL_OPEN'
      ? places.filter(isEdge).map((place) => guardOf(policy.policy, place, foreignHeadersOf(policy)))
      : [];
  const authentications = places.flatMap((place) => requestAuthenticationOf(policy, config, place) ?? []);
  const routes = table === null ? [] : places.flatMap((place) => routesOf(policy, table, place, options, former));
  const files = once([
    ...rateLimitServiceOf(policy, options, former),
    ...guards,
    ...authentications,
    ...routes,
    ...plugins,
  ]).map((resource) => fileOf(withOwnMetadata(resource, STAGE[resource.kind]!, options), policy.policy));
  return files.sort((a, b) => STAGE[a.resource.kind]! - STAGE[b.resource.kind]!);
}

const PLUGIN_STAGE: RolloutStep = 3;
/**
 * What has to be there first, by kind; it begins the file's name, because `kubectl apply -f DIR` applies in the order of
 * names. A table needs the subsets, and a plugin the table with the routes that it names.
 */
const STAGE: Readonly<Record<string, RolloutStep>> = {
  ConfigMap: 1,
  EnvoyFilter: 1,
  RequestAuthentication: 1,
  DestinationRule: 1,
  VirtualService: 2,
  HTTPRoute: 2,
  WasmPlugin: PLUGIN_STAGE,
  TrafficExtension: PLUGIN_STAGE,
};

/** Two targets may need the same DestinationRule; for anything else one of them would be lost. */
function once(resources: readonly Resource[]): Resource[] {
  const all = new Map<string, Resource>();
  for (const resource of resources) {
    const name = nameOf(resource);
    const other = all.get(name);
    if (other !== undefined && JSON.stringify(other) !== JSON.stringify(resource)) {
      throw new EmitError(
        `${resource.kind} ${resource.metadata.name}: would be the name of two different resources in namespace ${resource.metadata.namespace}; change the labels of one of the targets`,
      );
    }
    all.set(name, resource);
  }
  return [...all.values()];
}

function nameOf({ kind, metadata: { name, namespace } }: Resource): string {
  return `${STAGE[kind]}-${kind.toLowerCase()}.${namespace}.${name}.yaml`;
}

function rateLimitServiceOf(policy: Policy, { only }: EmitOptions, former: Former): Resource[] {
  const configMap = rateLimitServiceConfigMapOf(policy, former);
  return configMap === null || (only !== undefined && !only.includes(RATE_LIMIT_SERVICE)) ? [] : [configMap];
}

function chosen(policy: Policy, only: readonly string[] | undefined): MeshPlace[] {
  const places = placesOf(policy);
  if (only === undefined) return places;
  const hasTwin = ({ suffix }: MeshPlace): boolean => places.filter((other) => other.suffix === suffix).length > 1;
  const inNamespace = ({ namespace, suffix }: MeshPlace): string => `${namespace}/${suffix}`;
  const services = rateLimitServiceConfigMapOf(policy) === null ? [] : [RATE_LIMIT_SERVICE];
  const known = [...services, ...places.flatMap((place) => [place.suffix, inNamespace(place)])];
  const unknown = only.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const names = places.map((place) => (hasTwin(place) ? inNamespace(place) : place.suffix));
    throw new EmitError(
      `--only ${unknown}: the policy has no such target; it has ${[...names, ...services].join(', ')}`,
    );
  }
  return places.filter((place) => only.includes(place.suffix) || only.includes(inNamespace(place)));
}

function routesOf(
  policy: Policy,
  table: RoutingTable,
  place: MeshPlace,
  options: EmitOptions,
  former: Former,
): Resource[] {
  const kind = routeKindOf(place, options.routes);
  if (kind === null || (table.rules.length === 0 && !table.isSingle)) return [];
  const open = options.failStrategy === 'FAIL_OPEN' ? openRulesOf(policy) : [];
  if (kind === 'HTTPRoute') return httpRoutesOf(policy.policy, table, place, former, open);
  return [
    ...virtualServicesOf(policy.policy, table, place, former, open),
    ...destinationRulesOf(policy, place.namespace, former),
  ];
}

function fileOf(resource: Resource, policy: string): EmittedFile {
  checkSize(resource);
  return {
    name: nameOf(resource),
    stage: STAGE[resource.kind] === PLUGIN_STAGE ? 'plugins' : 'tables',
    text: yamlOf(resource, policy),
    resource,
    bytes: storedBytes(resource),
  };
}

/** Kubernetes' bound on the strings of a ConfigMap. */
const MAX_CONFIG_MAP_BYTES = 1_048_576;
/** Last part of the ConfigMap's name; `--only` knows it by this. */
const RATE_LIMIT_SERVICE = 'rate-limit-service';

/**
 * What the rate limit service needs to know of a policy, in the service's namespace; none where that cannot be told. What modules that
 * count by plan ask for stays, as routes do, until these are gone.
 */
function rateLimitServiceConfigMapOf(policy: Policy, former: Former = []): Resource | null {
  const config = serviceConfigOf(policy);
  const namespace = rateLimitServiceNamespace(policy);
  if (config === null || namespace === null) return null;
  const own = metadata(policy.policy, RATE_LIMIT_SERVICE, namespace);
  // the file's name is the policy's, so that one folder takes those of several policies
  const file = `${policy.policy}.yaml`;
  const text = serviceConfigText(withFormer(config, formerText(former, own, file)), policy.policy);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_CONFIG_MAP_BYTES)
    throw new EmitError(
      `ConfigMap ${own.name}: would hold ${bytes} bytes with the counters of earlier modules, and Kubernetes takes ${MAX_CONFIG_MAP_BYTES} at most; --forget leaves them out`,
    );
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: own, data: { [file]: text } };
}

/** `outbound|8081||ratelimit.tollgate.svc.cluster.local`: Istio's cluster of a Kubernetes service says its namespace. */
export function rateLimitServiceNamespace({ rateLimitService }: Policy): string | null {
  const host = /^outbound\|\d+\|[^|]*\|([^|]+)$/.exec(rateLimitService?.cluster ?? '')?.[1];
  return host === undefined ? null : (kubernetesService(host)?.namespace ?? null);
}
