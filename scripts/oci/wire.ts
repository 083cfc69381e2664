import { Agent as PlainAgent, type IncomingMessage, request as plainRequest } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { OciError } from './error.ts';
import type { Approach, Reach } from './reach.ts';
import { isLoopback } from './reference.ts';
import { failure } from './failure.ts';

export interface WireRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Sent to the origin of `url` only, never along a redirect to another. */
  readonly authorization?: string | null;
  /** The request is a secret as a whole: a redirect to another origin is refused instead of followed. */
  readonly isSecret?: boolean;
}

export interface Line {
  readonly reach: Reach;
  readonly signal: AbortSignal;
}

const MAX_REDIRECTS = 5;
const MAX_HEADER_BYTES = 16 * 1024;
/** The longest wait for an answer with its body, plus what a slow line needs for what is sent. */
const ANSWER_MS = 60_000;
const SLOWEST_BYTES_PER_MS = 32;
/** Loopback is never reached through a proxy: what may be sent there in clear text stays on this machine. */
const DIRECT = { 'http:': new PlainAgent({ keepAlive: true }), 'https:': new TlsAgent({ keepAlive: true }) } as const;

/**
 * One request over HTTP. Redirects are followed with the body, as far as the registry's reach goes; credentials stay with the
 * host that they are for, and a redirect from https to http is refused. Failures that may pass are `Transient`.
 */
export async function send(request: WireRequest, line: Line): Promise<RegistryAnswer> {
  let { url, authorization = null } = request;
  for (let redirects = 0; ; redirects++) {
    const answer = await once({ ...request, url, authorization }, line);
    const location = answer.header('location');
    if (![301, 302, 303, 307, 308].includes(answer.status) || location === null) return answer;
    await answer.discard();
    // what 301 to 303 mean for a body is unclear, and no registry sends them for one
    if (redirects === MAX_REDIRECTS || (request.body !== undefined && answer.status < 307))
      throw new OciError(`${url.host}: redirects in a way that cannot be followed (${answer.status})`);
    const next = follow(url, location);
    if (next.origin !== url.origin) {
      if (request.isSecret === true)
        throw new OciError(`${url.host}: redirects a request with credentials to ${next.host}; that is refused`);
      // a redirect back does not restore them: the other host chose the address that they would be sent to
      authorization = null;
    }
    url = next;
  }
}

/** The address that a `Location` names; one that leaves https is refused, because what is sent there could be read on the way. */
export function follow(from: URL, location: string): URL {
  if (!URL.canParse(location, from.href)) throw new OciError(`${from.host}: sends a location that is not an address`);
  const to = new URL(location, from);
  to.hash = '';
  if (to.protocol !== 'https:' && !(to.protocol === 'http:' && from.protocol === 'http:'))
    throw new OciError(`${from.host}: sends from ${from.protocol}// to ${to.protocol}//${to.host}; that is refused`);
  return to;
}

async function once(request: WireRequest, { reach, signal }: Line): Promise<RegistryAnswer> {
  const { url, body } = request;
  const approach = reach.approach(url);
  const patienceMs = Math.ceil(ANSWER_MS + (body?.length ?? 0) / SLOWEST_BYTES_PER_MS);
  try {
    return await exchange(request, approach, AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]));
  } catch (error) {
    throw signal.aborted ? error : failure(error, url);
  }
}

/**
 * Node's own client rather than fetch: it takes a `lookup`, so that the address checked is the address connected to; it
 * decompresses nothing by itself; and it can limit the size of headers.
 */
function exchange(
  { method, url, headers = {}, authorization, body }: WireRequest,
  { lookup, met }: Approach,
  signal: AbortSignal,
): Promise<RegistryAnswer> {
  return new Promise((resolve, reject) => {
    const options = {
      method,
      signal,
      lookup,
      maxHeaderSize: MAX_HEADER_BYTES,
      headers: { 'user-agent': 'tollgate', ...headers, ...(authorization ? { authorization } : {}) },
    };
    const protocol = url.protocol === 'https:' ? 'https:' : 'http:';
    const sent = (protocol === 'https:' ? tlsRequest : plainRequest)(
      url,
      isLoopback(url.host) ? { ...options, agent: DIRECT[protocol] } : options,
    );
    sent.on('error', reject);
    sent.on('response', (message) => {
      met(message.socket);
      resolve(new RegistryAnswer(url, message));
    });
    sent.end(body);
  });
}

const MAX_DISCARDED_BYTES = 64 * 1024;
const DISCARD_MS = 1000;

/**
 * An answer whose head has arrived. Its body is read up to a limit: what comes from outside does not decide how much
 * memory it takes.
 */
export class RegistryAnswer {
  constructor(
    readonly url: URL,
    private readonly message: IncomingMessage,
  ) {
    // a body that breaks off while nobody reads it is not an error
    message.on('error', () => undefined);
  }

  get status(): number {
    return this.message.statusCode ?? 0;
  }

  /** Null when it is not there; several of one name are joined as HTTP says. */
  header(name: string): string | null {
    const value = this.message.headers[name];
    return value === undefined ? null : Array.isArray(value) ? value.join(', ') : value;
  }

  /** The first `limit` bytes. */
  async readSome(limit: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let length = 0;
    try {
      for await (const part of this.message) {
        parts.push(part as Buffer);
        length += (part as Buffer).length;
        if (length > limit) break;
      }
    } catch (error) {
      throw failure(error, this.url);
    }
    return Buffer.concat(parts).subarray(0, limit);
  }

  /** Everything, as it was sent; more than `limit` bytes are refused, and so is what was compressed unasked. */
  async readAll(limit: number): Promise<Buffer> {
    const encoding = this.header('content-encoding') ?? 'identity';
    if (encoding.toLowerCase() !== 'identity') {
      await this.discard();
      throw new OciError(`${this.url.host}: sends a compressed answer that nobody asked for`);
    }
    const bytes = await this.readSome(limit + 1);
    if (bytes.length > limit)
      throw new OciError(`${this.url.host}: sends more than the ${limit} bytes that such an answer may have`);
    return bytes;
  }

  /**
   * Drops the body: a short one is read, so that the connection can serve the next request; for any other the connection
   * is closed.
   */
  async discard(): Promise<void> {
    const late = setTimeout(() => this.message.destroy(), DISCARD_MS);
    await this.readSome(MAX_DISCARDED_BYTES).catch(() => undefined);
    clearTimeout(late);
  }
}
