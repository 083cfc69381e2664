/**
 * What the tool and the module must both know of a plugin config: bounds, words, and the fields of every object. The policy's
 * schema takes its bounds from here, the module from files that are generated from it (filter/config/contract.ts and field.ts);
 * a test holds the module against every line. Imports nothing.
 */

/** Largest whole number up to which every double is exact; Istio prints all numbers from doubles. */
export const MAX_EXACT = 2 ** 53;
/** Percentages of its limit at which a quota warns. */
export const MAX_WARNINGS = 4;
/** Of a name that the policy defines, an id, a header's name, a token or a realm. */
export const MAX_NAME_BYTES = 127;
export const MAX_HOST_BYTES = 253;
export const MAX_PATH_BYTES = 1024;
/** Of a header's value. */
export const MAX_VALUE_BYTES = 4096;
/** Of a key that a caller sends: enough for a signed token. */
export const MAX_KEY_BYTES = 4096;
export const MAX_KEY_SOURCES = 8;
/** Pairs of host and path that all APIs have together. */
export const MAX_MOUNTS = 16_384;
/** Operations that all APIs have together. */
export const MAX_OPERATIONS = 16_384;
/** Of an operation's template; a deeper path can only match a template that takes the rest. */
export const MAX_SEGMENTS = 32;
/** Of one operation. */
export const MAX_METHODS = 16;
export const MAX_OPERATION_PLANS = 64;
export const MAX_OPERATION_SCOPES = 16;
/** Quotas of their own that the operations of a policy have in all: each consumer may have a counter for each. */
export const MAX_OPERATION_QUOTAS = 4096;
/** Operations whose templates differ in methods only. */
export const MAX_SAME_TEMPLATE = 32;
/** Segments of templates that an API's operations may make a request try; see filter/operation. */
export const MAX_TRIED = 128;
/** Names of scopes that a policy has in all: a bit for each. */
export const MAX_SCOPES = 64;
/** Units that a request may take from a quota. */
export const MAX_COST = 1_000_000;
/** Of the response header that holds what a request has cost: a stream keeps it until its answer is there. */
export const MAX_COST_HEADER_BYTES = 64;
/** Of one API. */
export const MAX_ROUTES = 1024;
/** Headers that a route may set, and as many that it may remove. */
export const MAX_ROUTE_HEADERS = 64;
/** Of one plan, and together with those of an operation; the answer to a request names each of them. */
export const MAX_QUOTAS = 8;
/**
 * Of those, with "scope: mesh": a request takes their leases one after the other, and may wait for the service each
 * time.
 */
