import { createHash } from 'node:crypto';
import type {
  AddressesConfig,
  AnonymousPlanConfig,
  ApiConfig,
  ConcurrencyConfig,
  ConsumerConfig,
  CorsConfig,
  HeaderConditionConfig,
  KeyConfig,
  MeConfig,
  Mode,
  OperationConfig,
  RateLimitServiceConfig,
  PlanConfig,
  PluginConfig,
  QuotaConfig,
  RefusalConfig,
  RouteConfig,
  SubscriptionConfig,
  Window,
} from '../../contract/pluginConfig.ts';
import {
  EXPOSED_HEADERS,
  fixedSeconds,
  ME_PER_MINUTE,
  nominalSeconds,
  REFUSAL_STATUS,
  WINDOW_UNITS,
  WINDOWS,
} from '../../contract/table.ts';
import { compiledBlock, type Addresses } from '../schema/address.ts';
import { ageSeconds, type Cors } from '../schema/cors.ts';
import { compileCalendar, compileZones, hasCalendars, lengthBesideCalendars } from './calendar.ts';
import { compileDisclosure } from './disclosure.ts';
import { compileKeyFields, compileKeySources, keyHeaders } from './keySource.ts';
import { compileLifecycle } from './lifecycle.ts';
import type {
  Api,
  Consumer,
  HeaderCondition,
  Key,
  Plan,
  Policy,
  Quota,
  Route,
  Subscription,
} from '../schema/policy.ts';
import {
  compiledTemplate,
  operationName,
  readPattern,
  type Cost,
  type Operation,
  type Pattern,
} from '../schema/operation.ts';
import { localShareOf, timeoutMilliseconds, type Concurrency } from '../schema/quota.ts';
import { encodedConsumer, epochSeconds } from '../schema/value.ts';
import { isPlansOwn, mainPlan, Modes, sizeOf } from './holding.ts';
import { compileSubjects, compileTokens, tokenHeaders } from './token.ts';

/**
 * The plugin config of a valid policy. Policies that mean the same give the same bytes: defaults are left out, and what has
 * no order stands in that of its names. `atSeconds` (since 1970) says which years of time zones it covers, for policies that name some.
 */
export function compilePolicy(policy: Policy, atSeconds: number = Date.now() / 1000): PluginConfig {
  const modes = new Modes(policy);
  const zones = compileZones(policy, atSeconds);
  const window = hasCalendars(policy) ? lengthBesideCalendars : sameAlways;
  const config = orderedConfig({
    version: 1,
    policy: policy.policy,
    ...(modes.policy === 'observe' && { mode: 'observe' }),
    ...(policy.unmatched === 'allow' && { unmatched: 'allow' }),
    ...(policy.forwardKey && { forwardKey: true }),
    ...(policy.keyRemoval === 'routes' && { keyRemoval: 'routes' }),
    ...(policy.realm !== undefined && { realm: policy.realm }),
    ...compileDisclosure(policy),
    ...compileClientAddress(policy.clientAddress),
    keySources: compileKeySources(policy),
    ...(policy.workloadProof === 'listener' && { workloadProof: 'listener' }),
    ...compileTokens(policy),
    ...(policy.rateLimitService && { rateLimitService: compileRateLimitService(policy) }),
    apis: Object.entries(policy.apis).map(([name, api]) => compileApi(name, api, policy, modes, window)),
    plans: Object.entries(policy.plans).map(([name, plan]) => compilePlan(name, plan, modes, window)),
    consumers: Object.entries(policy.consumers).map(([name, consumer]) => compileConsumer(name, consumer, policy)),
    ...(zones.length > 0 && { zones }),
  });
  const { version, policy: name, ...rest } = config;
  return { version, policy: name, digest: configDigest(config), ...rest };
}

/**
 * SHA-256 in hex of what a config means: the same in whatever order its fields and sets stand, as Kubernetes prints them, and whatever
 * it says about its own digest.
 */
