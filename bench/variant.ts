/** A service beside Envoy that a variant calls. */
export type Service = 'ratelimit' | 'extauthz';

/** A variant's group in tables and in the chart. */
export type Family = 'floor' | 'tollgate' | 'native' | 'lua' | 'service' | 'foreign';

/** One way to check requests; each has its own listener in the same Envoy. */
export interface Variant {
  /** Name in options and results: lower case with hyphens. */
  readonly name: string;
  /** Title in tables and in the chart. */
  readonly title: string;
  readonly family: Family;
  /** Status that every answer must have; null for the status of the first answer. */
  readonly status: number | null;
  /** The API key of the requests. */
  readonly key: string;
  readonly services: readonly Service[];
  /** Response header that proves that the variant did its work. */
  readonly proof?: string;
  /** A key that it must answer with 401, where no header proves that it did its work. */
  readonly refuses?: string;
  /** The filter's wasm file, if it has one: built or located before Envoy starts. */
  readonly module?: () => Promise<string>;
  /** Plugin configuration of the wasm file. */
  readonly configuration?: () => string;
  /** HTTP filters before the router; a wasm filter comes last among them. */
  readonly filters?: () => readonly object[];
  /** HTTP filters that stand for what the routing table does to a request: they come behind the wasm filter, as the router would. */
  readonly routing?: () => readonly object[];
  /** Rate limit actions of the virtual host. */
  readonly rateLimits?: readonly object[];
  /** What an access log shows of each request, by name, as Envoy's formats say it; without it nothing is logged. */
  readonly accessLog?: Readonly<Record<string, string>>;
  /** Descriptors that the rate limit service must have in its configuration for this variant. */
  readonly descriptors?: readonly object[];
}

/** Every other variant is compared with these two. */
export const NO_FILTER = 'no-filter';
export const EMPTY_MODULE = 'empty-module';
