import { EnvoyError } from './error.ts';
import { isIP } from 'node:net';
import {
  headersRoutesRemove,
  parseUpstream,
  passesUnmatched,
  tellsRoute,
  URL_FORM,
  type IdentityHeaders,
  type Mode,
  type Policy,
  type Protocol,
  type Tls,
} from '../policy/index.ts';
import { verificationOf, type Verification, type VerifiedPolicy } from './tokens.ts';
import { NO_TRUST, type Overrides, type RoutedUpstreams, type Trust } from './trust.ts';

/** What one Envoy serves at a time: everything that is generated from a policy, in our words. */
export interface Snapshot extends Partial<Verification> {
  readonly upstreams: readonly LocalUpstream[];
  /** Services that count for the whole mesh, as the policy names them: one at most, except for a moment during an edit. */
  readonly rateLimitServices: readonly LocalUpstream[];
  readonly routes: readonly Route[];
  /** Upstream of requests that name no route; null: they are refused. */
  readonly ungated: string | null;
  /** Headers that routes take off every request: keys that the module leaves there. Absent: none. */
  readonly removedHeaders?: readonly string[];
  /** The compiled plugin config, JSON text. */
  readonly pluginConfig: string;
  /** Separates shared data (so: counters) and VMs of tests that share one Envoy; absent in real use, as in Istio. */
  readonly vmId?: string;
}

export interface LocalUpstream {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** What it speaks; absent: HTTP/1.1. */
  readonly protocol?: 'h2c' | 'https';
  /** With https, and then always. */
  readonly tls?: UpstreamTls;
  /** The host that it sees; absent: the caller's. */
  readonly seenHost?: string;
}

/** How an upstream's certificate is judged. */
export interface UpstreamTls {
  /** A name or an address that the certificate must be for. */
  readonly serverName: string;
  /** Certificates of the authorities that may have signed it, PEM; null: anything is accepted. */
  readonly authorities: string | null;
}

interface Route {
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
    ...both(old, next, 'keySets'),
    ...both(old, next, 'issuers'),
    ungated: next.ungated ?? old.ungated,
    ...removal([...new Set([...(old.removedHeaders ?? []), ...(next.removedHeaders ?? [])])]),
  };
}

/** Nothing where there is nothing to remove: then tables are as they were. */
function removal(headers: readonly string[]): Pick<Snapshot, 'removedHeaders'> {
  return headers.length === 0 ? {} : { removedHeaders: headers };
}

/** A list of both, where one of them has it. */
function both(old: Snapshot, next: Snapshot, list: keyof Verification): Partial<Verification> {
  if (old[list] === undefined && next[list] === undefined) return {};
  const [before, after] = [old[list] ?? [], next[list] ?? []] as readonly (readonly { name: string }[])[];
  return { [list]: [...after!, ...missing(before!, after!)] };
}

function missing<T extends { name: string }>(from: readonly T[], known: readonly T[]): T[] {
  const names = new Set(known.map((item) => item.name));
  return from.filter((item) => !names.has(item.name));
}

/** As much of a policy as Envoy's clusters and routes are made from. */
export interface RoutedPolicy extends Pick<VerifiedPolicy, 'tokens'> {
  readonly unmatched?: 'deny' | 'allow' | undefined;
  readonly mode?: Mode | undefined;
  readonly identityHeaders?: IdentityHeaders | undefined;
  readonly keyRemoval?: Policy['keyRemoval'];
  readonly keySources?: Policy['keySources'] | undefined;
  readonly upstreams?: RoutedUpstreams | undefined;
  readonly rateLimitService?: { readonly cluster: string } | undefined;
  readonly apis: Readonly<
    Record<
      string,
      {
        readonly upstream?: string | undefined;
        readonly credentials?: readonly string[] | undefined;
        readonly routes?: readonly { readonly name: string; readonly upstream?: string | undefined }[] | undefined;
      }
    >
  >;
}

