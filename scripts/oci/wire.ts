import { Refusal } from '../command.ts';
import { Transient } from './retry.ts';

export interface WireRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Sent to the origin of `url` only, never along a redirect to another. */
  readonly authorization?: string | null;
}

const MAX_REDIRECTS = 5;
/** The longest wait for an answer, plus what a slow line needs for the body. */
const ANSWER_MS = 60_000;
const SLOWEST_BYTES_PER_MS = 32;

/**
 * One request over HTTP. Redirects are followed with the body, but credentials stay with the host that they are for, and a
 * redirect from https to http is refused. Failures that may pass are `Transient`.
 */
export async function send(request: WireRequest, signal: AbortSignal): Promise<Response> {
  let url = request.url;
  for (let redirects = 0; ; redirects++) {
    const response = await once(request, url, signal);
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await discard(response);
    // what 301 to 303 do to a body is unclear, and no registry sends them for one
    if (redirects === MAX_REDIRECTS || (request.body !== undefined && response.status < 307)) throw new Refusal(`${url.host}: redirects in a way that cannot be followed (${response.status})`);
    url = follow(url, location);
  }
}

/** The address that a `Location` names; one that leaves https is refused, because what is sent there could be read on the way. */
export function follow(from: URL, location: string): URL {
  let to: URL;
  try {
    to = new URL(location, from);
  } catch {
    throw new Refusal(`${from.host}: sent a location that is no address`);
  }
  if (to.protocol !== 'https:' && !(to.protocol === 'http:' && from.protocol === 'http:')) throw new Refusal(`${from.host}: sends from ${from.protocol}// to ${to.protocol}//${to.host}; that is refused`);
  return to;
}

async function once(request: WireRequest, url: URL, signal: AbortSignal): Promise<Response> {
  const { method, body, headers = {}, authorization } = request;
  const trusted = authorization !== null && authorization !== undefined && url.origin === request.url.origin;
  const patienceMs = ANSWER_MS + (body?.length ?? 0) / SLOWEST_BYTES_PER_MS;
  try {
    return await fetch(url, {
      method,
      headers: { ...headers, ...(trusted ? { authorization } : {}) },
      ...(body === undefined ? {} : { body }),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(patienceMs))]),
    });
  } catch (error) {
    throw signal.aborted ? error : failure(error, url);
  }
}

/** Reads the rest of an answer that nobody needs, so that the connection can serve the next request. */
export async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}

/** The first `limit` bytes of an answer; what comes from outside has no say in how much memory it takes. */
export async function readSome(response: Response, limit: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of response.body ?? []) {
      parts.push(part as Uint8Array);
      length += (part as Uint8Array).length;
      if (length >= limit) break;
    }
  } catch (error) {
    throw failure(error, new URL(response.url));
  }
  return Buffer.concat(parts).subarray(0, limit);
}

const WRONG_TLS = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'EPROTO']);

function failure(error: unknown, url: URL): Error {
  if (error instanceof DOMException && error.name === 'TimeoutError') return new Unreachable(`${url.host}: does not answer`);
  const cause = (error as { cause?: { code?: unknown; message?: string } }).cause;
  const code = typeof cause?.code === 'string' ? cause.code : '';
  if (WRONG_TLS.has(code)) return new PlainHttp(`${url.host}: does not speak TLS; if plain http is meant, say --plain-http`);
  if (/CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code)) return new Refusal(`${url.host}: its certificate is not trusted (${code}); name your authority's in $NODE_EXTRA_CA_CERTS`);
  if (code === 'ENOTFOUND') return new Refusal(`${url.host}: no such host`);
  const words: Record<string, string> = { ECONNREFUSED: 'refuses the connection', ECONNRESET: 'broke the connection', UND_ERR_SOCKET: 'broke the connection', EPIPE: 'broke the connection' };
  return new Unreachable(`${url.host}: ${words[code] ?? 'cannot be reached'} (${code || cause?.message || String(error)})`);
}

/** No answer, or none that is whole. */
export class Unreachable extends Transient {}

/** The other side answers, but not in TLS. */
export class PlainHttp extends Refusal {}
