import { createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import type { LocalIssuer } from '../../scripts/envoy/tokens.ts';
import { HeaderMap, type Pair } from '../../scripts/host/stream.ts';

const BEARER = 'Bearer ';
/** Envoy's default, in seconds. */
const CLOCK_SKEW = 60;

/**
 * What Envoy's JWT filter, as `tollgate run` puts it in front of the module, leaves of a request's token: the claims of one that is valid,
 * whole; undefined of any other, and without one. Key sets stand in the policy.
 */
export function verifiedClaims(
  issuers: readonly LocalIssuer[],
  headers: readonly Pair[],
  nowSeconds: number,
): Record<string, unknown> | undefined {
  const values = new HeaderMap(headers).all('authorization').join(',');
  const at = values.indexOf(BEARER);
  const token =
    at < 0 ? '' : (/^[^A-Za-z0-9_.=-]*([A-Za-z0-9_.=-]+)/.exec(values.slice(at + BEARER.length))?.[1] ?? '');
  const [header, payload, signature, ...more] = token.split('.');
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) return undefined;
  const [head, claims] = [objectIn(header), objectIn(payload)];
  if (head === null || claims === null || !isWellFormed(claims)) return undefined;
  const { exp = Infinity, nbf = -Infinity, aud } = claims as { exp?: number; nbf?: number; aud?: string | string[] };
  if (nowSeconds > exp + CLOCK_SKEW || nowSeconds < nbf - CLOCK_SKEW) return undefined;
  const audiences = typeof aud === 'string' ? [aud] : (aud ?? []);
  const issuer = issuers.find(
    (one) =>
      one.issuer === claims['iss'] &&
      (one.audiences === undefined || one.audiences.some((name) => audiences.map(bare).includes(bare(name)))),
  );
  if (issuer === undefined || typeof issuer.keys !== 'string') return undefined;
  const keys = (JSON.parse(issuer.keys) as { keys: (JsonWebKey & { kid?: string })[] }).keys;
  const isSigned = keys
    .filter(({ kid }) => kid === undefined || head['kid'] === undefined || kid === head['kid'])
    .some((key) => head['alg'] === 'ES256' && isSignedWith(key, `${header}.${payload}`, signature));
  return isSigned ? claims : undefined;
}

function isSignedWith(jwk: JsonWebKey, text: string, signature: string): boolean {
  const key = createPublicKey({ format: 'jwk', key: jwk });
  return verify('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
}

function objectIn(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** Envoy takes no token whose registered claims have another type. */
function isWellFormed({ iss, sub, aud, exp, nbf }: Record<string, unknown>): boolean {
  const isText = (value: unknown): boolean => value === undefined || typeof value === 'string';
  const isTime = (value: unknown): boolean => value === undefined || (typeof value === 'number' && value >= 0);
  const isAudience = isText(aud) || (Array.isArray(aud) && aud.every((one) => typeof one === 'string'));
  return isText(iss) && isText(sub) && isTime(exp) && isTime(nbf) && isAudience;
}

/** Envoy compares audiences without a scheme and without a slash at their end. */
function bare(audience: string): string {
  return audience.replace(/^https?:\/\//, '').replace(/\/$/, '');
}
