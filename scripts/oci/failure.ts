import { STATUS_CODES } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { OciError, PlainHttp, RegistryError, Transient, Unreachable } from './error.ts';
import type { RegistryAnswer } from './wire.ts';

export interface RetryPolicy {
  /** How many attempts there are in all. */
  readonly attempts: number;
  /** The first wait is about this long, each further one twice as long. */
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
  /** A registry that asks for a longer wait than this is given up. */
  readonly longestRetryAfterMs: number;
}

export const RETRY: RetryPolicy = {
  attempts: 5,
  firstWaitMs: 500,
  longestWaitMs: 10_000,
  longestRetryAfterMs: 120_000,
};

interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly signal: AbortSignal;
  /** Told before each wait. */
  readonly note: (text: string) => void;
}

/** Runs `attempt` until it succeeds, fails for good, or has failed as often as the policy allows. */
export async function retrying<T>(attempt: () => Promise<T>, { policy, signal, note }: RetryOptions): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      if (tried >= policy.attempts) throw new OciError(`${error.message}; gave up after ${tried} attempts`);
      if ((error.retryAfterMs ?? 0) > policy.longestRetryAfterMs)
        throw new OciError(
          `${error.message}; it asks to come back in ${Math.ceil((error.retryAfterMs ?? 0) / 1000)} s`,
        );
      const waitMs = error.retryAfterMs ?? backoffMs(tried, policy);
      note(`${error.message}; trying again in ${(waitMs / 1000).toFixed(1)} s`);
      await sleep(waitMs, undefined, { signal });
    }
  }
}

/** Twice as long each time, less up to half of it: pushes that failed together do not come back together. */
export function backoffMs(tried: number, policy: RetryPolicy, random: () => number = Math.random): number {
  return Math.min(policy.longestWaitMs, policy.firstWaitMs * 2 ** (tried - 1)) * (1 - random() / 2);
}

/** `Retry-After`: seconds or a date. Null when it is missing or makes no sense. */
export function retryAfterMs(header: string | null, nowMs: number = Date.now()): number | null {
  if (header === null) return null;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs);
}

const WRONG_TLS = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'EPROTO']);
const BROKEN = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE', 'HPE_INVALID_EOF_STATE']);

/**
 * What went wrong with a connection; only a failure that may pass is `Transient`. Nothing that the other side sent is
 * repeated.
 */
export function failure(error: unknown, url: URL): Error {
  if (error instanceof OciError) return error;
  const { code: given } = error as { code?: unknown };
  const code = typeof given === 'string' ? given : 'unknown error';
  if (WRONG_TLS.has(code))
    return new PlainHttp(`${url.host}: does not speak TLS; if plain http is meant, say --plain-http`);
  if (/CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code))
    return new OciError(
      `${url.host}: its certificate is not trusted (${code}); name your authority's in $NODE_EXTRA_CA_CERTS`,
    );
  if (code === 'ABORT_ERR') return new Unreachable(`${url.host}: does not answer`);
  if (code === 'ENOTFOUND') return new OciError(`${url.host}: no such host`);
  if (code === 'ECONNREFUSED') return new Unreachable(`${url.host}: refuses the connection (${code})`);
  if (BROKEN.has(code)) return new Unreachable(`${url.host}: broke the connection (${code})`);
  if (code === 'HPE_HEADER_OVERFLOW') return new OciError(`${url.host}: sends more headers than any registry does`);
  if (code.startsWith('HPE_')) return new OciError(`${url.host}: does not speak HTTP (${code})`);
  // what was to be sent is not valid HTTP: an address or a token has characters that a header cannot hold
  if (error instanceof TypeError) return new OciError(`${url.host}: cannot be asked that (${code})`);
  return new Unreachable(`${url.host}: cannot be reached (${code})`);
}

const MAX_BYTES = 16 * 1024;
const MAX_SHOWN = 300;

const TRANSIENT = new Set([408, 429, 500, 502, 503, 504]);

/** True for an answer that may be another one in a while. */
export function mayPass({ status }: RegistryAnswer): boolean {
  return TRANSIENT.has(status);
}

/** An answer that is not the hoped-for one, as an error: transient for those that may pass. */
export async function failureOf(
  answer: RegistryAnswer,
  what: string,
  redact: (text: string) => string,
  expected: readonly number[] = [],
): Promise<Error> {
  const { status } = answer;
  // an answer that breaks off is still a refusal
  const said = await answer.readAll(MAX_BYTES).then(
    (bytes) => printable(redact(words(bytes.toString('utf8')))),
    () => '',
  );
  const message = `${what}: ${said === '' ? '' : `${said} `}(${status})`;
  if (mayPass(answer)) return new Transient(message, retryAfterMs(answer.header('retry-after')));
  if (status >= 400) return new RegistryError(message, status);
  const wanted = expected.filter((one) => one < 300).join(' or ');
  return new RegistryError(
    `${what}: answered ${status} ${STATUS_CODES[status] ?? ''}`.trimEnd() +
      (wanted === '' ? '' : `, where the protocol has ${wanted}`),
    status,
  );
}

interface Said {
  readonly errors?: unknown;
  readonly error?: unknown;
  readonly details?: unknown;
  readonly error_description?: unknown;
}

/** `CODE: message` of each error in a registry's or token service's JSON; a page of HTML says nothing. */
function words(text: string): string {
  let said: Said | null;
  try {
    said = JSON.parse(text) as Said | null;
  } catch {
    return /^\s*</.test(text) ? '' : text;
  }
  if (typeof said !== 'object' || said === null) return '';
  if (Array.isArray(said.errors))
    return said.errors
      .map((one: unknown) => join(...codeAndMessage(one)))
      .filter((one) => one !== '')
      .join('; ');
  return join(said.error, said.error_description ?? said.details);
}

function codeAndMessage(error: unknown): [unknown, unknown] {
  if (typeof error !== 'object' || error === null) return [undefined, undefined];
  const { code, message } = error as { code?: unknown; message?: unknown };
  return [code, message];
}

function join(...parts: unknown[]): string {
  return parts.filter((part): part is string => typeof part === 'string' && part !== '').join(': ');
}

/** One line without control characters: it goes to a terminal. */
function printable(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line;
}
