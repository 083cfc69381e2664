import { z } from 'zod';
import {
  FAILURE_MODES,
  MAX_BURST,
  MAX_CLUSTER_BYTES,
  MAX_DOMAIN_BYTES,
  MAX_EXACT,
  MAX_QUOTAS,
  MAX_TIMEOUT_MILLISECONDS,
  TIMEOUT_MILLISECONDS,
  WINDOWS,
} from '../../contract/table.ts';
import { durationMs, name, named, wholeFrom } from './value.ts';

import type { Window } from '../../contract/pluginConfig.ts';

/** Lengths of the windows in which a bucket may fill; weeks and months are for counting only. */
export const BUCKET_SECONDS: Readonly<Partial<Record<Window, number>>> = {
  second: 1,
  minute: 60,
  hour: 3600,
  day: 86_400,
};

export const limit = (description: string) => wholeFrom(1, MAX_EXACT, description);

export const quota = z.strictObject({
  limit: limit('Requests per window, 1 to 2^53.'),
  window: z.enum(WINDOWS).meta({
    description:
      'What the limit is counted over, on the calendar in UTC; weeks begin on Monday. 7d and 30d: that many days, counted from 1970-01-01.',
  }),
  burst: wholeFrom(
    1,
    MAX_BURST,
    'Makes the quota a token bucket of this size, refilled at limit per window. For windows of second to day.',
  ).optional(),
  per: z
    .enum(['consumer', 'api'])
    .default('consumer')
    .meta({ description: 'consumer: one counter for all APIs. api: one counter for each API.' }),
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
});

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

/** Quotas by name; nothing after the plan's name means none. */
export const plan = z
  .strictObject({
    quotas: named(name("A quota's name."), quota, 'Quotas by name; a request must fit into all of them.').refine(
      (quotas) => Object.keys(quotas).length <= MAX_QUOTAS,
      { error: `must hold at most ${MAX_QUOTAS} quotas` },
    ),
  })
  .nullable()
  .transform((plan): { quotas: Record<string, z.output<typeof quota>> } => plan ?? { quotas: {} });