export function configDigest(config: PluginConfig): string {
  return createHash('sha256')
    .update(textOf({ ...config, digest: undefined })!)
    .digest('hex');
}

/** The domain that the policy's counters have in the rate limit service. */
export function domainOf({ policy, rateLimitService }: Policy): string {
  return rateLimitService?.domain ?? policy;
}

function compileRateLimitService(policy: Policy): RateLimitServiceConfig {
  const rateLimitService = policy.rateLimitService!;
  return {
    cluster: rateLimitService.cluster,
    domain: domainOf(policy),
    timeoutMilliseconds: timeoutMilliseconds(rateLimitService),
  };
}

/** What to write of a window, given also in the one spelling for windows of its length. */
type Spelling = (window: string, same: Window) => Window;

function sameAlways(_window: string, same: Window): Window {
  return same;
}

function compileApi(name: string, api: Api, policy: Policy, modes: Modes, spelling: Spelling): ApiConfig {
  return {
    name,
    ...(api.hosts && { hosts: api.hosts }),
    paths: api.paths,
    ...(api.pathData && { pathData: api.pathData }),
    plans: api.plans,
    ...(api.credentials && api.credentials.join() !== 'key' && { credentials: api.credentials }),
    ...(api.anonymous === 'allow' && { anonymous: 'allow' }),
    ...(typeof api.anonymous === 'object' && { anonymousPlan: compileVisitors(api.anonymous) }),
    ...(api.preflight === 'allow' && { preflight: 'allow' }),
    ...(api.cors && {
      cors: compileCors(
        api.cors,
        [...new Set([...keyHeaders(api, policy), ...tokenHeaders(api)])],
        policy.keyExpiryWarning?.header,
      ),
    }),
    ...compileLifecycle(api),
    ...(api.operations && {
      operations: Object.entries(api.operations).map(([key, operation]) =>
        compileOperation(key, operation, api, modes.ofApi(name), spelling),
      ),
    }),
    ...(api.unlisted === 'allow' && { unlisted: 'allow' }),
    ...(api.me && { me: compileMe(api.me) }),
    ...compileCost(api.cost),
    ...(api.mode !== undefined && api.mode !== modes.policy && { mode: api.mode }),
    ...compileKeyFields(api, policy),
    ...(api.routes.length > 0 && { routes: api.routes.map(compileRoute) }),
  };
}

function compileMe({ path, perMinute }: NonNullable<Api['me']>): MeConfig {
  return { path, ...(perMinute !== ME_PER_MINUTE && { perMinute }) };
}

/** Without what says the default. */
function compileCost(cost: Cost = 1): Pick<OperationConfig, 'cost' | 'settlement'> {
  if (typeof cost === 'number') return cost === 1 ? {} : { cost };
  const { reserve = 1, header, most, counts } = cost;
  const settlement = {
    ...(header !== undefined && { header }),
    ...(most !== undefined && { most }),
    ...(counts === 'success' && { successOnly: true }),
  };
  return { ...(reserve !== 1 && { cost: reserve }), settlement };
}

function compileVisitors({ plan, by }: Exclude<Api['anonymous'], string>): AnonymousPlanConfig {
  return { plan, ...(by !== 'address' && { header: by.header }) };
}

/** Without what says the default. */
function compileClientAddress(address: Policy['clientAddress']): Pick<PluginConfig, 'clientAddress'> {
  const { trustedHops, ipv4 = 32, ipv6 = 64 } = address ?? {};
  const fields = {
    ...(trustedHops !== undefined && { trustedHops }),
    ...(ipv4 !== 32 && { ipv4 }),
    ...(ipv6 !== 64 && { ipv6 }),
  };
  return Object.keys(fields).length > 0 ? { clientAddress: fields } : {};
}

