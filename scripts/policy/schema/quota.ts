import { z } from 'zod';
import type { Cursor } from '../check/cursor.ts';
import { MAX_EXACT } from '../yaml/scalar.ts';

export const MAX_QUOTAS = 8;
export const MAX_BURST = 1_000_000_000;
/** A bucket's clock counts nanoseconds; faster than this its interval would round too coarsely. */
export const MAX_BUCKET_RATE_PER_SECOND = 1_000_000;
export const MAX_REFILL_SECONDS = 366n * 86_400n;

export const WINDOWS = ['second', 'minute', 'hour', 'day', 'week', 'month', '7d', '30d'] as const;
export type Window = (typeof WINDOWS)[number];

/** Lengths of the windows in which a bucket may fill; weeks and months are for counting only. */
export const BUCKET_SECONDS: Readonly<Partial<Record<Window, number>>> = {
  second: 1,
  minute: 60,
  hour: 3600,
  day: 86_400,
};

function wholeNumber(most: number, description: string) {
  const rule = `must be a whole number from 1 to ${most}`;
  return z
    .number({ error: rule })
    .min(1, { error: rule })
    .max(most, { error: rule })
    .multipleOf(1, { error: rule })
    .meta({ description });
}

export const limit = (description: string) => wholeNumber(MAX_EXACT, description);

export const quota = z.strictObject({
  limit: limit('Requests per window, 1 to 2^53.'),
  window: z.enum(WINDOWS).meta({
    description:
      'What the limit is counted over, on the calendar in UTC; weeks begin on Monday. 7d and 30d: so many days, counted from 1970-01-01.',
  }),
  burst: wholeNumber(
    MAX_BURST,
    'Makes the quota a token bucket of this size, refilled at limit per window. For windows of second to day.',
  ).optional(),
  per: z
    .enum(['consumer', 'api'])
    .default('consumer')
    .meta({ description: 'consumer: one counter for all APIs. api: a counter of its own on each API.' }),
  scope: z
    .enum(['envoy', 'mesh'])
    .default('envoy')
    .meta({ description: 'envoy: every Envoy counts for itself. mesh: the rate limit service counts for all.' }),
  onUnavailable: z
    .enum(['deny', 'allow', 'local-share'])
    .meta({
      description:
        'What happens while the rate limit service does not answer: requests are denied, allowed, or each Envoy has its localShare. Default: deny.',
    })
    .optional(),
  localShare: limit(
    'Requests per window and Envoy while the rate limit service does not answer. Default: a tenth of the limit.',
  ).optional(),
});

/** True for a quota that the rate limit service counts. */
export function hasMeshScope(quota: Cursor): boolean {
  return quota.get('scope').text === 'mesh';
}
