import { createPublicKey, verify } from 'node:crypto';
import type { TokenKey } from '../../../harness/envoy/token.ts';

/*
 * Whose a token is, as docs/identity.md says it: read from the text with node:crypto and JSON.parse, by nothing that Envoy or the module
 * has. It knows nothing of headers and policies.
 */
export interface Issuer {
  readonly name: string;
  readonly iss: string;
  readonly keys: readonly TokenKey['jwk'][];
  readonly audiences?: readonly string[];
  /** The claims that name owner, plan and scopes. */
  readonly owner: string;
  readonly plan?: string;
  readonly scopes?: string;
}

/** What a valid token says; null: the request is one without a token. */
export interface Said {
  readonly issuer: Issuer;
  /** Null for what is no name of an owner. */
  readonly owner: string | null;
  /** Undefined where the token names no plan, null where what it names can be none. */
  readonly plan: string | null | undefined;
  /** Undefined where tokens of the issuer say nothing of scopes. */
  readonly scopes: readonly string[] | undefined;
}

type Claims = Readonly<Record<string, unknown>>;

/** Seconds by which a token may be too early or too late: Envoy's default. */
const SKEW_SECONDS = 60;
const MOST_OWNER_BYTES = 255;
const MOST_SCOPE_BYTES = 4096;

export function readToken(text: string, issuers: readonly Issuer[], nowSeconds: number): Said | null {
  // Envoy passes over dots that enclose nothing
  const parts = text.split('.').filter((part) => part !== '');
  const [head, payload, signature] = parts;
  if (parts.length !== 3) return null;
  const header = parsed(head!);
  const claims = parsed(payload!);
  if (header === null || claims === null || header['alg'] !== 'ES256') return null;
  const { kid } = header;
  if (kid !== undefined && typeof kid !== 'string') return null;
  const issuer = issuers.find(({ iss }) => iss === claims['iss']);
  if (issuer === undefined || !hasRegisteredTypes(claims) || !isCurrent(claims, nowSeconds)) return null;
  const signed = Buffer.from(`${head}.${payload}`);
  const bytes = Buffer.from(signature!, 'base64url');
  const isSigned = issuer.keys.some(
    (jwk) =>
      (kid === undefined || kid === '' || kid === jwk['kid']) &&
      verify('sha256', signed, { key: createPublicKey({ format: 'jwk', key: jwk }), dsaEncoding: 'ieee-p1363' }, bytes),
  );
  return isSigned && isForUs(claims, issuer) ? saidBy(claims, issuer) : null;
}

function parsed(part: string): Claims | null {
  if (!/^[\w-]+$/.test(part)) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : null;
  } catch {
    return null;
  }
}

/** RFC 7519, 4.1: a token that has them otherwise is none. */
function hasRegisteredTypes(claims: Claims): boolean {
  const is = (names: readonly string[], fits: (value: unknown) => boolean): boolean =>
    names.every((name) => !Object.hasOwn(claims, name) || fits(claims[name]));
  const isText = (value: unknown): boolean => typeof value === 'string';
  return (
    is(['iss', 'sub', 'jti'], isText) &&
    is(['exp', 'nbf', 'iat'], (value) => typeof value === 'number' && value >= 0) &&
    is(['aud'], (value) => isText(value) || (Array.isArray(value) && value.every(isText)))
  );
}

function isCurrent({ exp = 0, nbf = 0 }: Claims, nowSeconds: number): boolean {
  // Envoy takes 0 for none
  return (exp === 0 || nowSeconds <= Number(exp) + SKEW_SECONDS) && nowSeconds >= Number(nbf) - SKEW_SECONDS;
}

function isForUs({ aud }: Claims, { audiences }: Issuer): boolean {
  const named = typeof aud === 'string' ? [aud] : ((aud ?? []) as readonly string[]);
  return audiences === undefined || audiences.some((audience) => named.includes(audience));
}

function saidBy(claims: Claims, issuer: Issuer): Said {
  const owner = claims[issuer.owner];
  const plan = issuer.plan === undefined ? undefined : claims[issuer.plan];
  return {
    issuer,
    owner: typeof owner === 'string' && /^[!-~]+$/.test(owner) && owner.length <= MOST_OWNER_BYTES ? owner : null,
    plan: plan === undefined || plan === null || plan === '' ? undefined : typeof plan === 'string' ? plan : null,
    scopes: issuer.scopes === undefined ? undefined : scopesOf(claims[issuer.scopes]),
  };
}

/** Where null stands anywhere in a list, the host says nothing of it. */
function scopesOf(claim: unknown): readonly string[] {
  if (JSON.stringify(claim ?? null).length > MOST_SCOPE_BYTES) return [];
  if (typeof claim === 'string') return claim.split(' ').filter((word) => word !== '');
  if (!Array.isArray(claim) || holdsNull(claim)) return [];
  return claim.filter((item) => typeof item === 'string');
}

function holdsNull(value: unknown): boolean {
  if (value === null) return true;
  return typeof value === 'object' && Object.values(value).some(holdsNull);
}