export const MAX_MESH_QUOTAS = 3;
/** APIs, pairs of API and plan, and operations of one policy that are counted apart; all others are `api="*"`. */
export const MAX_COUNTED = 512;
export const MAX_BURST = 1_000_000_000;
/** Requests in flight at once that a plan may allow: more than an Envoy has. */
export const MAX_CONCURRENCY = 1_000_000;
/** A bucket's clock counts nanoseconds; faster than this its interval would round too coarsely. */
export const MAX_BUCKET_RATE_PER_SECOND = 1_000_000;
export const MAX_REFILL_DAYS = 366;
/** Of one API; a request from another origin is compared with each. */
export const MAX_ORIGINS = 128;
/** A scheme, a host and a port. */
export const MAX_ORIGIN_BYTES = 320;
/** Methods, headers or exposed headers of an API's cors. */
export const MAX_CORS_NAMES = 64;
export const MAX_CORS_AGE_SECONDS = 86_400;
export const MAX_CLUSTER_BYTES = 255;
export const MAX_DOMAIN_BYTES = 127;
/** No request waits longer than this for the rate limit service, whatever a config says. */
export const MAX_TIMEOUT_MILLISECONDS = 1000;
export const TIMEOUT_MILLISECONDS = 50;
/** Of an answer that stands in the policy, in the place of an upstream's. */
export const MAX_MOCK_BYTES = 4096;
export const MAX_MOCK_HEADERS = 16;
/** Of what a refused caller is told in the policy's own words. */
export const MAX_DETAIL_BYTES = 255;
/** Of where a redirect leads, without the rest of the path. */
export const MAX_LOCATION_BYTES = 1024;
/** Time zones of a policy: more than there are. */
export const MAX_ZONES = 1024;
/** Of a zone's clock within the years that a config covers. */
export const MAX_ZONE_CHANGES = 64;
/** Between a zone's clock and UTC. */
export const MAX_OFFSET_SECONDS = 86_400;
/** When the day of a calendar begins, on its clock. */
export const MAX_DAY_MINUTES = 1439;
/** Proxies before this Envoy that write X-Forwarded-For. */
export const MAX_TRUSTED_HOPS = 16;
/** Of one list of a consumer or a key; a request is compared with each. */
export const MAX_ADDRESS_BLOCKS = 128;
/** Of an IPv6 address, a slash and a length. */
export const MAX_BLOCK_BYTES = 43;
/** APIs to which a key is limited; a request is compared with each. */
export const MAX_KEY_APIS = 128;
/** Of the id that a certificate gives a workload. */
export const MAX_WORKLOAD_BYTES = 255;
/** Issuers of tokens that a policy names: that of a token is compared with each. */
export const MAX_ISSUERS = 16;
export const MAX_ISSUER_BYTES = 255;
/** Of one issuer: the audience of a token is compared with each. */
export const MAX_AUDIENCES = 16;
/** Of the claim that names a token's owner. */
export const MAX_SUBJECT_BYTES = 255;
/** Of a claim that holds a list, such as scopes: a longer one counts as empty. */
export const MAX_LIST_CLAIM_BYTES = 4096;
/** Of where callers are told of their quotas: with GET before it, it is the name of an operation. */
export const MAX_ME_PATH_BYTES = 124;
/** How often a minute a consumer may ask. */
export const ME_PER_MINUTE = 60;
export const MAX_ME_PER_MINUTE = 6000;
/** A SHA-256 in hex. */
export const DIGEST_DIGITS = 64;

/** Windows that have a name: one for each unit, in the units' order, and then those of the module's Calendar. */
export const WINDOWS = ['second', 'minute', 'hour', 'day', 'week', 'month', 'year'] as const;
/** Units of a window that is given as a length, such as 15m, in seconds. */
export const WINDOW_UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
/** Of such a length: the days of a leap year. */
export const MAX_WINDOW_SECONDS = 366 * 86_400;
/** In the order of the module's FailureMode. */
export const FAILURE_MODES = ['deny', 'allow', 'local-share'] as const;
/** What a quota counts together, in the order of the module's Per. */
export const PERS = ['consumer', 'api', 'operation', 'key', 'group', 'address'] as const;
/** What a plan's concurrency counts together; in the order of the module's Per too. */
export const CONCURRENCY_PERS = ['consumer', 'api', 'operation', 'key', 'group', 'address'] as const;
/** Whether what is refused is refused, or only counted: of a policy, an API, a plan or a quota. In the order of the module's Mode. */
export const MODES = ['enforce', 'observe'] as const;
/** What an access log may show of a decision, each as a field of its own; in the order of the module's LogField. */
export const LOG_FIELDS = [
  'reason',
  'api',
  'operation',
  'route',
  'consumer',
  'keyId',
  'plan',
  'quota',
  'remaining',
  'host',
  'mode',
] as const;
/** Which headers tell callers of their quotas; in the order of the module's RateLimitHeaders. */
export const RATE_LIMIT_HEADERS = ['standard', 'x-ratelimit', 'refusals', 'none'] as const;
/** How callers may say who they are; in the order of the module's Credential. */
export const CREDENTIALS = ['key', 'workload', 'token'] as const;
/** The claim that names a token's owner where a policy names no other. */
export const CONSUMER_CLAIM = 'sub';
/** What says that a peer's certificate was verified: Envoy's RBAC filter, or that every listener verifies what it asks for. */
export const WORKLOAD_PROOFS = ['rbac', 'listener'] as const;
/** Who takes the key off a request that goes on: the module, or the routes of the policy's own routing tables. */
export const KEY_REMOVERS = ['module', 'routes'] as const;
/** What may be data in a path; in the order of the module's bits. */
export const PATH_DATA = ['escaped-slashes', 'empty-segments'] as const;
/** Schemes that documents of other systems have keys in; a policy may name any. */
export const SCHEMES = ['Bearer', 'ApiKey'] as const;
/** What of `Basic` may be the key. */
export const BASIC_PARTS = ['user', 'password'] as const;
/** Tollgate sets headers that begin so, and removes those that come from outside. */
export const OWN_PREFIX = 'x-tollgate-';
/** What an upstream may learn of a decision, and the header in which it does where a policy names no other; in the order of the module's Fact. */
export const IDENTITY_HEADERS = {
  consumer: `${OWN_PREFIX}consumer`,
  plan: `${OWN_PREFIX}plan`,
  route: `${OWN_PREFIX}route`,
  keyId: `${OWN_PREFIX}key-id`,
} as const;
/** Name of the API's own route; no route of a policy may have it. */
export const DEFAULT_ROUTE = 'default';

