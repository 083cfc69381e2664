import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import {
  MAX_CORS_AGE_SECONDS,
  MAX_CORS_NAMES,
  MAX_ORIGINS,
  MAX_ORIGIN_BYTES,
  WINDOW_UNITS,
} from '../../contract/table.ts';
import { quote } from '../secret.ts';
import { headerName, token } from './header.ts';
import { isHostName } from './value.ts';

export const ANY_ORIGIN = '*';
const ORIGIN_RULE =
  "must be an origin such as https://app.example.com or https://*.example.com: in lower case, without a path, and with a port only where it is not the scheme's own";
const NULL_RULE =
  'must not be "null", which every sandboxed frame and local file is to a browser; serve the page from an origin of its own';
const ORIGINS_RULE = `must be "*" or a list of 1 to ${MAX_ORIGINS} origins`;
const CALLING_RULE = `must hold 1 to ${MAX_ORIGINS} origins`;
const NAMES_RULE = `must hold at most ${MAX_CORS_NAMES} names`;
const AGE_RULE = 'must be a length from 0s to 1d, such as 10m';
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' };

/** Parts of an origin; null for anything else. */
function partsOf(origin: string): { scheme: string; isBelow: boolean; host: string; port: string } | null {
  const [, scheme, star, host, port] =
    /^([a-z][a-z0-9+.-]*):\/\/(\*\.)?([^/?#@\s:*]+|\[[0-9a-f:.]+\])(?::([1-9]\d{0,4}))?$/.exec(origin) ?? [];
  if (scheme === undefined || host === undefined) return null;
  return { scheme, isBelow: star !== undefined, host, port: port ?? '' };
}

function isOrigin(origin: string): boolean {
  const parts = origin.length > MAX_ORIGIN_BYTES ? null : partsOf(origin);
  if (parts === null || Number(parts.port) > 65_535 || DEFAULT_PORTS[parts.scheme] === parts.port) return false;
  return isHostName(parts.host) && !(parts.isBelow && isAddress(parts.host));
}

function isAddress(host: string): boolean {
  return isIPv4(host) || isIPv6(host.slice(1, -1));
}

/** What to write instead, where it is clear what was meant. */
function originRule(text: string): string {
  if (text === 'null') return NULL_RULE;
  if (text === ANY_ORIGIN) return ORIGIN_RULE;
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`;
  const bare = withScheme.toLowerCase().replace(/^([^/]*:\/\/[^/?#]*).*$/s, '$1');
  const plain = bare.replace(/^(http:\/\/.*):80$|^(https:\/\/.*):443$/, '$1$2').replace(/\.$/, '');
  const meant = [plain, asciiOf(plain)].find((origin) => origin !== text && isOrigin(origin));
  return meant === undefined ? ORIGIN_RULE : `${ORIGIN_RULE}; write ${quote(meant)}`;
}

/** The origin of a URL with letters of other scripts, as browsers write it. */
function asciiOf(text: string): string {
  return URL.canParse(text) ? new URL(text).origin : text;
}

const origin = z
  .string()
  .refine((text) => text === ANY_ORIGIN || isOrigin(text), { error: ({ input }) => originRule(String(input)) })
  .meta({
    description: 'An origin; its host may be "*." and a domain for every host below it.',
    examples: ['https://app.example.com'],
  });

/** Pages from which a consumer may call. */
export const callingOrigins = z
  .array(origin.refine((text) => text !== ANY_ORIGIN, { error: 'must be an origin; leave origins out for any' }))
  .min(1, { error: CALLING_RULE })
  .max(MAX_ORIGINS, { error: CALLING_RULE })
  .meta({
    description:
      'Origins of pages from which requests come, by the Origin header, or without one by the Referer; all others are refused with 403 origin_not_allowed. Default: anywhere.',
  });

/** `*` is written out as the list of it. */
const origins = z
  .union(
    [
      z
        .string()
        .regex(/^\*$/, { error: ORIGINS_RULE })
        .transform((any) => [any]),
      z.array(origin).min(1, { error: ORIGINS_RULE }).max(MAX_ORIGINS, { error: ORIGINS_RULE }),
    ],
    { error: ORIGINS_RULE },
  )
  .meta({ description: 'Origins whose pages may read answers, or "*" for all of them.' });

const method = token()
  .regex(/^[^a-z]*$/, { error: 'must be a method in upper case' })
  .refine((name) => !/^(?:ANY|ALL)$/.test(name), { error: 'must be one method; there is no word for all' });
const names = <V extends z.ZodType>(name: V, description: string) =>
  z.array(name).max(MAX_CORS_NAMES, { error: NAMES_RULE }).meta({ description });

/** Who may read an API's answers in a browser, on a page of another origin. */
export const cors = z.strictObject({
  origins,
  methods: names(method, 'Methods that pages may use. GET, HEAD and POST need no entry.').optional(),
  headers: names(
    headerName(),
    'Request headers that pages may set. Default: content-type, and the headers of the key sources.',
  ).optional(),
  exposedHeaders: names(
    headerName(),
    'Response headers that pages may read, in addition to ratelimit, ratelimit-policy, retry-after and www-authenticate.',
  ).optional(),
  credentials: z
    .boolean({ error: 'must be true or false' })
    .default(false)
    .meta({ description: 'true: pages may send cookies and client certificates, and read the answers.' }),
  maxAge: z
    .string({ error: AGE_RULE })
    .refine((text) => ageSeconds(text) !== null, { error: AGE_RULE })
    .meta({
      description:
        "How long a browser may keep the answer to a preflight: 0s to 1d. Default: the browser's own time, 5 seconds.",
      pattern: '^(?:0|[1-9][0-9]{0,4})[smhd]$',
      examples: ['10m'],
    })
    .optional(),
});

export type Cors = z.output<typeof cors>;

/** Seconds of such a length; null for anything else. */
export function ageSeconds(text: string): number | null {
  const [, number, unit] = /^(0|[1-9]\d{0,4})([smhd])$/.exec(text) ?? [];
  const seconds = Number(number) * (WINDOW_UNITS[unit as keyof typeof WINDOW_UNITS] ?? NaN);
  return seconds <= MAX_CORS_AGE_SECONDS ? seconds : null;
}
