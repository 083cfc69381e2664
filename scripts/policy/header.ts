import { z } from 'zod';

const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,127}$/;
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,127}$/;
const MAX_VALUE_BYTES = 4096;

export const HEADER_NAME_RULE = 'must be a header name in lower case';
export const HEADER_VALUE_RULE = 'must be a header value: no control characters, no blanks at its ends, at most 4096 bytes';
export const TOKEN_RULE = 'must be a token: letters, digits and !#$%&\'*+.^_`|~-';

/** Headers that say where a message goes or where it ends; a route may not touch them. */
export const FRAMING: ReadonlySet<string> = new Set([
  'host', 'content-length', 'transfer-encoding', 'connection', 'te', 'upgrade', 'trailer', 'keep-alive',
]);

/** True for headers that say who calls: Tollgate sets them, and removes what comes from outside. Some servers read `_` as `-`. */
export function isOwnHeader(name: string): boolean {
  return name.replaceAll('_', '-').startsWith('x-tollgate-');
}

export function headerName() {
  return z
    .string()
    .regex(HEADER_NAME, { error: HEADER_NAME_RULE })
    .refine((name) => !isOwnHeader(name), { error: 'must not be a header of Tollgate itself' });
}

/** A header that a route sets or removes. */
export function changeableHeader() {
  return headerName().refine((name) => !FRAMING.has(name), { error: 'must not be a header that frames the message' });
}

/** No control characters: Envoy answers 503 to a request whose header it cannot send. No blanks at the ends: HTTP drops them. */
export function headerValue() {
  return z.string().refine(
    (value) => !/^ | $|[\p{Cc}\p{Cs}]/u.test(value) && Buffer.byteLength(value) <= MAX_VALUE_BYTES,
    { error: HEADER_VALUE_RULE },
  );
}

/** A name in a query or cookie, or a method, in any case. */
export function token() {
  return z.string().regex(TOKEN, { error: TOKEN_RULE });
}
