import { z } from 'zod';

const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:Z|([+-])(\d{2}):(\d{2}))$/;

export const TIME_RULE = 'must be a time such as 2026-01-31T00:00:00Z, from 1970 on';

/** Seconds since 1970 of an RFC 3339 time of whole seconds, or null for what is none (30 February, a leap second). */
export function epochSeconds(text: string): number | null {
  const match = RFC3339.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const offsetMinutes =
    match[7] === undefined ? 0 : (match[7] === '-' ? -1 : 1) * (Number(match[8]) * 60 + Number(match[9]));
  if (hour > 23 || minute > 59 || second > 59 || Number(match[8] ?? 0) > 23 || Number(match[9] ?? 0) > 59) return null;
  const local = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  if (local.getUTCFullYear() !== year || local.getUTCMonth() !== month - 1 || local.getUTCDate() !== day) return null;
  const seconds = local.getTime() / 1000 - offsetMinutes * 60;
  return seconds < 0 ? null : seconds;
}

/** A time, kept as its author wrote it. */
export function time(description: string) {
  return z
    .string({ error: TIME_RULE })
    .refine((text) => epochSeconds(text) !== null, { error: TIME_RULE })
    .meta({ description, format: 'date-time', examples: ['2026-01-01T00:00:00Z'] });
}
