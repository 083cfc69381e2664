import { z } from 'zod';
import { MAX_NAME_BYTES } from '../../contract/table.ts';

/** Names that end up in headers, metric names and Envoy's clusters. */
export const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** Ids of keys, which become part of the keys. */
export const LABEL = new RegExp(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,${MAX_NAME_BYTES - 1}}$`);

export const NAME_RULE = 'must be a name of 1 to 63 lower-case letters, digits and "-", with no "-" at its ends';
export const LABEL_RULE = `must be a name of 1 to ${MAX_NAME_BYTES} letters, digits, ".", "_", "@" and "-" that begins with a letter or digit`;

/** A name that Tollgate's own words refer to. */
export function name(description: string) {
  return z.string().regex(NAME, { error: NAME_RULE }).meta({ description });
}

/** An id of a key. */
export function label(description: string) {
  return z.string().regex(LABEL, { error: LABEL_RULE }).meta({ description });
}

/** Begins with a letter or digit of any script; no control, format or private characters, and no space but single ones inside. */
const CONSUMER = /^[\p{L}\p{N}](?: ?[^\p{C}\p{Z}])*$/u;
/** As much of it as a JSON Schema's pattern says in every editor, with and without Unicode's classes. */
const ROUGHLY = /^[^\u0000-/:-@[-`{-\u009f][^\u0000-\u001f\u007f-\u009f]*$/;
const ENCODED_CHARACTERS = /[^A-Za-z0-9._@+|:/=~-]+/g;

export const CONSUMER_RULE =
  'must be a name that begins with a letter or digit, without control or invisible characters, and with single spaces inside only';
const FORM_RULE = 'must be in the normal form NFC of Unicode: two names that look alike would be two consumers';
const LENGTH_RULE = `must have at most ${MAX_NAME_BYTES} bytes; a byte of a character other than letters, digits and ._@+|:/=~- counts three`;

/**
 * The name wherever it leaves the policy: as it is, but with `%` and two hex digits for each byte of other characters than
 * letters, digits and `._@+|:/=~-`. So it is one word in a header, a log line and a rate limit service's configuration, and
 * no two names have the same.
 */
export function encodedConsumer(name: string): string {
  return name.replace(ENCODED_CHARACTERS, (part) =>
    [...Buffer.from(part)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}

/** The rule that a name breaks, or null. */
export function consumerNameRule(name: string): string | null {
  if (!CONSUMER.test(name)) return CONSUMER_RULE;
  if (name.normalize('NFC') !== name) return FORM_RULE;
  return encodedConsumer(name).length > MAX_NAME_BYTES ? LENGTH_RULE : null;
}

/** A name of the outside world: a person, a company, an identity provider's subject. */
export function consumerName(description: string) {
  return z
    .string()
    .regex(ROUGHLY, { error: CONSUMER_RULE })
    .refine((name) => CONSUMER.test(name), { error: CONSUMER_RULE })
    .refine((name) => !CONSUMER.test(name) || name.normalize('NFC') === name, { error: FORM_RULE })
    .refine((name) => !CONSUMER.test(name) || encodedConsumer(name).length <= MAX_NAME_BYTES, { error: LENGTH_RULE })
    .meta({ description });
}

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

const DURATION_RULE = 'must be a time such as 500ms, 5s or 1m: a whole number above 0 and its unit (ms, s, m, h)';
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

export function duration(description: string) {
  return z
    .string()
    .regex(/^[1-9][0-9]{0,4}(?:ms|s|m|h)$/, { error: DURATION_RULE })
    .meta({ description, examples: ['5s'] });
}

/** Milliseconds of a duration, or null for what is none. */
export function durationMs(text: string): number | null {
  const match = /^(\d+)(ms|s|m|h)$/.exec(text);
  return match === null ? null : Number(match[1]) * UNIT_MS[match[2]!]!;
}

/** A whole number within two bounds. */
export function wholeFrom(least: number, most: number, description: string) {
  const rule = `must be a whole number from ${least} to ${most}`;
  return z
    .number({ error: rule })
    .min(least, { error: rule })
    .max(most, { error: rule })
    .multipleOf(1, { error: rule })
    .meta({ description });
}

/**
 * A mapping from names. Absent, empty and `name:` with nothing after it are all the same here, because nobody who deletes
 * the last entry thinks of deleting the line above it.
 */
export function named<K extends z.ZodString, V extends z.ZodType>(key: K, value: V, description: string) {
  return z
    .record(key, value)
    .nullish()
    .transform((entries): z.output<z.ZodRecord<K, V>> => entries ?? ({} as z.output<z.ZodRecord<K, V>>))
    .meta({ description });
}

/** A list in which nothing means empty. */
export function listed<V extends z.ZodType>(item: V, description: string) {
  return z
    .array(item)
    .nullish()
    .transform((items): z.output<V>[] => items ?? [])
    .meta({ description });
}

/** A list that, where it is given, says something. */
export function filled<V extends z.ZodType>(item: V, rule: string, description: string) {
  return z.array(item).min(1, { error: rule }).meta({ description });
}
