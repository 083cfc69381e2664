import { isIP, isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { MAX_HOST_BYTES, MAX_NAME_BYTES, MAX_PATH_BYTES, MODES } from '../../contract/table.ts';
import { quote } from '../secret.ts';

/** Names that end up in headers, metric names and Envoy's clusters. */
export const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** Ids of keys, which become part of the keys. */
export const LABEL = new RegExp(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,${MAX_NAME_BYTES - 1}}$`);

export const NAME_RULE = 'must be a name of 1 to 63 lower-case letters, digits and "-", with no "-" at its ends';
export const LABEL_RULE = `must be a name of 1 to ${MAX_NAME_BYTES} letters, digits, ".", "_", "@" and "-" that begins with a letter or digit`;

/** A name that the policy defines and refers to. */
export function name(description: string) {
  return z.string().regex(NAME, { error: NAME_RULE }).meta({ description });
}

/** An id of a key. */
export function label(description: string) {
  return z.string().regex(LABEL, { error: LABEL_RULE }).meta({ description });
}

/** Whether refusals are in force. Left out: that of what is around it. */
export function mode(description: string) {
  return z.enum(MODES).meta({ description }).optional();
}

/** Begins with a letter or digit of any script; no control, format or private characters, and no space but single ones inside. */
const CONSUMER = /^[\p{L}\p{N}](?: ?[^\p{C}\p{Z}])*$/u;
/** As much of it as a pattern of a JSON Schema can say in every editor, with or without Unicode classes. */
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

/** Seconds since 1970 of an RFC 3339 time of whole seconds, or null for anything else (30 February, a leap second). */
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

/** A list that is empty when it is left out or has nothing after its name. */
export function listed<V extends z.ZodType>(item: V, description: string) {
  return z
    .array(item)
    .nullish()
    .transform((items): z.output<V>[] => items ?? [])
    .meta({ description });
}

/** A list that must not be empty where it is given. */
export function filled<V extends z.ZodType>(item: V, rule: string, description: string) {
  return z.array(item).min(1, { error: rule }).meta({ description });
}

/** What servers read as an IPv4 address, `127.1` and `0x7f000001` included. */
const ENDS_IN_NUMBER = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/;
const LABELS = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;

export const PATH_RULE = 'must be a path: "/" first, then letters, digits and -._~!$&\'()+,=:@/, no "//", "." or ".."';
export const HOST_RULE = 'must be a host in lower case without port, or "*." and a domain';
export const URL_RULE =
  'must be a URL of http://, h2c:// (HTTP/2 without TLS) or https://, a host and a port, such as http://127.0.0.1:9001';
/** The same for a URL that is an argument. */
export const URL_FORM = 'a URL is http://HOST:PORT, h2c://HOST:PORT or https://HOST:PORT';

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
    .regex(PREFIX, { error })
    .refine((text) => isPath(text) && ruleOfPattern(text) === null, { error })
    .meta({ description, examples: ['/v1'] });
}

const PREFIX = /^\/[A-Za-z0-9\-._~!$&'()+,=:@/]*$/;

/** True for what `newPrefix` takes. */
export function isPrefix(text: string): boolean {
  return PREFIX.test(text) && isPath(text) && rewritePatternRule(text) === null;
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

/** A name or an address, without a wildcard, in the one spelling that hosts are compared in. */
export function isHostName(host: string): boolean {
  return !host.startsWith('*') && isHost(host);
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

/** What to write instead, where it is clear what was meant. */
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

/** What an upstream speaks: HTTP/1.1, HTTP/2 without TLS, or either of them with TLS. */
export type Protocol = 'http' | 'h2c' | 'https';

const UPSTREAM = /^(http|h2c|https):\/\/([^/?#@\s]+)\/?$/;
const DEFAULT_PORTS: Readonly<Record<Protocol, number>> = { http: 80, h2c: 80, https: 443 };

/** An upstream's address. */
export function upstreamUrl(description: string) {
  return z
    .string()
    .regex(UPSTREAM, { error: URL_RULE })
    .refine((text) => parseUpstream(text) !== null, { error: URL_RULE })
    .meta({ description, examples: ['http://127.0.0.1:9001', 'h2c://127.0.0.1:50051', 'https://pets.example.com'] });
}

/** Protocol, host (IPv6 without its brackets) and port (80 or 443 when absent) of an upstream's URL; null for anything else. */
export function parseUpstream(text: string): { protocol: Protocol; host: string; port: number } | null {
  const [, protocol, authority] = UPSTREAM.exec(text) ?? [];
  // the URL standard reads hosts and ports of schemes that it knows only
  const plain = `http://${authority}`;
  if (authority === undefined || !URL.canParse(plain)) return null;
  const host = new URL(plain).hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) === 0 && !LABELS.test(host)) return null;
  const port = Number(/:(\d+)$/.exec(authority)?.[1] ?? DEFAULT_PORTS[protocol as Protocol]);
  return port === 0 ? null : { protocol: protocol as Protocol, host, port };
}

/*
 * What people know from other gateways: `/admin/*`, `/records/:id`, `/pets/{id}`, `^/v1$`. Taken literally
 * it would cover nothing, and with `unmatched: allow` leave open what it was meant to close.
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
