import { z } from 'zod';
import type { ConcurrencyPer, Mode } from '../../contract/pluginConfig.ts';
import {
  CONCURRENCY_PERS,
  FAILURE_MODES,
  MAX_BURST,
  MAX_CLUSTER_BYTES,
  MAX_CONCURRENCY,
  MAX_DETAIL_BYTES,
  MAX_DOMAIN_BYTES,
  MAX_EXACT,
  MAX_QUOTAS,
  MAX_TIMEOUT_MILLISECONDS,
  MAX_WARNINGS,
  MAX_WINDOW_SECONDS,
  PERS,
  REFUSAL_STATUS,
  REFUSAL_STATUSES,
  TIMEOUT_MILLISECONDS,
  WINDOWS,
  nominalSeconds,
} from '../../contract/table.ts';
import { calendar, type Calendar } from './calendar.ts';
import { detail } from './lifecycle.ts';
import { durationMs } from './mesh.ts';
import { mode, name, named, wholeFrom } from './value.ts';

const LENGTH_PATTERN = '^[1-9][0-9]{0,7}[smhd]$';
const ROUGHLY_A_WINDOW = new RegExp(`^(?:${WINDOWS.join('|')})$|${LENGTH_PATTERN}`);
const WINDOW_RULE = `must be ${WINDOWS.slice(0, -1).join(', ')} or ${WINDOWS.at(-1)}, or a length from 1s to ${MAX_WINDOW_SECONDS / 86_400}d such as 10s, 15m or 6h`;

export const limit = (description: string) => wholeFrom(1, MAX_EXACT, description);

const WARN_RULE = `must be a list of 1 to ${MAX_WARNINGS} percentages`;

const warnAt = z
  .array(wholeFrom(1, 100, 'A percentage of the limit.'), { error: WARN_RULE })
  .min(1, { error: WARN_RULE })
  .max(MAX_WARNINGS, { error: WARN_RULE })
  .refine((percents) => new Set(percents).size === percents.length, { error: 'must hold each percentage once' })
  .meta({
    description: 'Percentages of the limit at which callers are warned in "ratelimit-warning", and a metric counts.',
    uniqueItems: true,
    examples: [[80, 95]],
  });

export const quota = z.strictObject({
  limit: limit('Requests per window, 1 to 2^53.'),
  window: z
    .string({ error: WINDOW_RULE })
    .regex(ROUGHLY_A_WINDOW, { error: WINDOW_RULE })
    .refine((window) => nominalSeconds(window) !== null, { error: WINDOW_RULE })
    .meta({
      description:
        'What the limit is counted over: second, minute, hour, day, week (from Monday), month or year of the calendar in UTC, or of a "calendar" from day on; or a length of 1s to 366d (s, m, h or d), which begins at multiples of itself since 1970-01-01T00:00:00Z.',
      anyOf: [{ enum: WINDOWS }, { pattern: LENGTH_PATTERN }],
      examples: ['10s', '15m', '6h', '30d'],
    }),
  burst: wholeFrom(
    1,
    MAX_BURST,
    'Makes the quota a token bucket of this size, refilled at limit per window. For windows of at most a day.',
  ).optional(),
  per: z.enum(PERS).default('consumer').meta({
    description:
      'What has a counter of its own. consumer: each consumer. api, operation, key, address: each consumer and API, operation, key, client address. group: all consumers of a group together.',
  }),
  counter: name(
    "A counter that quotas of this name share, whatever their plans; its name takes the place of the quota's. Default: the plan's own.",
  ).optional(),
  scope: z
    .enum(['envoy', 'mesh'])
    .default('envoy')
    .meta({ description: 'envoy: every Envoy counts for itself. mesh: the rate limit service counts for all.' }),
  onUnavailable: z
    .enum(FAILURE_MODES)
    .meta({
      description:
        'What happens while the rate limit service does not answer: requests are denied, allowed, or each Envoy has its localShare. Default: deny.',
    })
    .optional(),
  localShare: limit(
    'Requests per window and Envoy while the rate limit service does not answer. Default: a tenth of the limit.',
  ).optional(),
  warnAt: warnAt.optional(),
  mode: mode(
    'observe: what the quota would refuse passes, and is counted. enforce: it is refused. Default: the mode of the plan.',
  ),
});

