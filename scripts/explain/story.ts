import type { ApiConfig, PluginConfig, RouteConfig } from '../contract/pluginConfig.ts';
import { LOG_FIELDS } from '../contract/table.ts';
import type { WasmModule } from '../host/abi.ts';
import { decisionOf, logFieldsOf, type Exchange } from '../host/openRequest.ts';
import { HeaderMap, type Pair } from '../host/stream.ts';
import { compilePolicy, ConfigHoldings, type Policy } from '../policy/index.ts';
import { countedHere, Engine } from './engine.ts';
import { normalisedPath } from './path.ts';
import { conditionsOf, Probe, type Condition } from './probe.ts';
import { pairsOf, withoutQuery, type ExplainedRequest } from './request.ts';
import { standingsOf, type QuotaStanding } from './standing.ts';

/** What becomes of one request and why, without the key: everything here may be printed. */
export interface Story {
  readonly outcome: 'allowed' | 'refused';
  /** A code of docs/reasons.md. */
  readonly reason: string;
  readonly at: string;
  readonly request: { readonly method: string; readonly host: string | null; readonly path: string };
  /** Null for a path that servers read in different ways. */
  readonly normalisedPath: string | null;
  readonly api: Pick<ApiConfig, 'name' | 'hosts' | 'paths'> | null;
  readonly key: { readonly places: readonly string[]; readonly id: string | null };
  readonly consumer: string | null;
  readonly plan: PlanStory | null;
  readonly quotas: readonly QuotaStanding[];
  readonly route: RouteStory | null;
  readonly headers: { readonly set: readonly SetHeader[]; readonly removed: readonly string[] };
  /** What goes on; null when the request ends here. */
  readonly upstream: {
    readonly name: string | null;
    readonly method: string;
    readonly host: string;
    readonly path: string;
  } | null;
  /** What the module answers; of a request that goes on, what it adds to the upstream's answer: `status` is null then. */
  readonly reply: { readonly status: number | null; readonly headers: readonly Pair[]; readonly body: string };
  /** Everything that the decision's line and fields for access logs say. */
  readonly decision: Readonly<Record<string, string | number>>;
}

export interface PlanStory {
  readonly name: string | null;
  /** Where it comes from; `none`: the consumer has no plan here. */
  readonly through: 'subscription' | 'consumer' | 'none';
  /** Plans that the API offers. */
  readonly offered: readonly string[];
  /** The consumer's own plan. */
  readonly own: string | null;
  /** Own limits of the subscription, by quota. */
  readonly limits: Readonly<Record<string, number>>;
}

export interface RouteStory {
  /** `API/ROUTE`. */
  readonly name: string;
  /** Conditions that hold; none for the API's own route. */
  readonly conditions: readonly string[];
  /** Routes that come before it, each with the first condition that does not hold. */
  readonly passedOver: readonly { readonly name: string; readonly condition: string }[];
  /** Further such routes. */
  readonly morePassedOver: number;
}

export interface SetHeader {
  readonly name: string;
  /** Null where it is the client's, and so may be a secret. */
  readonly value: string | null;
}

const MOST_PASSED_OVER = 10;
/** What stands for an upstream's answer, so that what the module adds can be told from it. */
const UPSTREAM_HEADERS = new Set([':status', 'content-type']);

/** Sends the request through the module under the policy, with all counters at zero, or through an `engine` that has counted already. */
export function tellStory(
  policy: Policy,
  module: WasmModule,
  request: ExplainedRequest,
  atMs: number,
  engine?: Engine,
): Story {
  const config = countedHere(compilePolicy(policy), LOG_FIELDS);
  const pairs = pairsOf(request);
  const exchange = (engine ?? new Engine(module, config, atMs)).decide(pairs, atMs);
  // the line calls the key's id `key`, the field keyId
  const decision = { ...decisionOf(exchange), key: undefined, ...logFieldsOf(exchange) } as Record<
    string,
    string | number | undefined
  >;
  const probe = new Probe(module, pairs, atMs);
  const text = (name: string): string | null => (decision[name] === undefined ? null : String(decision[name]));
  const api = config.apis.find(({ name }) => name === text('api'));
  const consumer = text('consumer');
  const route =
    api === undefined || text('route') === null
      ? null
      : routeStory(text('route')!, api, (condition) => probe.holds(config, api.name, consumer, condition));
  return {
    outcome: exchange.upstream === null && statusOf(exchange) >= 400 ? 'refused' : 'allowed',
    reason: text('reason') ?? exchange.details,
    at: new Date(atMs).toISOString(),
    request: { method: request.method, host: request.host, path: withoutQuery(request.path) },
    normalisedPath: normalisedPath(withoutQuery(request.path)),
    api: api === undefined ? null : { name: api.name, ...(api.hosts && { hosts: api.hosts }), paths: api.paths },
    key: { places: probe.keyPlaces(config.keySources), id: text('keyId') },
    consumer,
    plan: api === undefined || consumer === null ? null : planStory(config, api, consumer, text('plan')),
    quotas: standingsOf(exchange.response),
    route,
    headers: editsOf(pairs, exchange, routeOf(api, route)),
    upstream: upstreamOf(policy, exchange, api, route),
    reply: replyOf(exchange),
    decision: decision as Record<string, string | number>,
  };
}

