import { EmitError } from './error.ts';
import { takesTokens, type PluginConfig } from '../policy/index.ts';
import type { MeshPlace } from './place.ts';
import type { OwnMetadata } from './ownMetadata.ts';
import { metadata, type Resource } from './resource.ts';

export type PluginKind = 'WasmPlugin' | 'TrafficExtension';
export const FAIL_STRATEGIES = ['FAIL_RELOAD', 'FAIL_CLOSE', 'FAIL_OPEN'] as const;
export type FailStrategy = (typeof FAIL_STRATEGIES)[number];
export type RouteKind = 'VirtualService' | 'HTTPRoute';

export interface EmitOptions extends OwnMetadata {
  /** `oci://HOST/REPOSITORY@sha256:…` */
  readonly image: string;
  /** Default: WasmPlugin. */
  readonly kind?: PluginKind | undefined;
  /** Default: FAIL_RELOAD. */
  readonly failStrategy?: FailStrategy | undefined;
  /** Default: what each target can read, see `routeKindOf`. */
  readonly routes?: RouteKind | undefined;
  /** Name of the Secret with which the image is pulled. */
  readonly pullSecret?: string | undefined;
  /** Place among other plugins of the same phase, the highest first. Default: 10. */
  readonly priority?: number | undefined;
  /** Only these targets (or `rate-limit-service`), by the last part of their resources' names; default: all. */
  readonly only?: readonly string[] | undefined;
  /** For policies with calendars: which years of time zones the config covers, as `compilePolicy` says. Default: now. */
  readonly atSeconds?: number | undefined;
}

const DEFAULT_PRIORITY = 10;
/** Refuses like FAIL_CLOSE and lets nothing pass, but a VM that died is replaced a second later (docs/decisions/0015). */
const DEFAULT_FAIL_STRATEGY: FailStrategy = 'FAIL_RELOAD';

/** The resource that puts the module with this config in one place. Nothing is left to a default that Istio may change. */
export function pluginOf(config: PluginConfig, place: MeshPlace, options: EmitOptions): Resource {
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
    // before Istio's own authentication, so that what it checks and logs is what the module lets through; after it where the module goes by
    // tokens that Istio has verified
    phase: takesTokens(config) ? 'AUTHZ' : 'AUTHN',
    priority: options.priority ?? DEFAULT_PRIORITY,
    match,
  };
  const kind = options.kind ?? 'WasmPlugin';
  return {
    apiVersion: 'extensions.istio.io/v1alpha1',
    kind,
    metadata: metadata(config.policy, place.suffix, place.namespace),
    spec: kind === 'WasmPlugin' ? { ...scope, ...filter } : { ...scope, wasm: filter },
  };
}

const REFERENCE =
  /^oci:\/\/[a-zA-Z0-9.-]+(?::\d+)?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+(?::[\w][\w.-]{0,127})?@sha256:([0-9a-f]{64})$/;

/**
 * The digest (64 hex digits) of an image's manifest. Only a digest says which bytes will run: a tag can be moved by whoever
 * may push, and proxies that pulled it at different times would run different modules under one policy.
 */
function manifestDigest(image: string): string {
  // Istio takes such a URL and then silently drops the plugin: everything is let through
  if (!image.startsWith('oci://')) throw new EmitError(`image must begin with oci://; found "${image}"`);
  if (!image.includes('@')) {
    throw new EmitError(
      `image must name a digest (oci://HOST/REPOSITORY@sha256:…), because a tag can be moved and proxies would run different modules; "tollgate push" prints it; found "${image}"`,
    );
  }
  const digest = REFERENCE.exec(image)?.[1];
  if (digest === undefined)
    throw new EmitError(`image must be oci://HOST/REPOSITORY@sha256: and 64 lower-case hex digits; found "${image}"`);
  return digest;
}
