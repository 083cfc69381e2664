import type {
  BASIC_PARTS,
  CONCURRENCY_PERS,
  CREDENTIALS,
  IDENTITY_HEADERS,
  LOG_FIELDS,
  MODES,
  PATH_DATA,
  PERS,
  RATE_LIMIT_HEADERS,
  WINDOW_UNITS,
  WINDOWS,
} from './table.ts';

/** A word of the table's, or a length such as 15m. */
export type Window = (typeof WINDOWS)[number] | `${number}${keyof typeof WINDOW_UNITS}`;
export type Mode = (typeof MODES)[number];
export type Per = (typeof PERS)[number];
export type ConcurrencyPer = (typeof CONCURRENCY_PERS)[number];
export type CredentialKind = (typeof CREDENTIALS)[number];
export type PathData = (typeof PATH_DATA)[number];
export type LogField = (typeof LOG_FIELDS)[number];
export type RateLimitHeaders = (typeof RATE_LIMIT_HEADERS)[number];
/** What an upstream may learn of a decision. */
export type Fact = keyof typeof IDENTITY_HEADERS;

/** The compiled policy, version 1: what the module reads. Optional fields are left out where they say the default. */
export interface PluginConfig {
  version: 1;
  policy: string;
  /** SHA-256 in hex of this config as JSON without this field: what tells one edit of a policy from another. */
  digest?: string;
  /** Left out: enforce. */
  mode?: 'observe';
  unmatched?: 'allow';
  forwardKey?: true;
  /** Left out: module. */
  keyRemoval?: 'routes';
  realm?: string;
  accessLog?: AccessLogConfig;
  /** Left out: the address that Envoy takes for the client's. */
  clientAddress?: ClientAddressConfig;
  /** The header of each fact that upstreams get; those that share a name share a header. Left out: consumer, plan and route, in x-tollgate-… */
  identityHeaders?: IdentityHeadersConfig;
  /** Left out: standard. */
  rateLimitHeaders?: RateLimitHeaders;
  /** Left out: nobody is told that a key ends. */
  keyExpiryWarning?: { header: string; beforeSeconds: number };
  keySources: KeySourceConfig[];
  /** Left out: rbac. */
  workloadProof?: 'listener';
  /** Issuers whose tokens Envoy verifies. */
  tokens?: TokenConfig[];
  rateLimitService?: RateLimitServiceConfig;
  apis: ApiConfig[];
  plans: PlanConfig[];
  consumers: ConsumerConfig[];
  /** Those that calendars name. */
  zones?: ZoneConfig[];
}

/** Where days, weeks, months and years begin; what is left out is as in UTC. */
export interface CalendarConfig {
  zone?: string;
  dayBeginsMinutes?: number;
  /** 1 is Monday, as in ISO 8601. */
  weekBegins?: number;
  monthBegins?: number;
  yearBeginsMonth?: number;
  yearBeginsDay?: number;
}

/** What is known of a time zone's clock until a second; after it the last offset goes on. */
export interface ZoneConfig {
  name: string;
  /** Ahead of UTC, before the first change. */
  offsetSeconds: number;
  changes?: { at: number; offsetSeconds: number }[];
  until: number;
}

/** Where the client's address stands. */
export interface ClientAddressConfig {
  /** Which entry of X-Forwarded-For it is, counted from the right. */
  trustedHops?: number;
  /** Left out: 32. How many bits of an IPv4 address count as one caller. */
  ipv4?: number;
  /** Left out: 64. */
  ipv6?: number;
}

/** What the module leaves for access logs: its one line, unless that is off, and fields. */
export interface AccessLogConfig {
  line?: false;
  fields?: LogField[];
}

export type IdentityHeadersConfig = { [F in Fact]?: string };

export type KeySourceConfig =
  | { header: string; prefix?: string }
  /** A scheme, or `none`. */
  | { authorization: string }
  | { basic: (typeof BASIC_PARTS)[number] }
  | { query: string }
  | { cookie: string };