/** Headers of the module's own answers, which browsers may read on every API that has cors. */
export const EXPOSED_HEADERS = ['ratelimit', 'ratelimit-policy', 'retry-after', 'www-authenticate'] as const;
/** Those of quotas with `rateLimitHeaders: x-ratelimit`, in the place of the first two. */
export const X_RATELIMIT_HEADERS = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'] as const;

/** Where none is given: permanent, and the method stays. */
export const REDIRECT_STATUS = 308;
export const REDIRECT_STATUSES = [301, 302, 307, 308] as const;
/** That of what a quota refuses; a plan may say it is another of these. */
export const REFUSAL_STATUS = 429;
export const REFUSAL_STATUSES = [402, 403, 429] as const;
export const MOCK_STATUS = 200;

/** Headers that say where a message goes or where it ends; a route may not touch them. */
export const FRAMING_HEADERS = [
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'te',
  'upgrade',
  'trailer',
  'keep-alive',
] as const;

/**
 * What a field holds. Strings are measured in bytes. A list holds strings or objects of one kind, and at most `most`
 * items where that is given. A window is a word, or a whole number without leading zeros and a unit of WINDOW_UNITS.
 */
export type Kind =
  | { readonly type: 'string'; readonly least: number; readonly most: number }
  | { readonly type: 'word'; readonly words: readonly string[] }
  /** A list of 1 to `most` whole numbers, each above the one before. */
  | { readonly type: 'rising'; readonly least: number; readonly last: number; readonly most: number }
  /** A list of some of them, each at most once. */
  | { readonly type: 'words'; readonly words: readonly string[] }
  | { readonly type: 'integer'; readonly least: number; readonly most: number }
  | { readonly type: 'window'; readonly words: readonly string[]; readonly mostSeconds: number }
  | { readonly type: 'boolean' }
  | { readonly type: 'list'; readonly of: string; readonly least: number; readonly most?: number }
  | { readonly type: 'object'; readonly of: string };

export interface Field {
  readonly kind: Kind;
  readonly isRequired: boolean;
}

const need = <K extends Kind>(kind: K) => ({ kind, isRequired: true }) as const;
const may = <K extends Kind>(kind: K) => ({ kind, isRequired: false }) as const;

const string = (most: number, least = 1) => ({ type: 'string', least, most }) as const;
const word = <W extends readonly string[]>(words: W) => ({ type: 'word', words }) as const;
const words = <W extends readonly string[]>(words: W) => ({ type: 'words', words }) as const;
const integer = (least: number, most: number) => ({ type: 'integer', least, most }) as const;
const list = (of: string, least = 0, most?: number) =>
  ({ type: 'list', of, least, ...(most !== undefined && { most }) }) as const;
