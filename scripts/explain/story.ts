import type { ApiConfig, KeyConfig, PluginConfig, RouteConfig } from '../contract/pluginConfig.ts';
import { IDENTITY_HEADERS, LOG_FIELDS } from '../contract/table.ts';
import type { WasmModule } from '../host/abi.ts';
import { decisionOf, logFieldsOf, type Exchange } from '../host/openRequest.ts';
import { HeaderMap, type Pair } from '../host/stream.ts';
import { compilePolicy, headersRoutesRemove, keySourcesOf, type Policy } from '../policy/index.ts';
import { shownIn } from '../policy/compile/calendar.ts';
import { operationName } from '../policy/schema/operation.ts';
import type { Api } from '../policy/schema/policy.ts';
import { senderOf } from './caller.ts';
import { credentialStory, type CredentialStory } from './credential.ts';
import { countedHere, enforced, Engine } from './engine.ts';
import { normalisedPath } from './path.ts';
import { corsStory, type CorsStory } from './cors.ts';
import { lifecycleStories, type LifecycleStory, type Living } from './lifecycle.ts';
import { operationStory, type OperationStory } from './operation.ts';
import { outcomeOf, type Outcome } from './outcome.ts';
import { planStory, type PlanStory } from './plan.ts';
import { conditionsOf, Probe, type Condition } from './probe.ts';
import { pairsOf, withoutQuery, type ExplainedRequest } from './request.ts';
import { standingsOf, inPlan, type QuotaStanding } from './standing.ts';
import { whenceStory, type WhenceStory } from './whence.ts';

