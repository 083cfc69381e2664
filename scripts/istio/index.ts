import { Refusal } from '../command.ts';
import { compilePolicy, type Policy } from '../policy/index.ts';
import { destinationRulesOf } from './destinationRule.ts';
import { httpRoutesOf } from './httpRoute.ts';
import { LEDGER, ledgerConfigMapOf } from './ledgerConfigMap.ts';
import type { EmitOptions } from './option.ts';
import { placesOf, type Place } from './place.ts';
import { pluginOf } from './plugin.ts';
import type { Resource } from './resource.ts';
import { routeKindOf, routingTableOf, type RoutingTable } from './routing.ts';
import { checkSize, storedBytes } from './size.ts';
import { virtualServicesOf } from './virtualService.ts';
import { yamlOf } from './yaml.ts';

export type { EmitOptions, FailStrategy, PluginKind, RouteKind } from './option.ts';
export type { Resource } from './resource.ts';

export interface EmittedFile {
  /** Name of the file, without folder: kind, namespace and name of the resource. */
  readonly name: string;
  readonly text: string;
  readonly resource: Resource;
  /** Size of the object in etcd. */
  readonly bytes: number;
}

/** Every resource that rolls a policy out, one in a file. The same policy and options give the same bytes. */
export function emitResources(policy: Policy, options: EmitOptions): EmittedFile[] {
  const config = compilePolicy(policy);
  const table = routingTableOf(policy);
  const places = chosen(policy, options.only);
  const plugins = places.map((place) => pluginOf(config, place, options));
  const routes = table === null ? [] : places.flatMap((place) => routesOf(policy, table, place, options));
  return once([...plugins, ...routes, ...ledgerOf(policy, options)]).map((resource) => fileOf(resource, policy.policy));
}

/** Two targets may need the same DestinationRule. */
function once(resources: readonly Resource[]): Resource[] {
  return [...new Map(resources.map((resource) => [nameOf(resource), resource])).values()];
}

function nameOf({ kind, metadata: { name, namespace } }: Resource): string {
  return `${kind.toLowerCase()}.${namespace}.${name}.yaml`;
}

function ledgerOf(policy: Policy, { only }: EmitOptions): Resource[] {
  const configMap = ledgerConfigMapOf(policy);
  return configMap === null || (only !== undefined && !only.includes(LEDGER)) ? [] : [configMap];
}

function chosen(policy: Policy, only: readonly string[] | undefined): Place[] {
  const places = placesOf(policy);
  const known = [...places.map(({ suffix }) => suffix), ...(ledgerConfigMapOf(policy) === null ? [] : [LEDGER])];
  const unknown = only?.find((suffix) => !known.includes(suffix));
  if (unknown !== undefined) throw new Refusal(`--only ${unknown}: the policy has no such target; it has ${known.join(', ')}`);
  return only === undefined ? places : places.filter(({ suffix }) => only.includes(suffix));
}

function routesOf(policy: Policy, table: RoutingTable, place: Place, options: EmitOptions): Resource[] {
  const kind = routeKindOf(place, options.routes);
  if (kind === null || table.rules.length === 0) return [];
  if (kind === 'HTTPRoute') return httpRoutesOf(policy.policy, table, place);
  return [...virtualServicesOf(policy.policy, table, place), ...destinationRulesOf(policy, place.namespace)];
}

function fileOf(resource: Resource, policy: string): EmittedFile {
  checkSize(resource);
  return { name: nameOf(resource), text: yamlOf(resource, policy), resource, bytes: storedBytes(resource) };
}