/** Where on this machine the policy's rate limit service is. */
export type RateLimitServiceAddress = Pick<LocalUpstream, 'host' | 'port'>;

/**
 * What Envoy serves for a policy. `unmatched: allow` and `mode: observe` need somewhere to go: the first upstream, as a sidecar has only one.
 * Throws EnvoyError for an upstream that leads nowhere on this machine.
 */
export function snapshotOf(
  policy: RoutedPolicy,
  pluginConfig: object,
  overrides: Overrides = new Map(),
  rateLimitService: RateLimitServiceAddress | null = null,
  trust: Trust = NO_TRUST,
): Snapshot {
  const upstreams = upstreamsOf(policy, overrides, trust);
  const routes = routesOf(policy);
  const isTold = tellsRoute(policy);
  return {
    upstreams,
    rateLimitServices: rateLimitServicesOf(policy, rateLimitService),
    routes: isTold ? routes : [],
    ...verificationOf(policy, trust),
    // where no request tells its route, all of them lead to one upstream
    ungated: passesUnmatched(policy) ? (upstreams[0]?.name ?? null) : isTold ? null : (routes[0]?.upstream ?? null),
    ...removal(headersRoutesRemove(policy)),
    pluginConfig: JSON.stringify(pluginConfig),
  };
}

function routesOf({ apis }: RoutedPolicy): Route[] {
  return Object.entries(apis)
    .flatMap(([api, { upstream, routes = [] }]) => [
      ...routes.map((route) => ({ name: `${api}/${route.name}`, upstream: route.upstream ?? upstream })),
      { name: `${api}/default`, upstream },
    ])
    .filter((route): route is Route => route.upstream !== undefined);
}

/** Without an address there is no such cluster: the module finds that nobody answers, and does what the quotas say. */
function rateLimitServicesOf(policy: RoutedPolicy, address: RateLimitServiceAddress | null): LocalUpstream[] {
  if (policy.rateLimitService === undefined || address === null) return [];
  const { cluster } = policy.rateLimitService;
  if (Object.hasOwn(policy.upstreams ?? {}, cluster))
    throw new EnvoyError(
      `rateLimitService: cluster ${cluster} is the name of an upstream too, and one Envoy has one cluster of a name; call the upstream something else`,
    );
  return [{ name: cluster, ...address }];
}

function upstreamsOf(policy: RoutedPolicy, overrides: Overrides, trust: Trust): LocalUpstream[] {
  return Object.entries(policy.upstreams ?? {}).map(([name, { url, tls, hostRewrite }]) => {
    const text = overrides.get(name) ?? url;
    // an upstream that only names a service of a mesh leads nowhere on this machine
    if (text === undefined)
      throw new EnvoyError(
        `upstream ${name}: has no url, only a service of a mesh; give it one here: --upstream ${name}=http://HOST:PORT`,
      );
    const address = parseUpstream(text);
    if (address === null) throw new EnvoyError(`upstream ${name}: ${URL_FORM}; found "${text}"`);
    const seenHost = hostRewrite === true ? inUrl(address.host) : hostRewrite;
    return { ...upstreamAt(name, address, tls, trust), ...(seenHost !== undefined && { seenHost }) };
  });
}

function inUrl(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

function upstreamAt(
  name: string,
  { protocol, host, port }: { protocol: Protocol; host: string; port: number },
  tls: Tls | undefined,
  trust: Trust,
): LocalUpstream {
  if (protocol === 'http') return { name, host, port };
  if (protocol === 'h2c') return { name, host, port, protocol };
  const authorities = tls?.insecure === true ? null : trust.authorities(name, tls?.ca);
  return { name, host, port, protocol, tls: { serverName: tls?.serverName ?? host, authorities } };
}

/** True for a name, which a client may ask for (SNI); servers have no names that are addresses. */
export function isServerName(serverName: string): boolean {
  return isIP(serverName) === 0;
}
