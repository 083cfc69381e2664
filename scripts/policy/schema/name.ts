import { z } from 'zod';

/** Names that end up in headers, metric names and Envoy's clusters. */
export const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** Ids of keys, which become part of the keys. */
export const LABEL = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,126}$/;

export const NAME_RULE = 'must be a name of 1 to 63 lower-case letters, digits and "-", with no "-" at its ends';
export const LABEL_RULE =
  'must be a name of 1 to 127 letters, digits, ".", "_", "@" and "-" that begins with a letter or digit';

/** A name that Tollgate's own words refer to. */
export function name(description: string) {
  return z.string().regex(NAME, { error: NAME_RULE }).meta({ description });
}

/** An id of a key. */
export function label(description: string) {
  return z.string().regex(LABEL, { error: LABEL_RULE }).meta({ description });
}

/** What the API's own route is called; no written route may be. */
export const DEFAULT_ROUTE = 'default';
