import { z } from 'zod';
import { durationMs } from './mesh.ts';

/** What the rate limit service keeps a limit in: 32 bits without sign. */
export const MAX_MESH_LIMIT = 2 ** 32 - 1;
/** A request takes a lease of each quota in turn, and each may wait for the service. */
export const MAX_MESH_QUOTAS = 3;
export const DEFAULT_TIMEOUT = '50ms';

const CLUSTER_RULE =
  'must be the name of an Envoy cluster: 1 to 255 characters of ASCII without spaces, such as "outbound|8081||ratelimit.tollgate.svc.cluster.local"';
const DOMAIN_RULE = 'must be a name of 1 to 127 letters, digits, "." and "-" that begins with a letter or digit';
const TIMEOUT_RULE = 'must be a time from 1ms to 1000ms, such as 50ms';

/** The service that counts quotas for the whole mesh. */
export const rateLimitService = z.strictObject({
  cluster: z
    .string()
    .regex(/^[!-~]{1,255}$/, { error: CLUSTER_RULE })
    .meta({
      description: 'Envoy cluster of the rate limit service, with HTTP/2.',
      examples: ['outbound|8081||ratelimit.tollgate.svc.cluster.local'],
    }),
  // the service joins a counter's names with "_": without that here, no two domains share a counter
  domain: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,126}$/, { error: DOMAIN_RULE })
    .meta({ description: "Domain of the service's configuration. Default: the policy's name." })
    .optional(),
  timeout: z
    .string({ error: TIMEOUT_RULE })
    .regex(/^(?:[1-9][0-9]{0,2}ms|1000ms|1s)$/, { error: TIMEOUT_RULE })
    .default(DEFAULT_TIMEOUT)
    .meta({ description: 'How long a request may wait for the service: 1ms to 1000ms.' }),
  calendarMonths: z.boolean({ error: 'must be true or false' }).default(false).meta({
    description: 'true: the service runs with USE_CALENDAR_MONTH_RATE_LIMIT, so its months are those of the calendar.',
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