function statusOf({ response }: Exchange): number {
  return Number(response.first(':status'));
}

function planStory(config: PluginConfig, api: ApiConfig, consumer: string, plan: string | null): PlanStory | null {
  const holdings = new ConfigHoldings(config);
  const grantee = holdings.grantee(consumer);
  const subscription = Object.hasOwn(grantee.subscriptions, api.name) ? grantee.subscriptions[api.name] : undefined;
  const own = grantee.plan ?? null;
  const held = holdings.on(grantee, api.name);
  const through = held === null ? 'none' : subscription === undefined ? 'consumer' : 'subscription';
  return { name: plan ?? held?.plan ?? null, through, offered: api.plans, own, limits: subscription?.limits ?? {} };
}

function routeOf(api: ApiConfig | undefined, route: RouteStory | null): RouteConfig | undefined {
  return api?.routes?.find(({ name }) => `${api.name}/${name}` === route?.name);
}

function routeStory(name: string, api: ApiConfig, holds: (condition: Condition) => boolean): RouteStory {
  const routes = api.routes ?? [];
  const at = routes.findIndex((route) => `${api.name}/${route.name}` === name);
  const before = at < 0 ? routes : routes.slice(0, at);
  const passedOver = before.slice(0, MOST_PASSED_OVER).flatMap((route) => {
    const failing = conditionsOf(route).find((condition) => !holds(condition));
    return failing === undefined ? [] : [{ name: route.name, condition: failing.words }];
  });
  const taken = at < 0 ? [] : conditionsOf(routes[at]!);
  return {
    name,
    conditions: taken.map(({ words }) => words),
    passedOver,
    morePassedOver: Math.max(0, before.length - MOST_PASSED_OVER),
  };
}

/** Headers that differ between what came and what goes on. Values that the policy gives are shown, and those of clients are not. */
function editsOf(pairs: readonly Pair[], { upstream }: Exchange, route: RouteConfig | undefined): Story['headers'] {
  if (upstream === null) return { set: [], removed: [] };
  const came = new HeaderMap(pairs);
  const given = new Set([':authority', ...(route?.setHeaders ?? []).map(({ name }) => name)]);
  const names = [...new Set([...came.pairs, ...upstream.pairs].map(([name]) => name))];
  const changed = names.filter((name) => came.all(name).join('\0') !== upstream.all(name).join('\0'));
  const shown = (name: string): string | null => {
    const value = upstream.all(name).join(', ');
    if (name === ':path') return withoutQuery(value);
    return given.has(name) || name.startsWith('x-tollgate-') ? value : null;
  };
  const kept = changed.filter((name) => upstream.all(name).length > 0);
  return {
    set: kept.map((name) => ({ name, value: shown(name) })),
    removed: changed.filter((name) => upstream.all(name).length === 0),
  };
}

function upstreamOf(
  policy: Policy,
  { upstream }: Exchange,
  api: ApiConfig | undefined,
  route: RouteStory | null,
): Story['upstream'] {
  if (upstream === null) return null;
  const of = api === undefined ? undefined : policy.apis[api.name];
  const taken = of?.routes.find(({ name }) => `${api!.name}/${name}` === route?.name);
  // what no API covers goes to the first upstream
  const name = of === undefined ? Object.keys(policy.upstreams)[0] : (taken?.upstream ?? of.upstream);
  const [host = '', path = ''] = [upstream.first(':authority'), upstream.first(':path')];
  return { name: name ?? null, method: upstream.first(':method') ?? '', host, path: withoutQuery(path) };
}

function replyOf(exchange: Exchange): Story['reply'] {
  const { response, body, upstream } = exchange;
  if (upstream === null)
    return { status: statusOf(exchange), headers: response.pairs.filter(([name]) => name !== ':status'), body };
  return { status: null, headers: response.pairs.filter(([name]) => !UPSTREAM_HEADERS.has(name)), body: '' };
}