const object = (of: string) => ({ type: 'object', of }) as const;
const BOOLEAN = { type: 'boolean' } as const;
const WINDOW = { type: 'window', words: WINDOWS, mostSeconds: MAX_WINDOW_SECONDS } as const;
const NAME = string(MAX_NAME_BYTES);
const VALUE = string(MAX_VALUE_BYTES, 0);
const ALLOW = word(['deny', 'allow']);
const MODE = word(MODES);
const SECONDS = integer(0, MAX_EXACT);
const OFFSET = integer(-MAX_OFFSET_SECONDS, MAX_OFFSET_SECONDS);
const LIMIT = integer(1, MAX_EXACT);
const DETAIL = string(MAX_DETAIL_BYTES);
const SHOWN = string(MAX_VALUE_BYTES);

/** What an API, an operation or a route may say of its life. */
const LIFECYCLE = {
  deprecated: may(object('deprecated')),
  retired: may(object('retired')),
  maintenance: may(object('maintenance')),
  redirect: may(object('redirect')),
  mock: may(object('mock')),
} as const;

/**
 * Fields of every object of a plugin config, version 1. An object in ONE_OF has exactly one of the fields named there;
 * for those, `isRequired` means nothing.
 */
export const OBJECTS = {
  config: {
    version: need(integer(1, 1)),
    policy: need(NAME),
    digest: may(string(DIGEST_DIGITS, DIGEST_DIGITS)),
    mode: may(MODE),
    unmatched: may(ALLOW),
    forwardKey: may(BOOLEAN),
    keyRemoval: may(word(KEY_REMOVERS)),
    realm: may(NAME),
    accessLog: may(object('accessLog')),
    clientAddress: may(object('clientAddress')),
    identityHeaders: may(object('identityHeaders')),
    rateLimitHeaders: may(word(RATE_LIMIT_HEADERS)),
    keyExpiryWarning: may(object('keyExpiryWarning')),
    keySources: need(list('keySource', 1, MAX_KEY_SOURCES)),
    workloadProof: may(word(WORKLOAD_PROOFS)),
    tokens: may(list('token', 0, MAX_ISSUERS)),
    rateLimitService: may(object('rateLimitService')),
    apis: need(list('api')),
    plans: need(list('plan')),
    consumers: need(list('consumer')),
    zones: may(list('zone', 0, MAX_ZONES)),
  },
  clientAddress: {
    trustedHops: may(integer(1, MAX_TRUSTED_HOPS)),
    ipv4: may(integer(1, 32)),
    ipv6: may(integer(1, 128)),
  },
  accessLog: {
    line: may(BOOLEAN),
    fields: may(words(LOG_FIELDS)),
  },
  keyExpiryWarning: {
    header: need(NAME),
    beforeSeconds: need(integer(1, MAX_WINDOW_SECONDS)),
  },
  identityHeaders: {
    consumer: may(NAME),
    plan: may(NAME),
    route: may(NAME),
    keyId: may(NAME),
  },
  keySource: {
    header: may(NAME),
    prefix: may(NAME),
    authorization: may(NAME),
    basic: may(word(BASIC_PARTS)),
    query: may(NAME),
    cookie: may(NAME),
  },
  rateLimitService: {
    cluster: need(string(MAX_CLUSTER_BYTES)),
    domain: need(string(MAX_DOMAIN_BYTES)),
    timeoutMilliseconds: may(integer(1, MAX_TIMEOUT_MILLISECONDS)),
  },
  api: {
    name: need(NAME),
    hosts: may(list('string', 1)),
    paths: need(list('string', 1)),
    pathData: may(words(PATH_DATA)),
    plans: may(list('string')),
    credentials: may(words(CREDENTIALS)),
    anonymous: may(ALLOW),
    anonymousPlan: may(object('anonymousPlan')),
    preflight: may(ALLOW),
    cors: may(object('cors')),
    unlisted: may(ALLOW),
    operations: may(list('operation', 1, MAX_OPERATIONS)),
    me: may(object('me')),
    cost: may(integer(1, MAX_COST)),
    settlement: may(object('settlement')),
    ...LIFECYCLE,
    mode: may(MODE),
    keySources: may(list('keySource', 1, MAX_KEY_SOURCES)),
    forwardKey: may(BOOLEAN),
    routes: may(list('route', 0, MAX_ROUTES)),
  },
  me: {
    path: need(string(MAX_ME_PATH_BYTES, 2)),
    perMinute: may(integer(1, MAX_ME_PER_MINUTE)),
  },
  settlement: {
    header: may(string(MAX_COST_HEADER_BYTES)),
    most: may(integer(1, MAX_COST)),
    successOnly: may(BOOLEAN),
  },
  anonymousPlan: {
    plan: need(NAME),
    header: may(NAME),
  },
  cors: {
    origins: need(list('string', 1, MAX_ORIGINS)),
    methods: may(list('string', 0, MAX_CORS_NAMES)),
    headers: may(list('string', 0, MAX_CORS_NAMES)),
    exposedHeaders: may(list('string', 0, MAX_CORS_NAMES)),
    credentials: may(BOOLEAN),
    maxAgeSeconds: may(integer(0, MAX_CORS_AGE_SECONDS)),
  },
  operation: {
    name: need(NAME),
    methods: may(list('string', 1, MAX_METHODS)),
    path: need(string(MAX_PATH_BYTES)),
    plans: may(list('string', 1, MAX_OPERATION_PLANS)),
    scopes: may(list('string', 1, MAX_OPERATION_SCOPES)),
    cost: may(integer(0, MAX_COST)),
    settlement: may(object('settlement')),
    quotas: may(list('quota', 0, MAX_QUOTAS)),
    anonymous: may(ALLOW),
    ...LIFECYCLE,
  },
  route: {
    name: need(NAME),
    headers: may(list('headerCondition')),
    query: may(list('headerCondition')),
    methods: may(list('string')),
    path: may(string(MAX_PATH_BYTES)),
    plans: may(list('string')),
    consumers: may(list('string')),
    setHeaders: may(list('setHeader', 0, MAX_ROUTE_HEADERS)),
    removeHeaders: may(list('string', 0, MAX_ROUTE_HEADERS)),
    rewritePrefix: may(string(MAX_PATH_BYTES)),
    ...LIFECYCLE,
  },
  deprecated: {
    deprecation: need(SHOWN),
    sunset: may(SHOWN),
    link: may(SHOWN),
  },
  retired: {
    from: may(SECONDS),
    link: may(SHOWN),
    detail: may(DETAIL),
  },
  maintenance: {
    from: may(SECONDS),
    until: may(SECONDS),
    detail: may(DETAIL),
  },
  redirect: {
    status: may(integer(301, 308)),
    to: need(string(MAX_LOCATION_BYTES)),
  },
  mock: {
    status: may(integer(200, 599)),
    headers: may(list('setHeader', 0, MAX_MOCK_HEADERS)),
    body: may(string(MAX_MOCK_BYTES, 0)),
  },
  headerCondition: {
    name: need(NAME),
    exact: may(VALUE),
    prefix: may(VALUE),
    oneOf: may(list('string')),
    present: may(BOOLEAN),
    absent: may(BOOLEAN),
  },
  setHeader: {
    name: need(NAME),
    value: need(VALUE),
  },
  plan: {
    name: need(NAME),
    mode: may(MODE),
    refusal: may(object('refusal')),
    concurrency: may(object('concurrency')),
    quotas: may(list('quota', 0, MAX_QUOTAS)),
    calendar: may(object('calendar')),
  },
  concurrency: {
    limit: need(integer(1, MAX_CONCURRENCY)),
    per: may(word(CONCURRENCY_PERS)),
    mode: may(MODE),
  },
  refusal: {
    status: may(integer(400, 499)),
    detail: may(DETAIL),
    type: may(DETAIL),
  },
  quota: {
    name: need(NAME),
    limit: need(LIMIT),
    window: need(WINDOW),
    burst: may(integer(1, MAX_BURST)),
    per: may(word(PERS)),
    counter: may(NAME),
    scope: may(word(['envoy', 'mesh'])),
    onUnavailable: may(word(FAILURE_MODES)),
    localShare: may(LIMIT),
    warnAt: may({ type: 'rising', least: 1, last: 100, most: MAX_WARNINGS }),
    mode: may(MODE),
  },
  consumer: {
    name: need(NAME),
    plan: may(NAME),
    subscriptions: may(list('subscription')),
    group: may(NAME),
    keys: may(list('key')),
    scopes: may(list('string', 0, MAX_SCOPES)),
    calendar: may(object('calendar')),
    addresses: may(object('addresses')),
    origins: may(list('string', 1, MAX_ORIGINS)),
    workloads: may(list('string')),
    tokens: may(list('subjects', 0, MAX_ISSUERS)),
  },
  token: {
    name: need(NAME),
    issuer: need(string(MAX_ISSUER_BYTES)),
    audiences: may(list('string', 1, MAX_AUDIENCES)),
    consumer: may(NAME),
    plan: may(NAME),
    scopes: may(NAME),
    forward: may(BOOLEAN),
  },
  subjects: {
    issuer: need(NAME),
    subjects: need(list('string', 1)),
  },
  addresses: {
    allow: may(list('string', 1, MAX_ADDRESS_BLOCKS)),
    deny: may(list('string', 1, MAX_ADDRESS_BLOCKS)),
  },
  subscription: {
    api: need(NAME),
    plan: need(NAME),
    from: may(SECONDS),
    until: may(SECONDS),
    paused: may(BOOLEAN),
    ownCounters: may(BOOLEAN),
    limits: may(list('ownLimit', 0, MAX_QUOTAS)),
  },
  ownLimit: {
    quota: need(NAME),
    limit: need(LIMIT),
    burst: may(integer(1, MAX_BURST)),
  },
  key: {
    id: need(NAME),
    digest: need(string(DIGEST_DIGITS, DIGEST_DIGITS)),
    from: may(SECONDS),
    until: may(SECONDS),
    revoked: may(BOOLEAN),
    addresses: may(object('addresses')),
    apis: may(list('string', 1, MAX_KEY_APIS)),
    scopes: may(list('string', 1, MAX_SCOPES)),
  },
  calendar: {
    zone: may(NAME),
    dayBeginsMinutes: may(integer(0, MAX_DAY_MINUTES)),
    weekBegins: may(integer(1, 7)),
    monthBegins: may(integer(1, 31)),
    yearBeginsMonth: may(integer(1, 12)),
    yearBeginsDay: may(integer(1, 31)),
  },
  zone: {
    name: need(NAME),
    offsetSeconds: need(OFFSET),
    changes: may(list('zoneChange', 0, MAX_ZONE_CHANGES)),
    until: need(SECONDS),
  },
  zoneChange: {
    at: need(SECONDS),
    offsetSeconds: need(OFFSET),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Field>>>>;

export type ObjectName = keyof typeof OBJECTS;

/** Fields of which an object has exactly one. */
export const ONE_OF: Readonly<Partial<Record<ObjectName, readonly string[]>>> = {
  keySource: ['header', 'authorization', 'basic', 'query', 'cookie'],
  headerCondition: ['exact', 'prefix', 'oneOf', 'present', 'absent'],
};

/** Seconds of the calendar's windows as they are ranked; the others have their unit's. */
const CALENDAR_SECONDS = { week: 7 * 86_400, month: 30 * 86_400, year: 365 * 86_400 } as const;

/** Seconds of a window that is counted from 1970-01-01 on, or null for the calendar's and for what is no window. */
export function fixedSeconds(window: string): number | null {
  const index = (WINDOWS as readonly string[]).indexOf(window);
  const units = Object.entries(WINDOW_UNITS);
  if (index >= 0) return units[index]?.[1] ?? null;
  const [, number, unit] = /^([1-9][0-9]{0,7})([smhd])$/.exec(window) ?? [];
  const seconds = Number(number) * (WINDOW_UNITS[unit as keyof typeof WINDOW_UNITS] ?? NaN);
  return seconds <= MAX_WINDOW_SECONDS ? seconds : null;
}

/** Seconds of any window; a month counts as 30 days, a year as 365. Null for what is no window. */
export function nominalSeconds(window: string): number | null {
  return Object.hasOwn(CALENDAR_SECONDS, window)
    ? CALENDAR_SECONDS[window as keyof typeof CALENDAR_SECONDS]
    : fixedSeconds(window);
}
