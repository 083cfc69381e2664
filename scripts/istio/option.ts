export type PluginKind = 'WasmPlugin' | 'TrafficExtension';
export const FAIL_STRATEGIES = ['FAIL_RELOAD', 'FAIL_CLOSE', 'FAIL_OPEN'] as const;
export type FailStrategy = (typeof FAIL_STRATEGIES)[number];
export type RouteKind = 'VirtualService' | 'HTTPRoute';

export interface EmitOptions {
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
  /** Only these targets (or `rate limit service`), by the last part of their resources' names; default: all. */
  readonly only?: readonly string[] | undefined;
}

export const DEFAULT_PRIORITY = 10;
/** Refuses like FAIL_CLOSE and lets nothing pass, but a VM that died is made anew a second later (docs/decisions/0015). */
export const DEFAULT_FAIL_STRATEGY: FailStrategy = 'FAIL_RELOAD';
