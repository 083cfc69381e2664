import { z } from 'zod';

/** As the module takes it, and as a header's value and the access log show it. */
const MAX_ENCODED_BYTES = 127;
/** Begins with a letter or digit of any script; no control, format or private characters, and no space but single ones inside. */
const CONSUMER = /^[\p{L}\p{N}](?: ?[^\p{C}\p{Z}])*$/u;
/** As much of it as a JSON Schema's pattern says in every editor, with and without Unicode's classes. */
const ROUGHLY = /^[^\u0000-/:-@[-`{-\u009f][^\u0000-\u001f\u007f-\u009f]*$/;
const ENCODED_CHARACTERS = /[^A-Za-z0-9._@+|:/=~-]+/g;

export const CONSUMER_RULE =
  'must be a name that begins with a letter or digit, without control or invisible characters, and with single spaces inside only';
const FORM_RULE = 'must be in the normal form NFC of Unicode: two names that look alike would be two consumers';
const LENGTH_RULE = `must have at most ${MAX_ENCODED_BYTES} bytes; a byte of a character other than letters, digits and ._@+|:/=~- counts three`;

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
  return encodedConsumer(name).length > MAX_ENCODED_BYTES ? LENGTH_RULE : null;
}

/** A name of the outside world: a person, a company, an identity provider's subject. */
export function consumerName(description: string) {
  return z
    .string()
    .regex(ROUGHLY, { error: CONSUMER_RULE })
    .refine((name) => CONSUMER.test(name), { error: CONSUMER_RULE })
    .refine((name) => !CONSUMER.test(name) || name.normalize('NFC') === name, { error: FORM_RULE })
    .refine((name) => !CONSUMER.test(name) || encodedConsumer(name).length <= MAX_ENCODED_BYTES, { error: LENGTH_RULE })
    .meta({ description });
}
