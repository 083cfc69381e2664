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
  return {
    method: text.method,
    path: text.path === null ? null : wireText(text.path),
    host: text.host === null ? null : wireText(text.host),
    headers,
    from: text.from,
    peer: text.peer === undefined ? null : { ...text.peer, uris: text.peer.uris && wireTexts(text.peer.uris) },
  };
}

/** `hex:00ff` → those bytes; `repeat(ab, 3)` → ababab; otherwise the text's UTF-8. */
export function wireText(text: string): string {
  if (text.startsWith('hex:')) return Buffer.from(text.slice(4), 'hex').toString('latin1');
  const spread = text.replace(/repeat\((.+?), (\d+)\)/g, (_, part: string, count: string) =>
    part.repeat(Number(count)),
  );
  return Buffer.from(spread, 'utf8').toString('latin1');
}

/** The same for every string inside a value. */
export function wireTexts<T>(value: T): T {
  if (typeof value === 'string') return wireText(value) as T;
  if (Array.isArray(value)) return value.map(wireTexts) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, wireTexts(part)])) as T;
}
