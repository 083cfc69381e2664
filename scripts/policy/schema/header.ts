import { z } from 'zod';
import {
  EXPOSED_HEADERS,
  FRAMING_HEADERS,
  MAX_COST_HEADER_BYTES,
  MAX_NAME_BYTES,
  MAX_VALUE_BYTES,
  OWN_PREFIX,
  X_RATELIMIT_HEADERS,
} from '../../contract/table.ts';

export const WHOLE_NAME_RULE = 'must be a whole name; there are no patterns';

/** True for a header's value that reads like a pattern. Media ranges and entity tags have a `*` of their own. */
export function looksLikePattern(value: string): boolean {
  return /^\^|\.[*+]|[^\s/,;]\*$|[^/]\$$|^\*$/.test(value);
}

/** True for a header's value that looks like a template. */
export function looksLikeTemplate(value: string): boolean {
  return /%[A-Z_]+(?:\(.*?\))?%|\$\{|\{\{|\$\d|%\{/.test(value);
}

const HEADER_NAME = new RegExp(`^[a-z0-9!#$%&'*+.^_\`|~-]{1,${MAX_NAME_BYTES}}$`);
const TOKEN = new RegExp(`^[A-Za-z0-9!#$%&'*+.^_\`|~-]{1,${MAX_NAME_BYTES}}$`);
const REALM = new RegExp(`^(?! )[ !#-[\\]-~]{1,${MAX_NAME_BYTES}}(?<! )$`);

export const HEADER_NAME_RULE = 'must be a header name in lower case';
export const HEADER_VALUE_RULE = `must be a header value: no control characters, no spaces at its ends, at most ${MAX_VALUE_BYTES} bytes`;
export const FRAMING_RULE = 'must not be a header that frames the message';
export const REALM_RULE = `must be 1 to ${MAX_NAME_BYTES} printable ASCII characters without '"' and "\\", and without spaces at the ends`;
export const TOKEN_RULE = "must be a token: letters, digits and !#$%&'*+.^_`|~-";

const FRAMING: ReadonlySet<string> = new Set(FRAMING_HEADERS);

/**
 * Headers whose value is a list, or becomes one: Envoy, among others, joins their lines with commas. A key in one of them
 * cannot be told from the rest.
 */
const LISTS: ReadonlySet<string> = new Set([
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'access-control-request-headers',
  'access-control-request-method',
  'baggage',
  'cache-control',
  'cdn-loop',
  'content-encoding',
  'content-language',
  'content-type',
  'expect',
  'forwarded',
  'grpc-accept-encoding',
  'grpc-timeout',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'origin',
  'pragma',
  'proxy-status',
  'referer',
  'sec-websocket-extensions',
  'sec-websocket-protocol',
  'tracestate',
  'user-agent',
  'via',
  'x-client-trace-id',
  'x-forwarded-client-cert',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-request-id',
]);

/** The name with `-` for each `_`: many servers read them alike, and so does the module. */
export function spelling(name: string): string {
  return name.replaceAll('_', '-');
}

/** Every name that is spelled alike: with `-` or `_` at each place that has one of them. Twice as many for each such place. */
export function spellingsOf(name: string): string[] {
  return [...name].reduce<string[]>(
    (begun, letter) =>
      (spelling(letter) === '-' ? ['-', '_'] : [letter]).flatMap((next) => begun.map((part) => part + next)),
    [''],
  );
}

export function isFraming(name: string): boolean {
  return FRAMING.has(spelling(name));
}

export function isList(name: string): boolean {
  return LISTS.has(spelling(name)) || spelling(name).startsWith('x-envoy-');
}

/** True for headers that say who calls: Tollgate sets them, and removes what comes from outside. */
export function isOwnHeader(name: string): boolean {
  return spelling(name).startsWith(OWN_PREFIX);
}

export function headerName() {
  return wholeName().refine((name) => !isOwnHeader(name), { error: 'must not be a header of Tollgate itself' });
}

function wholeName() {
  return z
    .string()
    .regex(HEADER_NAME, { error: HEADER_NAME_RULE })
    .refine((name) => !name.includes('*'), { error: WHOLE_NAME_RULE });
}

/** A header that tells upstreams something: the one of Tollgate's own that is for it, or one that a route may set too. */
export function tellingHeader(own: string) {
  return wholeName()
    .refine((name) => name === own || !isOwnHeader(name), {
      error: `must be "${own}", or a name that does not begin with "${OWN_PREFIX}"`,
    })
    .refine((name) => !isFraming(name), { error: FRAMING_RULE });
}

/** A header that a route sets or removes. */
export function changeableHeader() {
  return headerName().refine((name) => !isFraming(name), { error: FRAMING_RULE });
}

/** Headers that no filter sees an upstream answer with: they are about one connection, or this Envoy writes them itself. */
const OF_NO_UPSTREAM: ReadonlySet<string> = new Set([
  ...FRAMING_HEADERS.filter((name) => name !== 'content-length'),
  ...EXPOSED_HEADERS.filter((name) => name.startsWith('ratelimit')),
  ...X_RATELIMIT_HEADERS,
  'ratelimit-warning',
]);

/** A header of an answer that holds a number. */
export function costHeader() {
  return headerName()
    .max(MAX_COST_HEADER_BYTES, { error: `must have at most ${MAX_COST_HEADER_BYTES} characters` })
    .refine((name) => !OF_NO_UPSTREAM.has(name), {
      error: 'must be a header of an upstream: this one is about a connection, or Tollgate writes it itself',
    });
}

/** No control characters: Envoy answers 503 to a request whose header it cannot send. No spaces at the ends: HTTP drops them. */
export function headerValue() {
  return z
    .string()
    .refine((value) => !/^ | $|[\p{Cc}\p{Cs}]/u.test(value) && Buffer.byteLength(value) <= MAX_VALUE_BYTES, {
      error: HEADER_VALUE_RULE,
    });
}

/** A string that needs no escapes between quotes. */
export function realm(description: string) {
  return z.string().regex(REALM, { error: REALM_RULE }).meta({ description });
}

const PARAMETER = new RegExp(`^[A-Za-z0-9\\-._~!$'()[\\]:@,/]{1,${MAX_NAME_BYTES}}$`);
const PARAMETER_RULE = `must be the name of a query parameter, decoded: 1 to ${MAX_NAME_BYTES} letters, digits and -._~!$'()[]:@,/`;

/** A query parameter whose values are compared. */
export function parameterName() {
  return z.string().regex(PARAMETER, { error: PARAMETER_RULE });
}

/** What a parameter is compared with. */
export function parameterValue() {
  return z.string().refine((value) => !/[\p{Cc}\p{Cs}]/u.test(value) && Buffer.byteLength(value) <= MAX_VALUE_BYTES, {
    error: `must be the value of a parameter, decoded: no control characters, at most ${MAX_VALUE_BYTES} bytes`,
  });
}

/** A name in a query or cookie, or a method, in any case. */
export function token() {
  return z
    .string()
    .regex(TOKEN, { error: TOKEN_RULE })
    .refine((name) => !name.includes('*'), { error: WHOLE_NAME_RULE });
}
