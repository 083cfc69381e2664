import { isIP, isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { patternRule, rewritePatternRule } from './pattern.ts';
import { quote } from '../check/secret.ts';

export const MAX_PATH_BYTES = 1024;
const MAX_HOST_BYTES = 253;
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
