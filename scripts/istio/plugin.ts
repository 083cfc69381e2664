import type { PluginConfig } from '../policy/index.ts';
import { manifestDigest } from './image.ts';
import { DEFAULT_FAIL_STRATEGY, DEFAULT_PRIORITY, type EmitOptions } from './option.ts';
import type { Place } from './place.ts';
import { metadata, type Resource } from './resource.ts';

/** Argo CD goes by waves, not by names; everything else is in wave 0, and what is pruned goes in the reverse order. */
const AFTER_THE_TABLE = { 'argocd.argoproj.io/sync-wave': '1' } as const;

/** The resource that puts the module with this config in one place. Nothing is left to a default that Istio may change. */
export function pluginOf(config: PluginConfig, place: Place, options: EmitOptions): Resource {
  const { selector, targetRefs, match } = place;
  const filter = {
    url: options.image,
    // for an oci:// image this is the manifest's digest, not that of the wasm file
    sha256: manifestDigest(options.image),
    imagePullPolicy: 'IfNotPresent',
    ...(options.pullSecret !== undefined && { imagePullSecret: options.pullSecret }),
    pluginName: `tollgate-${config.policy}`,
    failStrategy: options.failStrategy ?? DEFAULT_FAIL_STRATEGY,
    pluginConfig: config,
  };
  const scope = {
    ...(selector && { selector }),
    ...(targetRefs && { targetRefs }),
    // before Istio's own authentication: what it checks and logs is what the module lets through
    phase: 'AUTHN',
    priority: options.priority ?? DEFAULT_PRIORITY,
    match,
  };
  const kind = options.kind ?? 'WasmPlugin';
  return {
    apiVersion: 'extensions.istio.io/v1alpha1',
    kind,
    metadata: { ...metadata(config.policy, place.suffix, place.namespace), annotations: AFTER_THE_TABLE },
    spec: kind === 'WasmPlugin' ? { ...scope, ...filter } : { ...scope, wasm: filter },
  };
}