function compileCors(
  { origins, methods = [], headers, exposedHeaders = [], credentials, maxAge }: Cors,
  keyHeaders: readonly string[],
  warning: string | undefined,
): CorsConfig {
  const allowed = headers ?? ['content-type', ...keyHeaders];
  const exposed = exposedHeaders.filter(
    (header) => header !== warning && !(EXPOSED_HEADERS as readonly string[]).includes(header),
  );
  return {
    origins,
    ...(methods.length > 0 && { methods }),
    ...(allowed.length > 0 && { headers: allowed }),
    ...(exposed.length > 0 && { exposedHeaders: exposed }),
    ...(credentials && { credentials }),
    ...(maxAge !== undefined && { maxAgeSeconds: ageSeconds(maxAge)! }),
  };
}

function compileOperation(
  key: string,
  operation: Operation,
  api: Api,
  apiMode: Mode,
  spelling: Spelling,
): OperationConfig {
  const { methods, ...pattern } = readPattern(key) as Pattern;
  const { plans, scopes, cost = api.cost, quotas = {}, anonymous } = operation;
  const own = Object.entries(quotas).map(([name, { mode = apiMode, ...quota }]) => ({
    ...compileQuota(name, { per: 'consumer', ...quota }, spelling),
    ...(mode !== apiMode && { mode }),
  }));
  // one that asks for a plan or a scope asks for a key, unless callers without one may have what it asks for
  const asks = typeof api.anonymous !== 'object' && (plans !== undefined || scopes !== undefined);
  return {
    name: operationName(key, operation.name),
    ...(methods && { methods: [...methods] }),
    path: compiledTemplate({ methods, ...pattern }),
    ...(plans && { plans }),
    ...(scopes && { scopes }),
    ...compileCost(cost),
    ...(own.length > 0 && { quotas: own }),
    ...((anonymous !== undefined || asks) && { anonymous: anonymous ?? 'deny' }),
    ...compileLifecycle(operation),
  };
}

function compileRoute({ name, when, setHeaders, removeHeaders, rewritePrefix, ...rest }: Route): RouteConfig {
  const headers = Object.entries(when.headers ?? {}).map(([header, condition]) => compileCondition(header, condition));
  const query = Object.entries(when.query ?? {}).map(([name, condition]) => compileCondition(name, condition));
  const set = Object.entries(setHeaders ?? {}).map(([header, value]) => ({ name: header, value }));
  return {
    name,
    ...(headers.length > 0 && { headers }),
    ...(query.length > 0 && { query }),
    ...(when.methods && { methods: when.methods }),
    ...(when.path !== undefined && { path: when.path }),
    ...(when.plans && { plans: when.plans }),
    ...(when.consumers && { consumers: when.consumers.map(encodedConsumer) }),
    ...(set.length > 0 && { setHeaders: set }),
    ...(removeHeaders && removeHeaders.length > 0 && { removeHeaders }),
    ...(rewritePrefix !== undefined && { rewritePrefix }),
    ...compileLifecycle(rest),
  };
}

function compileCondition(name: string, condition: HeaderCondition): HeaderConditionConfig {
  return { name, ...condition } as HeaderConditionConfig;
}

function compilePlan(name: string, plan: Plan, modes: Modes, spelling: Spelling): PlanConfig {
  const calendar = plan.calendar && compileCalendar(plan.calendar);
  const quotas = Object.entries(plan.quotas).map(([quota, fields]) => {
    const isRedundant = modes.isQuotaRedundant(quota, name);
    return { ...compileQuota(quota, fields, spelling), ...(!isRedundant && { mode: fields.mode! }) };
  });
  return {
    name,
    ...(!modes.isPlanRedundant(name) && { mode: plan.mode! }),
    ...(plan.refusal && { refusal: compileRefusal(plan.refusal) }),
    ...(plan.concurrency && { concurrency: compileConcurrency(plan.concurrency, modes.isFlightRedundant(name)) }),
    ...(quotas.length > 0 && { quotas }),
    ...(calendar && Object.keys(calendar).length > 0 && { calendar }),
  };
}