/** What becomes of one request and why, without the key: everything here may be printed. */
export interface Story extends WhenceStory {
  readonly outcome: Outcome;
  /** A code of docs/reasons.md. */
  readonly reason: string;
  /** True for a request that passes only because a `mode` of the policy is `observe`: the reason is why it would be refused. */
  readonly isObserved: boolean;
  readonly at: string;
  readonly request: { readonly method: string; readonly host: string | null; readonly path: string };
  /** Null for a path that servers read in different ways. */
  readonly normalisedPath: string | null;
  readonly api: Pick<ApiConfig, 'name' | 'hosts' | 'paths' | 'pathData'> | null;
  /** Null: the API has no cors. */
  readonly cors: CorsStory | null;
  readonly lifecycle: readonly LifecycleStory[];
  /** Null: the API lists none, or the decision ended before. */
  readonly operation: OperationStory | null;
  /** Null: the API takes keys only, and nothing else was given; or the decision ended before. */
  readonly credential: CredentialStory | null;
  /** Null: the decision ended before a key was looked for, or the API takes none. */
  readonly key: KeyStory | null;
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

export interface KeyStory {
  readonly places: readonly string[];
  readonly id: string | null;
  /** What it is limited to; null: to nothing. */
  readonly apis: readonly string[] | null;
  readonly scopes: readonly string[] | null;
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
  const config = countedHere(compilePolicy(policy, atMs / 1000), LOG_FIELDS);
  const pairs = pairsOf(request);
  const { caller: sent = {} } = request;
  const sender = senderOf(sent);
  const decide = (under: PluginConfig): Exchange => new Engine(module, under, atMs).decide(pairs, atMs, sender);
  const exchange = engine === undefined ? decide(config) : engine.decide(pairs, atMs, sender);
  const usual = toldUsual(config);
  // what upstream and caller would be told if the policy did not choose
  const told = usual === null ? exchange : decide(usual);
  const decision = fieldsOf(exchange);
  const probe = new Probe(module, pairs, atMs, sender);
  const text = (name: string): string | null => (decision[name] === undefined ? null : String(decision[name]));
  const [reason, consumer, operation] = [text('reason') ?? exchange.details, text('consumer'), text('operation')];
  const key = keyOf(config, consumer, text('keyId'));
  const compiled = config.apis.find(({ name }) => name === text('api'));
  const api = compiled === undefined ? undefined : policy.apis[compiled.name];
  // who it goes on as: one that is only observed may do so as nobody
  const caller = told.upstream === null ? consumer : (told.upstream.first(IDENTITY_HEADERS.consumer) ?? null);
  const route =
    compiled === undefined || text('route') === null
      ? null
      : routeStory(text('route')!, compiled, (condition) => probe.holds(config, compiled.name, caller, condition));
  const isObserved = text('mode') === 'observe';
  const end = isObserved ? null : endOf(reason, operation, route);
  const isJudged = compiled !== undefined && end === null;
  const places = isJudged ? probe.keyPlaces(keySourcesOf(config, compiled)) : [];
  const credential = isJudged ? credentialStory(config, compiled, sent, pairs, places.length > 0, probe) : null;
  const isByToken = credential?.used === 'token' && credential.token!.scopes !== null;
  const owner = config.consumers.find(({ name }) => name === consumer);
  return {
    outcome: outcomeOf(exchange, reason, text('mode') === 'observe'),
    reason,
    isObserved,
    at: new Date(atMs).toISOString(),
    request: { method: request.method, host: request.host, path: withoutQuery(request.path) },
    normalisedPath: normalisedPath(withoutQuery(request.path), compiled?.pathData),
    api:
      compiled === undefined
        ? null
        : {
            ...{ name: compiled.name, ...(compiled.hosts && { hosts: compiled.hosts }), paths: compiled.paths },
            ...(compiled.pathData && { pathData: compiled.pathData }),
          },
    cors: compiled?.cors === undefined ? null : corsStory(pairs, reason, exchange.response),
    lifecycle:
      api === undefined || end === 'browser'
        ? []
        : lifecycleStories(livesOf(compiled!.name, api, operation, route), atMs),
    operation:
      api === undefined ||
      compiled === undefined ||
      !comesToOperations(compiled, reason, operation) ||
      end === 'browser' ||
      end === 'API'
        ? null
        : operationStory(
            ...([config, compiled, api] as const),
            { reason, operation, consumer, key, isByToken, method: request.method },
            probe,
          ),
    credential,
    key:
      isJudged && (compiled.credentials ?? ['key']).includes('key')
        ? {
            places,
            id: credential === null || credential.used === 'key' ? text('keyId') : null,
            apis: key?.apis ?? null,
            scopes: key?.scopes ?? null,
          }
        : null,
    ...(isJudged
      ? whenceStory({ config, api: compiled, consumer: owner, key, plan: text('plan') }, sent, pairs, probe)
      : { address: null, origin: null, visitor: null }),
    consumer,
    plan: compiled === undefined ? null : planStory(config, compiled, consumer, text('plan'), credential),
    quotas: inZone(
      inPlan(
        engine === undefined ? allStandings(usual ?? config, decide, told) : standingsOf(exchange.response),
        config.plans.find(({ name }) => name === text('plan')),
        exchange.response,
      ),
      zoneOf(config, consumer, text('plan')),
      atMs,
    ),
    route,
    headers: editsOf(pairs, exchange, routeOf(compiled, route), {
      told: Object.values(config.identityHeaders ?? {}),
      byRoutes: headersRoutesRemove(policy),
    }),
    upstream: upstreamOf(policy, exchange, compiled, route),
    reply: replyOf(exchange),
    decision: decision as Record<string, string | number>,
  };
}

/** True where the API lists operations, or the request is the one that the module itself answers. */
function comesToOperations({ operations, me }: ApiConfig, reason: string, operation: string | null): boolean {
  return operations !== undefined || (me !== undefined && (operation !== null || reason === 'method_not_allowed'));
}

/** Answers name only quotas in force; of those that are only observed, the same policy tells that enforces all. */
function allStandings(
  config: PluginConfig,
  decide: (config: PluginConfig) => Exchange,
  { response }: Exchange,
): QuotaStanding[] {
  const inForce = standingsOf(response);
  const strict = enforced(config);
  if (strict === null) return inForce;
  const names = new Set(inForce.map(({ name }) => name));
  const all = standingsOf(decide(strict).response);
  return all.map((standing) => ({ ...standing, isObserved: !names.has(standing.name) }));
}

function keyOf(config: PluginConfig, consumer: string | null, id: string | null): KeyConfig | null {
  const { keys = [] } = config.consumers.find(({ name }) => name === consumer) ?? {};
  return keys.find((key) => key.id === id) ?? null;
}

/** The zone in which windows of the consumer's quotas begin; undefined: they do so in UTC. */
function zoneOf(config: PluginConfig, consumer: string | null, plan: string | null): string | undefined {
  const own = config.consumers.find(({ name }) => name === consumer)?.calendar;
  return (own ?? config.plans.find(({ name }) => name === plan)?.calendar)?.zone;
}

function inZone(standings: readonly QuotaStanding[], zone: string | undefined, atMs: number): QuotaStanding[] {
  return standings.map((standing) => {
    if (zone === undefined || standing.resetSeconds === null) return standing;
    return { ...standing, resetsAt: `${shownIn(zone, Math.ceil(atMs / 1000) + standing.resetSeconds)} ${zone}` };
  });
}

/** Everything that the module leaves for access logs. */
function fieldsOf(exchange: Exchange): Readonly<Record<string, string | number | undefined>> {
  // the line calls the key's id `key`, the field keyId
  return { ...decisionOf(exchange), key: undefined, ...logFieldsOf(exchange) };
}

/** Where a decision ended before a key was looked for; null where it came so far. */
function endOf(
  reason: string,
  operation: string | null,
  route: RouteStory | null,
): 'browser' | 'API' | 'operation' | null {
  if (reason.startsWith('preflight')) return 'browser';
  if (OF_OPERATIONS.has(reason)) return 'operation';
  if (!OF_LIVES.has(reason) || route !== null) return null;
  return operation === null ? 'API' : 'operation';
}

const OF_OPERATIONS = new Set(['no_operation', 'method_not_allowed', 'invalid_path']);
const OF_LIVES = new Set(['retired', 'maintenance', 'redirected']);

/** What the request came to, with the lives that it has. */
function livesOf(apiName: string, api: Api, operation: string | null, route: RouteStory | null): Living[] {
  const own = Object.entries(api.operations ?? {}).find(([key, { name }]) => operationName(key, name) === operation);
  const taken = api.routes.find(({ name }) => `${apiName}/${name}` === route?.name);
  return [
    { of: 'API', life: api },
    ...(own === undefined ? [] : [{ of: 'operation' as const, life: own[1] }]),
    ...(taken === undefined ? [] : [{ of: 'route' as const, life: taken }]),
  ];
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

/** The same policy, telling upstreams and callers what they are usually told; null where it does. */
function toldUsual(config: PluginConfig): PluginConfig | null {
  const { identityHeaders, rateLimitHeaders, ...usual } = config;
  return identityHeaders === undefined && rateLimitHeaders === undefined ? null : usual;
}

/** Headers that differ between what came and what the upstream gets, when routes have removed what the module leaves to them. Values that the policy gives are shown, and those of clients are not. */
function editsOf(
  pairs: readonly Pair[],
  { upstream }: Exchange,
  route: RouteConfig | undefined,
  { told, byRoutes }: { readonly told: readonly string[]; readonly byRoutes: readonly string[] },
): Story['headers'] {
  if (upstream === null) return { set: [], removed: [] };
  const came = new HeaderMap(pairs);
  const given = new Set([':authority', ...told, ...(route?.setHeaders ?? []).map(({ name }) => name)]);
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
    removed: names.filter(
      (name) => came.all(name).length > 0 && (byRoutes.includes(name) || upstream.all(name).length === 0),
    ),
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
    return {
      status: Number(response.first(':status')),
      headers: response.pairs.filter(([name]) => name !== ':status'),
      body,
    };
  return { status: null, headers: response.pairs.filter(([name]) => !UPSTREAM_HEADERS.has(name)), body: '' };
}
