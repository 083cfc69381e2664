/** A service beside Envoy that a variant calls. */
export type Service = 'ratelimit' | 'extauthz';

/** Where a variant belongs in tables and in the chart. */
export type Family = 'floor' | 'tollgate' | 'native' | 'lua' | 'service' | 'foreign';

/** One way to gate a request: a listener of its own in the same Envoy. */
export interface Variant {
  /** In options and results: lower case with hyphens. */
  readonly name: string;
  /** In tables and in the chart. */
  readonly title: string;
  readonly family: Family;
  /** Status that every answer must have; null takes whatever the first one has. */
  readonly status: number | null;
  /** The API key that requests carry. */
  readonly key: string;
  readonly services: readonly Service[];
  /** Response header that shows that the variant did its work. */
  readonly proof?: string;
  /** Wasm file in the filter, when there is one: built or looked up before Envoy starts. */
  readonly module?: () => Promise<string>;
  /** Plugin configuration of the wasm file. */
  readonly configuration?: () => string;
  /** HTTP filters before the router; the wasm filter, if there is one, comes last of these. */
  readonly filters?: () => readonly object[];
  /** Rate limit actions of the virtual host. */
  readonly rateLimits?: readonly object[];
  /** What the rate limit service must know for this variant: descriptors of its one domain. */
  readonly descriptors?: readonly object[];
}

/** Every other variant is compared with these two. */
export const NO_FILTER = 'no-filter';
export const EMPTY_MODULE = 'empty-module';