/** Where mesh-wide quotas are counted. */
export interface RateLimitServiceConfig {
  cluster: string;
  domain: string;
  timeoutMilliseconds: number;
}

/** How an API or a route stands in its life. */
export interface LifecycleConfig {
  deprecated?: DeprecatedConfig;
  retired?: RetiredConfig;
  maintenance?: MaintenanceConfig;
  redirect?: RedirectConfig;
  mock?: MockConfig;
}

/** Values of response headers, ready to be sent. */
export interface DeprecatedConfig {
  deprecation: string;
  sunset?: string;
  link?: string;
}

export interface RetiredConfig {
  /** Left out: at any time. */
  from?: number;
  /** The value of the response header. */
  link?: string;
  detail?: string;
}

export interface MaintenanceConfig {
  from?: number;
  until?: number;
  detail?: string;
}

export interface RedirectConfig {
  /** Left out: 308. */
  status?: 301 | 302 | 307 | 308;
  to: string;
}

export interface MockConfig {
  /** Left out: 200. */
  status?: number;
  headers?: { name: string; value: string }[];
  body?: string;
}

export interface ApiConfig extends LifecycleConfig {
  name: string;
  hosts?: string[];
  paths: string[];
  /** Left out: escaped slashes are refused, and slashes merged. */
  pathData?: PathData[];
  plans: string[];
  /** In order; left out: the key alone. */
  credentials?: CredentialKind[];
  anonymous?: 'allow';
  /** The plan of callers without a key, who then may call. */
  anonymousPlan?: AnonymousPlanConfig;
  preflight?: 'allow';
  /** Not beside `preflight`. */
  cors?: CorsConfig;
  /** Left out: every path of the API. */
  operations?: OperationConfig[];
  /** With operations only. */
  unlisted?: 'allow';
  /** Where callers are told of their quotas; left out: nowhere. */
  me?: MeConfig;
  /** Of requests that none of its operations is; left out: 1. */
  cost?: number;
  /** How their answers settle that. */
  settlement?: SettlementConfig;
  /** Left out: that of the policy. */
  mode?: Mode;
  /** Left out: those of the policy. */
  keySources?: KeySourceConfig[];
  forwardKey?: boolean;
  routes?: RouteConfig[];
}

/** A path below those of the API. */
export interface MeConfig {
  path: string;
  /** Left out: 60. How often a minute a consumer may ask. */
  perMinute?: number;
}

/** What an answer says of a request's cost: the units in a header, at most so many, or that only what was successful counts; or both. */
export interface SettlementConfig {
  header?: string;
  /** Left out: 1,000,000. */
  most?: number;
  successOnly?: boolean;
}

/** Counted by address, or by the value of a header. */
export interface AnonymousPlanConfig {
  plan: string;
  header?: string;
}

/** What pages on other origins may do in a browser. Methods and headers that every page may use need no entry. */
export interface CorsConfig {
  /** `*` alone, or origins, of which the host may begin with `*.`. */
  origins: string[];
  methods?: string[];
  headers?: string[];
  exposedHeaders?: string[];
  credentials?: true;
  maxAgeSeconds?: number;
}

export interface OperationConfig extends LifecycleConfig {
  name: string;
  /** Left out: any. */
  methods?: string[];
  /** Below the path of the API: `{}` is a variable, `{...}` the rest. */
  path: string;
  plans?: string[];
  scopes?: string[];
  /** Left out: 1. */
  cost?: number;
  /** How its answers settle that; left out: not at all, whatever the API says. */
  settlement?: SettlementConfig;
  /** Its own, beside the plan's: counted per consumer, and for all callers without a key together. Without `per`. */
  quotas?: QuotaConfig[];
  /** Left out: what the API says. */
  anonymous?: 'allow' | 'deny';
}

export interface RouteConfig extends LifecycleConfig {
  name: string;
  headers?: HeaderConditionConfig[];
  /** The same of parameters of the query, by their decoded names and values. */
  query?: HeaderConditionConfig[];
  methods?: string[];
  path?: string;
  plans?: string[];
  consumers?: string[];
  setHeaders?: { name: string; value: string }[];
  removeHeaders?: string[];
  rewritePrefix?: string;
}

