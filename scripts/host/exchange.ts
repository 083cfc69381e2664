import type { HeaderMap } from './headerMap.ts';

/** A request that has ended, and what became of it. */
export interface Exchange {
  readonly response: HeaderMap;
  readonly body: string;
  /** What the upstream received, or null when the request ended here. */
  readonly upstream: HeaderMap | null;
  readonly details: string;
  readonly filterState: ReadonlyMap<string, string>;
}
