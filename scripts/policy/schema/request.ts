import { isIP, isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import {
  FRAMING_HEADERS,
  MAX_HOST_BYTES,
  MAX_NAME_BYTES,
  MAX_PATH_BYTES,
  MAX_VALUE_BYTES,
  OWN_PREFIX,
} from '../../contract/table.ts';
import { quote } from '../problem.ts';

/** What servers read as an IPv4 address, also where it is `127.1` or `0x7f000001`. */
const ENDS_IN_NUMBER = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/;
const LABELS = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;

export const PATH_RULE = 'must be a path: "/" first, then letters, digits and -._~!$&\'()+,=:@/, no "//", "." or ".."';
export const HOST_RULE = 'must be a host in lower case without port, or "*." and a domain';
export const URL_RULE = 'must be a URL of http://, a host and a port, such as http://127.0.0.1:9001';

/** A prefix of whole segments, in the form that request paths are judged in. */
export function pathPrefix(description: string) {
  return path(description, patternRule);
}

/** What a route puts in the place of a prefix. */
export function newPrefix(description: string) {
  return path(description, rewritePatternRule);
}

function path(description: string, ruleOfPattern: (text: unknown) => string | null) {
  const error = ({ input }: { input?: unknown }): string => ruleOfPattern(input) ?? PATH_RULE;
  return z
    .string()
    .regex(/^\/[A-Za-z0-9\-._~!$&'()+,=:@/]*$/, { error })
    .refine((text) => isPath(text) && ruleOfPattern(text) === null, { error })
    .meta({ description, examples: ['/v1'] });
}

function isPath(path: string): boolean {
  return path.length <= MAX_PATH_BYTES && !/\/\/|\/\.{1,2}(?:\/|$)/.test(path);
}

/** Prefixes mean the same with and without a slash at the end; `/` becomes empty and covers everything. */
export function bare(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/** True when every path under `inner` is under `outer`. */
export function covers(outer: string, inner: string): boolean {
  return `${bare(inner)}/`.startsWith(`${bare(outer)}/`);
}

export function host(description: string) {
  return z
    .string()
    .refine(isHost, { error: ({ input }) => HOST_RULE + hostHint(String(input)) })
    .meta({ description, examples: ['api.example.com', '*.example.com'] });
}

/** Names, and addresses in the one spelling that requests are compared in. */
function isHost(host: string): boolean {
  if (host.startsWith('['))
    return /^\[[0-9a-f:.]+\]$/.test(host) && isIPv6(host.slice(1, -1)) && addressOf(host) === host;
  const name = host.startsWith('*.') ? host.slice(2) : host;
  if (host.length > MAX_HOST_BYTES || !LABELS.test(name)) return false;
  return !ENDS_IN_NUMBER.test(name) || isIPv4(host);
}

/** An address as the URL standard writes it. */
function addressOf(host: string): string {
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : host;
}

/** What to write instead, where it is plain what was meant. */
function hostHint(text: string): string {
  if (/^\*?\.?$/.test(text)) return '; leave hosts out for any host';
  const bare = text
    .replace(/^[a-z][a-z+.-]*:\/\//i, '')
    .replace(/[/?#].*$/s, '')
    .replace(/:\d*$/, '')
    .replace(/\.$/, '')
    .toLowerCase();
  const meant = [bare, `*${bare}`, addressOf(bare)].find((host) => host !== text && isHost(host));
  return meant === undefined ? '' : `; write ${quote(meant)}`;
}

/** An upstream's address. */
export function upstreamUrl(description: string) {
  return z
    .string()
    .regex(/^http:\/\/[^/?#@\s]+\/?$/, { error: URL_RULE })
    .refine((text) => parseUpstream(text) !== null, { error: URL_RULE })
    .meta({ description, examples: ['http://127.0.0.1:9001'] });
}

/** Host (IPv6 without its brackets) and port (80 when absent) of an upstream's URL; null for what is none. */
export function parseUpstream(text: string): { host: string; port: number } | null {
  if (!/^http:\/\/[^/?#@\s]+\/?$/.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) === 0 && !LABELS.test(host)) return null;
  return url.port === '0' ? null : { host, port: url.port === '' ? 80 : Number(url.port) };
}

/*
 * What people bring along from other gateways: `/admin/*`, `/records/:id`, `/pets/{id}`, `^/v1$`. Taken to the letter it
 * would cover nothing, and with `unmatched: allow` leave open what it was meant to close.
 */
const PATTERN = /\*|\/:|\/\(|[{}[\]<>|^]|\.\+|\\|\$\d|[^/]\$$/;

/** What is wrong with a path that holds a pattern, and what to write; null for a path without one. */
export function patternRule(path: unknown): string | null {
  if (typeof path !== 'string' || !path.startsWith('/')) return null;
  const found = PATTERN.exec(path);
  if (found === null) return null;
  const before = path.slice(0, found.index + (/^(?:\/|[^/]\$$)/.test(found[0]) ? 1 : 0));
  const parent = quote(before.replace(/[^/]*$/, '').replace(/(.)\/$/, '$1'));
  if (before.endsWith('/'))
    return `must be a path without patterns; write ${parent}, which covers all that lies under it`;
  return `must be a path without patterns, of whole segments; write ${quote(before)}, which covers what lies under it, or ${parent}`;
}

/** The same for the path that a route puts in the place of another. */
export function rewritePatternRule(path: unknown): string | null {
  const rule = patternRule(path);
  return rule?.replace(/; write ("[^"]*").*/, '; write $1, the rest of the path follows by itself') ?? null;
}

export const WHOLE_NAME_RULE = 'must be a whole name; there are no patterns';

/** True for a header's value that reads like a pattern. Media ranges and entity tags have a `*` of their own. */
export function looksLikePattern(value: string): boolean {
  return /^\^|\.[*+]|[^\s/,;]\*$|[^/]\$$|^\*$/.test(value);
}

/** True for a header's value that reads as if something were to be put in. */
export function looksLikeTemplate(value: string): boolean {
  return /%[A-Z_]+(?:\(.*?\))?%|\$\{|\{\{|\$\d|%\{/.test(value);
}

const HEADER_NAME = new RegExp(`^[a-z0-9!#$%&'*+.^_\`|~-]{1,${MAX_NAME_BYTES}}$`);
const TOKEN = new RegExp(`^[A-Za-z0-9!#$%&'*+.^_\`|~-]{1,${MAX_NAME_BYTES}}$`);
const REALM = new RegExp(`^(?! )[ !#-[\\]-~]{1,${MAX_NAME_BYTES}}(?<! )$`);

export const HEADER_NAME_RULE = 'must be a header name in lower case';
export const HEADER_VALUE_RULE = `must be a header value: no control characters, no spaces at its ends, at most ${MAX_VALUE_BYTES} bytes`;
export const REALM_RULE = `must be 1 to ${MAX_NAME_BYTES} printable ASCII characters without '"' and "\\", and without spaces at the ends`;
export const TOKEN_RULE = "must be a token: letters, digits and !#$%&'*+.^_`|~-";

const FRAMING: ReadonlySet<string> = new Set(FRAMING_HEADERS);

/** Headers whose value is a list, or becomes one: Envoy, among others, joins their lines with commas. No key can be told in them. */
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

/** A header's name has two spellings: many servers read `_` as `-`, and so does the module. */
export function spelling(name: string): string {
  return name.replaceAll('_', '-');
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
  return z
    .string()
    .regex(HEADER_NAME, { error: HEADER_NAME_RULE })
    .refine((name) => !name.includes('*'), { error: WHOLE_NAME_RULE })
    .refine((name) => !isOwnHeader(name), { error: 'must not be a header of Tollgate itself' });
}

/** A header that a route sets or removes. */
export function changeableHeader() {
  return headerName().refine((name) => !isFraming(name), { error: 'must not be a header that frames the message' });
}

/** No control characters: Envoy answers 503 to a request whose header it cannot send. No spaces at the ends: HTTP drops them. */
export function headerValue() {
  return z
    .string()
    .refine((value) => !/^ | $|[\p{Cc}\p{Cs}]/u.test(value) && Buffer.byteLength(value) <= MAX_VALUE_BYTES, {
      error: HEADER_VALUE_RULE,
    });
}

/** A string that stands in quotes as it is. */
export function realm(description: string) {
  return z.string().regex(REALM, { error: REALM_RULE }).meta({ description });
}

/** A name in a query or cookie, or a method, in any case. */
export function token() {
  return z
    .string()
    .regex(TOKEN, { error: TOKEN_RULE })
    .refine((name) => !name.includes('*'), { error: WHOLE_NAME_RULE });
}
