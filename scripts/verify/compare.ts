import { at, listAt, textAt, type KubeObject } from '../cluster/object.ts';
import { differences, isMapping, printField } from '../diff/drift.ts';
import type { Expected } from './expected.ts';
import type { Observations } from './observation.ts';
import type { Live } from './live.ts';
import { digestIn, filterOf, PLUGIN_KINDS } from './plugin.ts';

/** What is shown of one object; whoever needs all of it has "tollgate diff --live". */
const MOST_SHOWN = 8;

/**
 * Compares the objects of a cluster with what they are to be, by their content: labels and annotations are anybody's. Resolves to
 * the expected ones that are there, as the cluster holds them.
 */
export async function compareResources(expected: Expected, live: Live, findings: Observations): Promise<KubeObject[]> {
  const found: KubeObject[] = [];
  for (const wanted of expected.resources) {
    const { kind, metadata } = wanted;
    const there = await findings.look(
      'resources',
      wanted,
      async () => (await live.find(kind, metadata.namespace ?? '', metadata.name)) ?? false,
    );
    if (there === false) findings.problem('resources', wanted, 'is not in the cluster');
    if (there === null || there === false) continue;
    found.push(there);
    if (!expected.undecided.includes(wanted)) compare(wanted, there, findings);
  }
  for (const reason of live.unseen) findings.unseen('resources', 'cluster', reason);
  for (const stray of strays(expected, live))
    findings.problem(
      'resources',
      stray,
      PLUGIN_KINDS.includes(stray.kind)
        ? `is in force, and ${expected.source} says nothing of it; remove it with kubectl delete`
        : `is in the cluster, and ${expected.source} says nothing of it`,
    );
  return found;
}

/** Objects with the policy's label that nothing speaks of, such as the plugin of a target that was removed. */
function strays({ policy, resources }: Expected, live: Live): KubeObject[] {
  return live
    .of(policy)
    .filter(
      ({ kind, metadata }) =>
        !resources.some(
          (wanted) =>
            wanted.kind === kind &&
            wanted.metadata.name === metadata.name &&
            wanted.metadata.namespace === metadata.namespace,
        ),
    );
}

function compare(wanted: KubeObject, live: KubeObject, findings: Observations): void {
  const [should, is] = [contentOf(wanted), contentOf(live)];
  const fields = differences(should, is);
  for (const field of fields.slice(0, MOST_SHOWN)) findings.problem('resources', live, printField(field));
  if (fields.length > MOST_SHOWN)
    findings.problem('resources', live, `${fields.length - MOST_SHOWN} more fields; "tollgate diff --live" shows them`);
  if (!PLUGIN_KINDS.includes(wanted.kind)) return;
  const [config, there] = [configOf(wanted), configOf(live)];
  const inside = differences(config, there);
  if (inside.length === 0) return;
  const places = [...new Set(inside.map(({ path }) => path.split('.').slice(0, 2).join('.')))];
  const [old, next] = [digestIn(there), digestIn(config)];
  findings.problem(
    'resources',
    live,
    `pluginConfig: ${old === next ? 'was changed by hand' : `has policy digest ${old}, and not ${next}`}; other: ${places.slice(0, MOST_SHOWN).join(', ')}${places.length > MOST_SHOWN ? ', …' : ''}`,
  );
}

function configOf(object: KubeObject): unknown {
  return at(filterOf(object), 'pluginConfig');
}

/** What Kubernetes may not change of an object, without the plugin config, and without the defaults that an API server adds. */
function contentOf(object: KubeObject): Record<string, unknown> {
  const { kind, spec, data } = object;
  const content: Record<string, unknown> = { ...(spec !== undefined && { spec }), ...(data !== undefined && { data }) };
  if (kind === 'HTTPRoute') return { ...content, spec: withoutDefaults(spec) };
  if (!PLUGIN_KINDS.includes(kind) || !isMapping(spec)) return content;
  const filter = { ...(filterOf(object) as object), pluginConfig: undefined };
  return { ...content, spec: kind === 'TrafficExtension' ? { ...spec, wasm: filter } : filter };
}

/** Fields of an HTTPRoute that mean the same when they are left out; the CRDs of Istio have no defaults. */
const ROUTE_DEFAULTS: readonly [list: string, defaults: Readonly<Record<string, unknown>>][] = [
  ['parentRefs', { group: 'gateway.networking.k8s.io', kind: 'Gateway' }],
  ['backendRefs', { group: '', kind: 'Service', weight: 1 }],
  ['headers', { type: 'Exact' }],
  ['queryParams', { type: 'Exact' }],
];
const ANY_PATH = { type: 'PathPrefix', value: '/' };

function withoutDefaults(value: unknown, list?: string): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutDefaults(item, list));
  if (!isMapping(value)) return value;
  const defaults = ROUTE_DEFAULTS.find(([name]) => name === list)?.[1] ?? {};
  return Object.fromEntries(
    Object.entries(value)
      .filter(([field, member]) => defaults[field] !== member)
      .filter(([field, member]) => !(field === 'path' && list === 'matches' && isAnyPath(member)))
      .map(([field, member]) => [field, withoutDefaults(member, field)] as const)
      .filter(([field, member]) => !(field === 'matches' && differences(member, [{}]).length === 0)),
  );
}

function isAnyPath(value: unknown): boolean {
  return textAt(value, 'type') === ANY_PATH.type && textAt(value, 'value') === ANY_PATH.value;
}

/** The conditions of an object that are False, as `TYPE (REASON): MESSAGE`. */
export function failedConditions(status: unknown): string[] {
  const own = listAt(status, 'conditions');
  const parents = listAt(status, 'parents').flatMap((parent) => listAt(parent, 'conditions'));
  return [...own, ...parents].flatMap((condition) =>
    textAt(condition, 'status') === 'False'
      ? [
          `${textAt(condition, 'type') ?? ''} (${textAt(condition, 'reason') ?? ''}): ${textAt(condition, 'message') ?? ''}`,
        ]
      : [],
  );
}
