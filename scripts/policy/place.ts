import { isIP, isIPv6 } from 'node:net';
import { z } from 'zod';

const MAX_PATH_BYTES = 1024;
const MAX_HOST_BYTES = 253;
const LABELS = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;

export const PATH_RULE = 'must be a path: "/" first, then letters, digits and -._~!$&\'()*+,=:@/, no "//", "." or ".."';
export const HOST_RULE = 'must be a host in lower case without port, or "*." and a domain';
export const URL_RULE = 'must be a URL of http://, a host and a port, such as http://127.0.0.1:9001';

/** A prefix of whole segments, in the form that request paths have once they are normalised. */
export function pathPrefix(description: string) {
  return z
    .string()
    .regex(/^\/[A-Za-z0-9\-._~!$&'()*+,=:@/]*$/, { error: PATH_RULE })
    .refine(isPath, { error: PATH_RULE })
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
  return z.string().refine(isHost, { error: HOST_RULE }).meta({ description, examples: ['api.example.com', '*.example.com'] });
}

function isHost(host: string): boolean {
  if (host.startsWith('[')) return /^\[[0-9a-f:.]+\]$/.test(host) && isIPv6(host.slice(1, -1));
  return host.length <= MAX_HOST_BYTES && LABELS.test(host.startsWith('*.') ? host.slice(2) : host);
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
