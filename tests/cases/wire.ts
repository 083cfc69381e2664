import { signedToken } from '../../harness/envoy/token.ts';
import type { RequestText } from './case.ts';

/** A request as bytes: every string is a byte string (latin1: one character is one byte). */
export interface WireRequest {
  readonly method: string;
  readonly path: string | null;
  readonly host: string | null;
  readonly headers: [name: string, value: string][];
  /** The client's address. */
  readonly from?: string;
  /** Null: a connection without TLS. */
  readonly peer: WirePeer | null;
  /** What its upstream answers, if not 200 without headers of its own. */
  readonly answer?: WireAnswer;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: [name: string, value: string][];
}

/** Who is at the other end of a connection with TLS. */
export interface WirePeer {
  /** URIs in its certificate; null: it shows none. */
  readonly uris: readonly string[] | null;
  /** By a CA that the listener trusts. */
  readonly verified: boolean;
}

export function wireRequest(text: RequestText): WireRequest {
  const headers = text.headers.map(([name, value]): [string, string] => [wireText(name), wireText(value)]);
  if (text.key !== undefined) headers.push(['x-api-key', wireText(text.key)]);
  if (text.token !== undefined) headers.push(['authorization', `${text.token.scheme}${tokenText(text.token)}`]);
  return {
    method: text.method,
    path: text.path === null ? null : wireText(text.path),
    host: text.host === null ? null : wireText(text.host),
    headers,
    from: text.from,
    ...(text.answer && {
      answer: {
        status: text.answer.status,
        headers: text.answer.headers.map(([name, value]) => [name, wireText(value)]),
      },
    }),
    peer: text.peer === undefined ? null : { ...text.peer, uris: text.peer.uris && wireTexts(text.peer.uris) },
  };
}

function tokenText({ claims, by, alg, altered }: NonNullable<RequestText['token']>): string {
  const token = signedToken(spread(typeof claims === 'string' ? claims : JSON.stringify(claims)), { by, alg });
  const [header = '', payload = '', signature = ''] = token.split('.');
  if (altered === 'signature') return `${header}.${payload}.${swapped(signature)}`;
  return altered === 'payload' ? `${header}.${swapped(payload)}.${signature}` : token;
}

/** With another character in the middle. */
function swapped(part: string): string {
  const middle = part.length >> 1;
  return `${part.slice(0, middle)}${part[middle] === 'A' ? 'B' : 'A'}${part.slice(middle + 1)}`;
}

/** `hex:00ff` → those bytes; `repeat(ab, 3)` → ababab; otherwise the text's UTF-8. */
export function wireText(text: string): string {
  if (text.startsWith('hex:')) return Buffer.from(text.slice(4), 'hex').toString('latin1');
  return Buffer.from(spread(text), 'utf8').toString('latin1');
}

function spread(text: string): string {
  return text.replace(/repeat\((.+?), (\d+)\)/g, (_, part: string, count: string) => part.repeat(Number(count)));
}

/** The same for every string inside a value. */
export function wireTexts<T>(value: T): T {
  if (typeof value === 'string') return wireText(value) as T;
  if (Array.isArray(value)) return value.map(wireTexts) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, wireTexts(part)])) as T;
}
