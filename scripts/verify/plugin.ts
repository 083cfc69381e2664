import { SHOWN_DIGEST_DIGITS } from '../contract/metrics.ts';
import { at, listAt, nameOf, shown, textAt, type KubeObject } from '../cluster/object.ts';

/** A WasmPlugin or TrafficExtension of ours, as it is emitted or as the cluster holds it. */
export interface PluginResource {
  readonly object: KubeObject;
  /** `KIND NAMESPACE/NAME` */
  readonly label: string;
  readonly namespace: string;
  readonly name: string;
  readonly policy: string;
  /** Labels of the pods; null: every pod of the namespace, or what `targetRefs` says. */
  readonly selector: Readonly<Record<string, string>> | null;
  readonly targetRefs: readonly { readonly kind: string; readonly name: string }[];
  readonly mode: string;
  /** Null: all. */
  readonly ports: readonly number[] | null;
  readonly image: string;
  readonly pullSecret: string | null;
  readonly failStrategy: string;
  readonly config: unknown;
  /** First digits of the policy's digest, as the module's metrics show it. */
  readonly digest: string;
}

export const PLUGIN_KINDS: readonly string[] = ['WasmPlugin', 'TrafficExtension'];

/** Null for another kind of object. */
export function pluginResourceOf(object: KubeObject): PluginResource | null {
  if (!PLUGIN_KINDS.includes(object.kind)) return null;
  const { spec, metadata } = object;
  const filter = filterOf(object);
  const config = at(filter, 'pluginConfig');
  const selector = at(spec, 'selector', 'matchLabels');
  const ports = listAt(spec, 'match', 0, 'ports').flatMap((port) => {
    const number = at(port, 'number');
    return typeof number === 'number' ? [number] : [];
  });
  return {
    object,
    label: nameOf(object),
    namespace: metadata.namespace ?? 'default',
    name: metadata.name,
    policy: shown(textAt(config, 'policy') ?? ''),
    selector: isLabels(selector) ? selector : null,
    targetRefs: listAt(spec, 'targetRefs').map((ref) => ({
      kind: textAt(ref, 'kind') ?? '',
      name: textAt(ref, 'name') ?? '',
    })),
    mode: textAt(spec, 'match', 0, 'mode') ?? '',
    ports: ports.length === 0 ? null : ports,
    image: textAt(filter, 'url') ?? '',
    // Istio takes an empty name for none
    pullSecret: textAt(filter, 'imagePullSecret') || null,
    failStrategy: textAt(filter, 'failStrategy') ?? '',
    config,
    digest: digestIn(config),
  };
}

/** The part of the resource that says what runs: a TrafficExtension has it one level deeper. */
export function filterOf({ kind, spec }: KubeObject): unknown {
  return kind === 'TrafficExtension' ? at(spec, 'wasm') : spec;
}

/** The digest that the config itself names, as far as metrics show it; none in configs of before there were digests. */
export function digestIn(config: unknown): string {
  return shown(textAt(config, 'digest') ?? '').slice(0, SHOWN_DIGEST_DIGITS) || 'none';
}

function isLabels(value: unknown): value is Record<string, string> {
  return (
    typeof value === 'object' && value !== null && Object.values(value).every((label) => typeof label === 'string')
  );
}
