/** What one Envoy serves at a time: everything that is generated from a policy, in our words. */
export interface Snapshot {
  readonly upstreams: readonly Upstream[];
  /** Services that count for the whole mesh, as the policy names them: one at most, but for the moment of an edit. */
  readonly rateLimitServices: readonly Upstream[];
  readonly routes: readonly Route[];
  /** Upstream of requests that match no API; null: they are refused. */
  readonly ungated: string | null;
  /** The compiled plugin config, JSON text. */
  readonly pluginConfig: string;
  /** Separates shared data (so: counters) and VMs of tests that share one Envoy; absent in real use, as in Istio. */
  readonly vmId?: string;
}

export interface Upstream {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

export interface Route {
  /** What the filter puts into x-tollgate-route: `<api>/<route>`. */
  readonly name: string;
  readonly upstream: string;
}

/**
 * Both at once, for the moment in which workers still decide by the old policy while others already decide by the new:
 * whatever either of them names can be routed. The new one wins where both name the same.
 */
export function union(old: Snapshot, next: Snapshot): Snapshot {
  return {
    ...next,
    upstreams: [...next.upstreams, ...missing(old.upstreams, next.upstreams)],
    rateLimitServices: [...next.rateLimitServices, ...missing(old.rateLimitServices, next.rateLimitServices)],
    routes: [...next.routes, ...missing(old.routes, next.routes)],
    ungated: next.ungated ?? old.ungated,
  };
}

function missing<T extends { name: string }>(from: readonly T[], known: readonly T[]): T[] {
  const names = new Set(known.map((item) => item.name));
  return from.filter((item) => !names.has(item.name));
}