export type HeaderConditionConfig = { name: string } & (
  { exact: string } | { prefix: string } | { oneOf: string[] } | { present: true } | { absent: true }
);

/** What callers are told whom a quota of the plan refuses. */
export interface RefusalConfig {
  /** Left out: 429. */
  status?: number;
  detail?: string;
  /** A URI. */
  type?: string;
}

/** How many requests may be in flight at once, on one Envoy. */
export interface ConcurrencyConfig {
  limit: number;
  /** Left out: consumer. */
  per?: Exclude<ConcurrencyPer, 'consumer'>;
  /** Left out: that of the plan. */
  mode?: Mode;
}

export interface PlanConfig {
  name: string;
  refusal?: RefusalConfig;
  concurrency?: ConcurrencyConfig;
  /** Left out: that of the API. */
  mode?: Mode;
  quotas?: QuotaConfig[];
  calendar?: CalendarConfig;
}

export interface QuotaConfig {
  name: string;
  limit: number;
  window: Window;
  burst?: number;
  /** Left out: consumer. */
  per?: Exclude<Per, 'consumer'>;
  /** What its counters are known by in the place of its name, with every plan; see `SubscriptionConfig.ownCounters`. */
  counter?: string;
  scope?: 'mesh';
  /** Left out: deny. */
  onUnavailable?: 'allow' | 'local-share';
  /** With local-share only, and then always. */
  localShare?: number;
  /** Percentages of the limit, in their order, at which callers are warned. */
  warnAt?: number[];
  /** Left out: that of the plan. */
  mode?: Mode;
}

export interface ConsumerConfig {
  name: string;
  plan?: string;
  /** Consumers of one group share the counters of quotas per group. */
  group?: string;
  subscriptions?: SubscriptionConfig[];
  keys?: KeyConfig[];
  scopes?: string[];
  /** Instead of that of its plans. */
  calendar?: CalendarConfig;
  addresses?: AddressesConfig;
  /** Pages from which it may call, by their origins; the host may begin with `*.`. */
  origins?: string[];
  /** SPIFFE ids of certificates. */
  workloads?: string[];
  /** Owners of tokens, by issuer. */
  tokens?: SubjectsConfig[];
}

/** Tokens of one issuer, and what their claims mean. */
export interface TokenConfig {
  name: string;
  /** The claim `iss`. */
  issuer: string;
  /** The claim `aud` must hold one of them; left out: any token of the issuer. */
  audiences?: string[];
  /** The claim that names who owns the token; left out: sub. */
  consumer?: string;
  /** The claim that names the plan. */
  plan?: string;
  /** The claim that holds the scopes. */
  scopes?: string;
  /** Left out: the upstream does not see the token. */
  forward?: true;
}

export interface SubjectsConfig {
  /** The name of one of the config's tokens. */
  issuer: string;
  subjects: string[];
}

/** Address blocks from which a consumer may call, or a key may be used, such as 10.0.0.0/8; those that are denied go before. */
export interface AddressesConfig {
  allow?: string[];
  deny?: string[];
}

export interface SubscriptionConfig {
  api: string;
  plan: string;
  /** Seconds since 1970, as all times here. */
  from?: number;
  until?: number;
  paused?: true;
  /** Quotas without a `counter` count in counters of this plan, apart from those of the consumer's other plans. */
  ownCounters?: true;
  limits?: OwnLimitConfig[];
}

/** A limit in place of the plan's; of a bucket that refills at it, with the plan's burst or another. */
export interface OwnLimitConfig {
  quota: string;
  limit: number;
  burst?: number;
}

export interface KeyConfig {
  id: string;
  /** 64 lower-case hex digits. */
  digest: string;
  from?: number;
  until?: number;
  revoked?: true;
  addresses?: AddressesConfig;
  /** Left out: any. */
  apis?: string[];
  /** Of its consumer's, those that it has. Left out: all. */
  scopes?: string[];
}
