import { createECDH, createHash, createHmac, createPrivateKey, sign, type KeyObject } from 'node:crypto';

/** What signs the tokens of an issuer in tests: a key on the curve P-256 that its name says, so that runs are alike. */
export interface TokenKey {
  readonly privateKey: KeyObject;
  /** The public part, as a JSON Web Key. */
  readonly jwk: Readonly<Record<string, string>>;
}

const keys = new Map<string, TokenKey>();

export function tokenKey(name: string): TokenKey {
  const known = keys.get(name) ?? makeKey(name);
  keys.set(name, known);
  return known;
}

function makeKey(name: string): TokenKey {
  const secret = createHash('sha256').update(`token key ${name}`).digest();
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(secret);
  // 4 │ x (32) │ y (32)
  const point = curve.getPublicKey();
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  };
  const privateKey = createPrivateKey({ format: 'jwk', key: { ...jwk, d: secret.toString('base64url') } });
  return { privateKey, jwk: { ...jwk, kid: name, alg: 'ES256', use: 'sig' } };
}

/** The key set of an issuer, as a policy or a server has it. */
export function keySet(...names: readonly string[]): { readonly keys: TokenKey['jwk'][] } {
  return { keys: names.map((name) => tokenKey(name).jwk) };
}

export interface TokenForm {
  /** Whose key signs it. */
  readonly by: string;
  /** `HS256`: with the public key as the secret, which a careless server takes for valid. */
  readonly alg: 'ES256' | 'HS256' | 'none';
}

/** A JSON Web Token with these claims: an object, or JSON text. */
export function signedToken(claims: object | string, { by, alg }: TokenForm = { by: 'corp', alg: 'ES256' }): string {
  const part = (text: string): string => Buffer.from(text).toString('base64url');
  const text = typeof claims === 'string' ? claims : JSON.stringify(claims);
  const body = `${part(JSON.stringify({ alg, typ: 'JWT', kid: by }))}.${part(text)}`;
  return `${body}.${signature(body, by, alg)}`;
}

function signature(body: string, by: string, alg: TokenForm['alg']): string {
  if (alg === 'none') return '';
  const { privateKey, jwk } = tokenKey(by);
  if (alg === 'HS256') return createHmac('sha256', JSON.stringify(jwk)).update(body).digest('base64url');
  return sign('sha256', Buffer.from(body), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url');
}
