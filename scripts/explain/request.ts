import { joinHeaders, withoutNominated, type Pair } from '../host/stream.ts';
import type { ExplainedCaller } from './caller.ts';
import { InvalidRequest } from './error.ts';

/** A request as a client sends it. Strings are byte strings (latin1: a character is a byte). */
export interface ExplainedRequest {
  readonly method: string;
  readonly scheme: string;
  /** Null: no header names one. */
  readonly host: string | null;
  /** With its query. */
  readonly path: string;
  readonly headers: readonly Pair[];
  /** Left out: a client on this machine, without certificate and token. */
  readonly caller?: ExplainedCaller;
}

/** Envoy's own bounds, beyond which it answers 431 before any filter sees the request. */
const MAX_HEADERS = 100;
const MAX_HEADER_BYTES = 60 * 1024;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const URL_FORM = /^(https?):\/\/([^/?#\s]*)([/?][^\s]*)?$/i;
const FORM = "'METHOD https://HOST/PATH', such as 'GET https://api.example.com/v1/pets'";

/**
 * Reads `GET https://api.example.com/v1/pets?a=b`; GET may be left out, and the host where a header names it. Nothing is normalised:
 * the path is sent as it stands. Errors do not repeat what they refuse, because a query may hold a key.
 */
export function parseRequest(text: string, headers: readonly Pair[], caller: ExplainedCaller = {}): ExplainedRequest {
  const words = text.trim().split(/\s+/);
  const [method, target] = words.length === 1 ? ['GET', words[0]!] : [words[0]!, words[1]!];
  if (words.length > 2 || !TOKEN.test(method)) throw new InvalidRequest(`--request must be ${FORM}`);
  const named = headers.find(([name]) => name === 'host')?.[1] ?? null;
  const others = headers.filter(([name]) => name !== 'host');
  checkSize(others);
  if (target.startsWith('/')) {
    if (named === null) throw new InvalidRequest(`--request names no host: it must be ${FORM}`);
    return { method, scheme: 'https', host: named, path: bytes(target), headers: others, caller };
  }
  const [, scheme, host, path = '/'] = URL_FORM.exec(target) ?? [];
  if (scheme === undefined || host === undefined || host === '') throw new InvalidRequest(`--request must be ${FORM}`);
  if (host.includes('@'))
    throw new InvalidRequest(
      '--request must not hold a user name or password; give the header that they become instead',
    );
  return {
    method,
    scheme: scheme.toLowerCase(),
    host: named ?? bytes(host),
    path: bytes(path.startsWith('?') ? `/${path}` : path),
    headers: others,
    caller,
  };
}

/** Reads one header, `name: value`. `place` is what an error calls it; the value is not repeated, because it may be a key. */
export function parseHeader(line: string, place: string): Pair {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
  if (colon < 0 || !TOKEN.test(name)) throw new InvalidRequest(`${place} must be 'NAME: VALUE'`);
  if (/[\0\r\n]/.test(value)) throw new InvalidRequest(`${place} must have a value on one line, without NUL`);
  return [name, bytes(value)];
}

function checkSize(headers: readonly Pair[]): void {
  const size = headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (headers.length > MAX_HEADERS || size > MAX_HEADER_BYTES)
    throw new InvalidRequest(
      `headers must be at most ${MAX_HEADERS} and have at most ${MAX_HEADER_BYTES} bytes: Envoy answers more with 431 itself`,
    );
}

/** The request's header map in Envoy's order, joined and stripped as Envoy does before any filter, and with its peer where one is given. */
export function pairsOf({ method, scheme, host, path, headers, caller }: ExplainedRequest): Pair[] {
  const pairs: Pair[] = [];
  if (host !== null) pairs.push([':authority', host]);
  pairs.push([':path', path], [':method', method], [':scheme', scheme], ...headers);
  if (caller?.peer !== undefined) pairs.push(['x-forwarded-for', caller.peer]);
  return withoutNominated(joinHeaders(pairs));
}

/** What is before the query. */
export function withoutQuery(target: string): string {
  const question = target.indexOf('?');
  return question < 0 ? target : target.slice(0, question);
}

function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