function compileRefusal({ status, detail, type }: NonNullable<Plan['refusal']>): RefusalConfig {
  return {
    ...(status !== REFUSAL_STATUS && { status }),
    ...(detail !== undefined && { detail }),
    ...(type !== undefined && { type }),
  };
}

function compileConcurrency({ limit, per, mode }: Concurrency, isRedundant: boolean): ConcurrencyConfig {
  return { limit, ...(per !== 'consumer' && { per }), ...(!isRedundant && { mode: mode! }) };
}

function compileQuota(name: string, quota: Quota, spelling: Spelling): QuotaConfig {
  const { limit, window, burst, per, counter, scope, onUnavailable, warnAt } = quota;
  return {
    name,
    limit,
    window: spelling(window, sameWindow(window)),
    ...(burst !== undefined && { burst }),
    ...(per !== 'consumer' && { per }),
    ...(counter !== undefined && { counter }),
    ...(scope === 'mesh' && { scope }),
    ...(onUnavailable !== undefined && onUnavailable !== 'deny' && { onUnavailable }),
    ...(onUnavailable === 'local-share' && { localShare: localShareOf(quota) }),
    ...(warnAt && { warnAt: [...warnAt].sort((a, b) => a - b) }),
  };
}

/** One spelling for windows that are the same: a word where there is one, or the length in its largest unit. */
export function sameWindow(window: string): Window {
  const seconds = fixedSeconds(window);
  if (seconds === null) return window as Window;
  const units = Object.entries(WINDOW_UNITS);
  const index = units.findLastIndex(([, unit]) => seconds % unit === 0);
  const [letter, unit] = units[index]!;
  return seconds === unit ? WINDOWS[index]! : (`${seconds / unit}${letter}` as Window);
}

function compileConsumer(name: string, consumer: Consumer, { plans }: Policy): ConsumerConfig {
  const main = mainPlan(consumer);
  const subscriptions = Object.entries(consumer.subscriptions).map(([api, subscription]) => {
    const { quotas } = plans[subscription.plan]!;
    return compileSubscription(
      api,
      subscription,
      quotas,
      subscription.plan !== main && Object.values(quotas).some(isPlansOwn),
    );
  });
  return {
    name: encodedConsumer(name),
    ...(consumer.plan !== undefined && { plan: consumer.plan }),
    ...(consumer.group !== undefined && { group: encodedConsumer(consumer.group) }),
    ...(subscriptions.length > 0 && { subscriptions }),
    ...(consumer.keys.length > 0 && { keys: consumer.keys.map(compileKey) }),
    ...(consumer.scopes.length > 0 && { scopes: consumer.scopes }),
    ...(consumer.calendar && { calendar: compileCalendar(consumer.calendar) }),
    ...(consumer.addresses && { addresses: compileAddresses(consumer.addresses) }),
    ...(consumer.origins && { origins: consumer.origins }),
    ...(consumer.workloads.length > 0 && { workloads: consumer.workloads }),
    ...compileSubjects(consumer),
  };
}

/** Each block once, in one spelling. */
function compileAddresses({ allow, deny }: Addresses): AddressesConfig {
  return {
    ...(allow && { allow: allow.map(compiledBlock) }),
    ...(deny && { deny: deny.map(compiledBlock) }),
  };
}

function compileSubscription(
  api: string,
  subscription: Subscription,
  quotas: Plan['quotas'],
  ownCounters: boolean,
): SubscriptionConfig {
  const limits = Object.keys(subscription.limits ?? {}).map((quota) => {
    const { limit, burst } = sizeOf(subscription, quota, quotas[quota]!);
    // the plan's own says nothing
    return { quota, limit, ...(burst !== undefined && burst !== quotas[quota]!.burst && { burst }) };
  });
  return {
    api,
    plan: subscription.plan,
    ...compileTimes(subscription),
    ...(subscription.paused && { paused: true }),
    ...(ownCounters && { ownCounters }),
    ...(limits.length > 0 && { limits }),
  };
}