const OWN_LIMIT_RULE = `must be a whole number from 1 to ${MAX_EXACT}, or a mapping such as { limit: 10, burst: 40 }`;

/** What a consumer has of a quota in place of the plan's: a number is its limit. */
export const ownLimit = z.union(
  [
    limit("The limit that replaces the plan's."),
    z
      .strictObject({
        limit: limit("The limit that replaces the plan's. Default: the plan's.").optional(),
        burst: wholeFrom(1, MAX_BURST, "The size of a token bucket. Default: the plan's.").optional(),
      })
      .refine(({ limit, burst }) => limit !== undefined || burst !== undefined, { error: 'must hold limit or burst' })
      .meta({ minProperties: 1 }),
  ],
  { error: OWN_LIMIT_RULE },
);

export type OwnLimit = z.output<typeof ownLimit>;

/** What the rate limit service keeps a limit in: 32 bits without sign. */
export const MAX_MESH_LIMIT = 2 ** 32 - 1;

const CLUSTER_RULE = `must be the name of an Envoy cluster: 1 to ${MAX_CLUSTER_BYTES} characters of ASCII without spaces, such as "outbound|8081||ratelimit.tollgate.svc.cluster.local"`;
const DOMAIN_RULE = `must be a name of 1 to ${MAX_DOMAIN_BYTES} letters, digits, "." and "-" that begins with a letter or digit`;
const TIMEOUT_RULE = `must be a time from 1ms to ${MAX_TIMEOUT_MILLISECONDS}ms, such as ${TIMEOUT_MILLISECONDS}ms`;

/** The service that counts quotas for the whole mesh. */
export const rateLimitService = z.strictObject({
  cluster: z
    .string()
    .regex(new RegExp(`^[!-~]{1,${MAX_CLUSTER_BYTES}}$`), { error: CLUSTER_RULE })
    .meta({
      description: 'Envoy cluster of the rate limit service, with HTTP/2.',
      examples: ['outbound|8081||ratelimit.tollgate.svc.cluster.local'],
    }),
  // the service joins a counter's names with "_": without that here, no two domains share a counter
  domain: z
    .string()
    .regex(new RegExp(`^[A-Za-z0-9][A-Za-z0-9.-]{0,${MAX_DOMAIN_BYTES - 1}}$`), { error: DOMAIN_RULE })
    .meta({ description: "Domain of the service's configuration. Default: the policy's name." })
    .optional(),
  timeout: z
    .string({ error: TIMEOUT_RULE })
    .regex(/^(?:[1-9][0-9]{0,2}ms|1000ms|1s)$/, { error: TIMEOUT_RULE })
    .default(`${TIMEOUT_MILLISECONDS}ms`)
    .meta({ description: 'How long a request may wait for the service: 1ms to 1000ms.' }),
  calendarMonths: z.boolean({ error: 'must be true or false' }).default(false).meta({
    description: 'true: the service runs with USE_CALENDAR_MONTH_RATE_LIMIT, so it counts calendar months.',
  }),
});

export type RateLimitService = z.output<typeof rateLimitService>;

export function timeoutMilliseconds({ timeout }: RateLimitService): number {
  return durationMs(timeout)!;
}

/** What an Envoy may spend of a quota in a window while the service does not answer. */
export function localShareOf({ limit, localShare }: { limit: number; localShare?: number | undefined }): number {
  return localShare ?? Math.ceil(limit / 10);
}

const STATUS_RULE = `must be ${REFUSAL_STATUSES.slice(0, -1).join(', ')} or ${REFUSAL_STATUSES.at(-1)}`;
const TYPE_RULE = `must be a URI of https, http, urn or tag, at most ${MAX_DETAIL_BYTES} characters of ASCII without spaces, '"', "<", ">" and "\\"`;

