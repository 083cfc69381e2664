import { z } from 'zod';
import {
  MAX_DETAIL_BYTES,
  MAX_LOCATION_BYTES,
  MAX_MOCK_BYTES,
  MAX_MOCK_HEADERS,
  MOCK_STATUS,
  REDIRECT_STATUS,
  REDIRECT_STATUSES,
} from '../../contract/table.ts';
import { changeableHeader, headerValue } from './header.ts';
import { isPrefix, PATH_RULE, rewritePatternRule, time, wholeFrom } from './value.ts';

const MAX_LINK_CHARACTERS = 1024;
const LINK_RULE = `must be a URL of http:// or https:// without a user, or a path that begins with one "/"; at most ${MAX_LINK_CHARACTERS} characters of ASCII without spaces, '"', "<", ">" and "\\"`;

/** What a Link header points to. */
function link(description: string) {
  return z
    .string({ error: LINK_RULE })
    .refine(isLink, { error: LINK_RULE })
    .meta({ description, examples: ['https://developer.example.com/changes'] });
}

const LINK = /^(?:https?:\/\/|\/(?!\/))[!#-;=?-[\]-~]*$/;

function isLink(text: string): boolean {
  return LINK.test(text) && text.length <= MAX_LINK_CHARACTERS && (text.startsWith('/') || isUrl(text));
}

/** Nobody wants to publish a password. */
function isUrl(text: string): boolean {
  return URL.canParse(text) && new URL(text).username === '' && new URL(text).password === '';
}

const DETAIL_RULE = `must be 1 to ${MAX_DETAIL_BYTES} bytes without control characters`;

export const detail = z
  .string({ error: DETAIL_RULE })
  .refine((text) => /^[^\p{Cc}\p{Cs}]+$/u.test(text) && Buffer.byteLength(text) <= MAX_DETAIL_BYTES, {
    error: DETAIL_RULE,
  })
  .meta({ description: 'What refused callers are told. Default: one sentence.' });

const deprecated = z
  .strictObject({
    since: time('When it was deprecated, or will be: the header Deprecation.'),
    sunset: time('When it will no longer be there: the header Sunset.').optional(),
    link: link('What people should read about it.').optional(),
    successor: link('What takes its place.').optional(),
  })
  .meta({ description: 'It works, and every answer says that it is deprecated (RFC 9745, RFC 8594).' });

const retired = z
  .strictObject({
    from: time('It is retired from this time on. Default: it is now.').optional(),
    link: link('What people should read about it.').optional(),
    successor: link('What takes its place.').optional(),
    detail: detail.optional(),
  })
  .meta({ description: 'Requests get 410 retired, with and without a key.' });

const maintenance = z
  .strictObject({
    from: time('It begins at this time. Default: it has begun.').optional(),
    until: time('It ends at this time, which callers are told. Default: open.').optional(),
    detail: detail.optional(),
  })
  .meta({ description: 'Requests get 503 maintenance, with and without a key; before and after, nothing happens.' });

const LOCATION_RULE =
  'must be a path that begins with "/", or http:// or https://, a host and a path, without user, query and fragment';

/** The rule that the place of a redirect breaks, or null. */
function locationRule(text: string): string | null {
  const [, origin, path] = /^(https?:\/\/[^/?#@\\\s]+)?(\/.*)?$/is.exec(text) ?? [];
  if (origin === undefined && path === undefined) return LOCATION_RULE;
  if (text.length > MAX_LOCATION_BYTES || (origin !== undefined && originOf(origin) === null)) return LOCATION_RULE;
  if (path === undefined || isPrefix(path)) return null;
  return rewritePatternRule(path)?.replace('; write "', `; write "${origin ?? ''}`) ?? PATH_RULE;
}

/** Scheme, host and port as the URL standard writes them, or null for what is none. */
function originOf(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const { origin } = new URL(text);
  return /^https?:\/\/[a-z0-9._:[\]-]+$/.test(origin) ? origin : null;
}

/** Where a redirect leads, as the module reads it: a path, or a URL with a path. */
export function compiledLocation(to: string): string {
  const [, origin, path = '/'] = /^(https?:\/\/[^/]+)?(\/.*)?$/i.exec(to)!;
  return origin === undefined ? path : originOf(origin)! + path;
}

const redirect = z
  .strictObject({
    status: z
      .literal(REDIRECT_STATUSES, { error: `must be ${REDIRECT_STATUSES.slice(0, -1).join(', ')} or 308` })
      .meta({
        description:
          'permanent: 308 or 301; for now: 307 or 302. With 301 and 302 a POST may become a GET. Default: 308.',
      })
      .default(REDIRECT_STATUS),
    to: z
      .string({ error: LOCATION_RULE })
      .refine((text) => locationRule(text) === null, { error: ({ input }) => locationRule(String(input)) ?? '' })
      .meta({
        description:
          "Takes the place of the API's path, or of the path of the route's condition; the rest of the path and the query follow, without the key.",
        examples: ['/v2', 'https://api.example.org/v2'],
      }),
  })
  .meta({ description: 'Requests are sent elsewhere, with and without a key.' });

const BODY_RULE = `must be a string of at most ${MAX_MOCK_BYTES} bytes`;
/** Headers that answers get from the module. */
const OF_ANSWERS: ReadonlySet<string> = new Set(['deprecation', 'ratelimit', 'ratelimit-policy', 'sunset']);

const mock = z
  .strictObject({
    status: wholeFrom(200, 599, 'Its status. Default: 200.').default(MOCK_STATUS),
    headers: z
      .record(
        changeableHeader().refine((name) => !OF_ANSWERS.has(name), {
          error: 'must not be a header that Tollgate itself sets in answers',
        }),
        headerValue(),
      )
      .refine((headers) => Object.keys(headers).length <= MAX_MOCK_HEADERS, {
        error: `must hold at most ${MAX_MOCK_HEADERS} headers`,
      })
      .meta({
        description:
          'Its headers. A content-type that is not given is application/json for a body of JSON, else text/plain.',
      })
      .optional(),
    body: z
      .string({ error: BODY_RULE })
      .refine((body) => Buffer.byteLength(body) <= MAX_MOCK_BYTES && !/\p{Cs}/u.test(body), { error: BODY_RULE })
      .meta({ description: 'Its body, at most 4 KB. Default: none.' })
      .optional(),
  })
  .meta({
    description: 'An answer in the place of an upstream, for callers that it would let in; it counts in quotas.',
  });

/** What an API, an operation or a route may say of its life. */
export const lifecycle = {
  deprecated: deprecated.optional(),
  retired: retired.optional(),
  maintenance: maintenance.optional(),
  redirect: redirect.optional(),
  mock: mock.optional(),
};

type Fields = z.ZodObject<typeof lifecycle>;
export type Lifecycle = z.output<Fields>;
export type WrittenLifecycle = z.input<Fields>;
