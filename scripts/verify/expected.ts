import { CORE_SCHEMA, load } from 'js-yaml';
import { at, listAt, textAt, type KubeObject } from '../cluster/object.ts';
import { tellsRoute, type PluginConfig, type Policy } from '../policy/index.ts';
import { EmitError } from '../istio/error.ts';
import { filesIn } from '../istio/folder.ts';
import { type EmitOptions, emitResources } from '../istio/index.ts';
import { rateLimitServiceNamespace } from '../istio/emit.ts';
import { placesOf } from '../istio/place.ts';
import { FAIL_STRATEGIES } from '../istio/plugin.ts';
import { emittedFrom, type Resource } from '../istio/resource.ts';
import { serviceConfigOf } from '../rateLimitService/serviceConfig.ts';
import type { Observations } from './observation.ts';
import type { Live } from './live.ts';
import { filterOf, PLUGIN_KINDS } from './plugin.ts';

/** What a cluster is to hold of one policy. */
export interface Expected {
  readonly policy: string;
  /** The folder or file that says so. */
  readonly source: string;
  readonly resources: readonly KubeObject[];
  /** Resources whose content cannot be told. */
  readonly undecided: readonly KubeObject[];
}

/** What the files of a folder say, by policy; files that `tollgate emit` did not write do not count. */
export async function expectedIn(folder: string): Promise<Expected[]> {
  const policies = new Map<string, KubeObject[]>();
  for (const [name, text] of await filesIn(folder)) {
    const policy = emittedFrom(text);
    const resource = policy === null ? null : read(`${folder}/${name}`, text);
    if (policy !== null && resource !== null) policies.set(policy, [...(policies.get(policy) ?? []), resource]);
  }
  return [...policies].map(([policy, resources]) => ({ policy, source: folder, resources, undecided: [] }));
}

function read(file: string, text: string): KubeObject | null {
  let value: unknown;
  try {
    value = load(text, { schema: CORE_SCHEMA });
  } catch (error) {
    throw new EmitError(`${file}: is no YAML: ${(error as Error).message.split('\n')[0]}`);
  }
  const isOurs = textAt(value, 'kind') !== undefined && textAt(value, 'metadata', 'name')?.startsWith('tollgate-');
  return isOurs === true ? (value as KubeObject) : null;
}

/** Stands for the image of a plugin that is not rolled out yet. */
const NO_IMAGE = `oci://unknown.invalid/unknown@sha256:${'0'.repeat(64)}`;

/**
 * What `tollgate emit` would write for a policy. How it was called is read off the plugins that are there: image, pull secret, fail
 * strategy, priority and kind; and tables keep the routes of those that are there.
 */
export async function expectedOf(
  policy: Policy,
  source: string,
  given: Pick<EmitOptions, 'image' | 'pullSecret'> | null,
  { live, findings }: { live: Live; findings: Observations },
): Promise<Expected> {
  const former = live.of(policy.policy) as unknown as Resource[];
  const hasServiceConfig = serviceConfigOf(policy) !== null && rateLimitServiceNamespace(policy) !== null;
  const resources = new Map<string, KubeObject>();
  const undecided: KubeObject[] = [];
  for (const [index, { suffix }] of placesOf(policy).entries()) {
    const only = [suffix, ...(index === 0 && hasServiceConfig ? ['rate-limit-service'] : [])];
    const draft = emitResources(policy, { image: given?.image ?? NO_IMAGE, ...given, only }, former);
    const plugin = draft.find(({ stage }) => stage === 'plugins')!.resource;
    const there = await rolledOut(plugin, live);
    if (there === null) {
      for (const { resource } of draft) resources.set(keyOf(resource), resource);
      if (given === null) undecided.push(plugin);
      continue;
    }
    try {
      const options = { ...optionsOf(there), ...given, only };
      for (const { resource } of emitResources(policy, options, former)) resources.set(keyOf(resource), resource);
    } catch (error) {
      if (!(error instanceof EmitError)) throw error;
      findings.problem('image', there, error.message);
      for (const { resource, stage } of draft) if (stage === 'tables') resources.set(keyOf(resource), resource);
      resources.set(keyOf(there), there);
      undecided.push(there);
    }
  }
  return { policy: policy.policy, source, resources: [...resources.values()], undecided };
}

/** The plugin of a place, of whichever kind. */
async function rolledOut({ metadata }: Resource, live: Live): Promise<KubeObject | null> {
  for (const kind of PLUGIN_KINDS) {
    const found = await live.find(kind, metadata.namespace, metadata.name);
    if (found !== null) return found;
  }
  return null;
}

function optionsOf(object: KubeObject): EmitOptions {
  const filter = filterOf(object);
  const [secret, priority] = [textAt(filter, 'imagePullSecret'), at(object.spec, 'priority')];
  const strategy = FAIL_STRATEGIES.find((known) => known === at(filter, 'failStrategy'));
  return {
    image: textAt(filter, 'url') ?? '',
    kind: object.kind === 'TrafficExtension' ? 'TrafficExtension' : 'WasmPlugin',
    ...(secret !== undefined && { pullSecret: secret }),
    ...(strategy !== undefined && { failStrategy: strategy }),
    ...(typeof priority === 'number' && { priority }),
  };
}

function keyOf({ kind, metadata: { namespace, name } }: KubeObject): string {
  return `${kind} ${namespace ?? ''}/${name}`;
}

/** Namespaces that the resources lie in. */
export function namespacesOf(resources: readonly KubeObject[]): string[] {
  return [...new Set(resources.flatMap(({ metadata }) => metadata.namespace ?? []))];
}

/** The policy's routes, as `API/ROUTE`, that a plugin config names in the header x-tollgate-route. */
export function routesIn(config: unknown): string[] {
  if (!tellsRoute(config as Pick<PluginConfig, 'identityHeaders'>)) return [];
  return listAt(config, 'apis').flatMap((api) => {
    const name = textAt(api, 'name') ?? '';
    return [...listAt(api, 'routes').map((route) => `${name}/${textAt(route, 'name') ?? ''}`), `${name}/default`];
  });
}