const refusal = z
  .strictObject({
    status: z
      .literal(REFUSAL_STATUSES, { error: STATUS_RULE })
      .default(REFUSAL_STATUS)
      .meta({ description: 'The HTTP status.' }),
    detail: detail.optional(),
    type: z
      .string({ error: TYPE_RULE })
      .regex(/^(?:https?:\/\/|urn:|tag:)[!#-;=?-[\]-~]+$/, { error: TYPE_RULE })
      .max(MAX_DETAIL_BYTES, { error: TYPE_RULE })
      .meta({ description: 'What kind of problem it is (RFC 9457). Default: urn:tollgate:reason:quota_exceeded.' })
      .optional(),
  })
  .refine((fields) => fields.status !== REFUSAL_STATUS || fields.detail !== undefined || fields.type !== undefined, {
    error: `must say something else than a refusal says anyway: a status, a detail or a type`,
  })
  .meta({ description: 'What callers are told whom a quota of the plan refuses.' });

const CONCURRENCY_RULE = `must be a whole number from 1 to ${MAX_CONCURRENCY}, or a mapping such as { limit: 10, per: key }`;

/** How many requests may be in flight at once; a number alone is short for its limit. */
const concurrency = z
  .union(
    [
      wholeFrom(1, MAX_CONCURRENCY, 'Requests in flight at once.').transform((limit) => ({
        limit,
        per: 'consumer' as ConcurrencyPer,
        mode: undefined as Mode | undefined,
      })),
      z.strictObject({
        limit: wholeFrom(1, MAX_CONCURRENCY, 'Requests in flight at once.'),
        per: z.enum(CONCURRENCY_PERS).default('consumer').meta({
          description:
            'What is counted apart. consumer: each consumer. api, operation, key, address: each consumer and API, operation, key, client address. group: all consumers of a group together.',
        }),
        mode: mode(
          'observe: a request that is one too many passes, and is counted. enforce: it is refused. Default: the mode of the plan.',
        ),
      }),
    ],
    { error: CONCURRENCY_RULE },
  )
  .meta({
    description:
      'How many requests may be in flight at once on one Envoy; one more is refused with 429 concurrency_exceeded. A number is short for { limit: number }.',
  });

export type Concurrency = z.output<typeof concurrency>;

type PlanFields = {
  mode?: Mode | undefined;
  refusal?: z.output<typeof refusal> | undefined;
  concurrency?: Concurrency | undefined;
  quotas: Record<string, z.output<typeof quota>>;
  calendar?: Calendar | undefined;
};

/** Quotas by name; nothing after the plan's name means none. */
export const plan = z
  .strictObject({
    mode: mode(
      'observe: what a subscription to the plan or its quotas would refuse passes, and is counted. Default: the mode of the API.',
    ),
    refusal: refusal.optional(),
    concurrency: concurrency.optional(),
    quotas: quotasByName(quota, 'Quotas by name; a request must fit into all of them.'),
    calendar: calendar("Where days, weeks, months and years of the plan's quotas begin. Default: in UTC, on the 1st."),
  })
  .nullable()
  .transform((plan): PlanFields => plan ?? { quotas: {} });

/** An operation's own: counted for it alone, so there is no "per"; nor do they warn. */
export const ownQuotas = quotasByName(
  quota.omit({ per: true, counter: true, warnAt: true }),
  "Quotas of its own beside those of the caller's plan, counted per consumer and operation; for callers without a key together.",
);

/** Quotas by name, of a plan or an operation. */
export function quotasByName<S extends z.ZodType>(kind: S, description: string) {
  return named(name("A quota's name."), kind, description).refine(
    (quotas) => Object.keys(quotas).length <= MAX_QUOTAS,
    { error: `must hold at most ${MAX_QUOTAS} quotas` },
  );
}