function compileKey(key: Key): KeyConfig {
  return {
    id: key.id,
    digest: key.digest.slice('sha256:'.length),
    ...compileTimes(key),
    ...(key.revoked && { revoked: true }),
    ...(key.addresses && { addresses: compileAddresses(key.addresses) }),
    ...(key.apis && { apis: key.apis }),
    ...(key.scopes && { scopes: key.scopes }),
  };
}

function compileTimes({ from, until }: { from?: string | undefined; until?: string | undefined }): {
  from?: number;
  until?: number;
} {
  return {
    ...(from !== undefined && { from: epochSeconds(from)! }),
    ...(until !== undefined && { until: epochSeconds(until)! }),
  };
}

/**
 * Lists whose order matters: the first key source that holds a key, the first credential that a request has, and the first route whose
 * conditions hold. All others are sets.
 */
export const ORDERED_LISTS: ReadonlySet<string> = new Set(['keySources', 'credentials', 'routes']);
/** The chain of certificates of a JSON Web Key: of its fields the schema knows little. */
const CHAIN = 'x5c';

/** What an item of a set is known by; items without any of these by all that they hold. */
const IDENTITIES = ['name', 'api', 'quota', 'id'] as const;

/**
 * The same config for policies that differ in order only where order means nothing, so that bytes differ only where the
 * meaning does. Fields of an object stay where they are.
 */
export function orderedConfig(config: PluginConfig): PluginConfig {
  return ordered(config, '', false) as PluginConfig;
}

/** The same for a policy, by names in its mappings too. The first upstream has a meaning: unmatched requests go there. */
export function orderedPolicy(policy: Policy): Policy {
  const { upstreams, ...rest } = ordered(policy, '', true) as Policy;
  const [first] = Object.keys(policy.upstreams);
  return { ...rest, upstreams: first === undefined ? {} : { [first]: upstreams[first]!, ...upstreams } };
}

/** True when both mean the same: fields in any order, as Kubernetes prints its own, and sets too. */
export function isSameInAnyOrder(a: unknown, b: unknown): boolean {
  return textOf(a) === textOf(b);
}

function textOf(value: unknown): string | undefined {
  return JSON.stringify(ordered(value, '', true));
}

function ordered(value: unknown, field: string, sortsFields: boolean): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => ordered(item, '', sortsFields));
    return ORDERED_LISTS.has(field) || field === CHAIN ? items : set(items);
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, member]): [string, unknown] => [
    name,
    ordered(member, name, sortsFields),
  ]);
  if (sortsFields) entries.sort(([a], [b]) => compare(a, b));
  return Object.fromEntries(entries);
}

/** Sorted by what each is known by, and a plain value once. */
function set(items: readonly unknown[]): unknown[] {
  const known = items.map((item): [unknown, unknown] => [identityOf(item), item]).sort(([a], [b]) => compare(a, b));
  return known
    .filter(([identity, item], index) => index === 0 || typeof item === 'object' || known[index - 1]![0] !== identity)
    .map(([, item]) => item);
}

function identityOf(item: unknown): unknown {
  if (typeof item !== 'object' || item === null) return item;
  const fields = item as Record<string, unknown>;
  // changes of a zone follow each other
  if (typeof fields['at'] === 'number') return fields['at'];
  const field = IDENTITIES.find((name) => typeof fields[name] === 'string');
  if (field === undefined) return textOf(item);
  return rankOf(fields['window']) + (fields[field] as string);
}

/** Quotas stand from the shortest window to the longest: answers name them so, and the shortest is asked first. */
function rankOf(window: unknown): string {
  return typeof window === 'string' ? `${String(nominalSeconds(window) ?? '').padStart(8, '0')} ` : '';
}

/** By code units, the same on every machine; numbers by size. */
function compare(a: unknown, b: unknown): number {
  return a === b ? 0 : (a as string) < (b as string) ? -1 : 1;
}
