import { isIP } from 'node:net';
import type { CallerFacts } from '../host/stream.ts';
import { SPIFFE_ID, SPIFFE_RULE } from '../policy/schema/identity.ts';
import { InvalidRequest } from './error.ts';

/** What Envoy knows of who sends a request, beside the request itself. */
export interface ExplainedCaller {
  /** The address that calls Envoy; Envoy appends it to X-Forwarded-For. Left out: one of this machine's, appended to nothing. */
  readonly peer?: string;
  /** The id in the certificate that it shows, which counts as verified. */
  readonly workload?: string;
  /** What a token says that counts as verified. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** How a request is handed to the module beside its headers. */
export interface Sender {
  /** Left out: one of this machine's. */
  readonly source?: string;
  readonly caller: CallerFacts;
}

const PORT = 50_000;
/** Where no address is known, as of a client that came by a Unix socket. */
export const NO_SOURCE = '';

export function senderOf({ peer, workload, claims }: ExplainedCaller): Sender {
  return {
    ...(peer !== undefined && { source: sourceAt(peer) }),
    caller: factsOf(workload === undefined ? [] : [workload], claims),
  };
}

/** An address as Envoy gives that of a connection. */
export function sourceAt(address: string): string {
  return address.includes(':') ? `[${address}]:${PORT}` : `${address}:${PORT}`;
}

/** A certificate and a token that filters in front of the module have verified. */
export function factsOf(uris: readonly string[], claims?: Readonly<Record<string, unknown>>): CallerFacts {
  return {
    ...(uris.length > 0 && { uriSans: uris }),
    metadata: {
      ...(uris.length > 0 && { 'envoy.filters.http.rbac': { tollgate_shadow_engine_result: 'allowed' } }),
      ...(claims !== undefined && { 'envoy.filters.http.jwt_authn': { payload: claims } }),
    },
  };
}

const PEER_RULE = 'must be an IP address such as 203.0.113.7 or 2001:db8::7, without port';

export function parsePeer(text: string): string {
  if (isIP(text) === 0 || text.includes('%')) throw new InvalidRequest(`--peer ${PEER_RULE}`);
  return text;
}

export function parseWorkload(text: string): string {
  if (!SPIFFE_ID.test(text)) throw new InvalidRequest(`--workload ${SPIFFE_RULE}`);
  return text;
}

const CLAIMS_RULE = `must be a JSON object such as '{"iss":"https://idp.example.com","sub":"7"}'`;
const RAW_TOKEN = /^\s*(?:bearer\s+)?[\w-]{8,}\.[\w-]+\.[\w-]*\s*$/i;

/** The claims of a token as a JSON object. Errors repeat nothing of it: it might be a token after all. */
export function parseClaims(text: string, place: string): Readonly<Record<string, unknown>> {
  if (RAW_TOKEN.test(text))
    throw new InvalidRequest(`${place} must be what a token says, its claims as a JSON object, and not the token`);
  let claims: unknown;
  try {
    claims = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    throw new InvalidRequest(`${place} ${CLAIMS_RULE}`);
  }
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims))
    throw new InvalidRequest(`${place} ${CLAIMS_RULE}`);
  return claims as Readonly<Record<string, unknown>>;
}

/** `name=value` each, whose values are strings; a name that comes again makes a list. */
export function claimsIn(pairs: readonly string[]): Readonly<Record<string, unknown>> {
  const claims = new Map<string, string | string[]>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1)
      throw new InvalidRequest("--token-claim must be 'NAME=VALUE'; --token-claims takes all of them as JSON");
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    const before = claims.get(name);
    claims.set(name, before === undefined ? value : [before, value].flat());
  }
  return Object.fromEntries(claims);
}
