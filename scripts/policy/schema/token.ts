import { z } from 'zod';
import {
  CONSUMER_CLAIM,
  MAX_AUDIENCES,
  MAX_ISSUER_BYTES,
  MAX_ISSUERS,
  MAX_NAME_BYTES,
  MAX_SUBJECT_BYTES,
} from '../../contract/table.ts';
import { name } from './value.ts';

const VISIBLE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const JWKS_RULE =
  'must be a URL of the key set such as https://idp.example.com/keys.json, or the key set itself: { keys: [...] }';
const ISSUERS_RULE = `must name at most ${MAX_ISSUERS} issuers`;

/** What a token may say and a policy names: one word in a log, and safe between quotation marks. */
const visible = (most: number, description: string) => {
  const error = `must be 1 to ${most} visible ASCII characters without spaces, quotation marks and backslashes`;
  return z.string().max(most, { error }).regex(VISIBLE, { error }).meta({ description });
};

const claim = (description: string) => visible(MAX_NAME_BYTES, description);

/** Fields of a JSON Web Key that only who signs may know (RFC 7518). */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const;

const key = z
  .looseObject({
    kty: z
      .enum(['RSA', 'EC', 'OKP'], { error: 'must be RSA, EC or OKP: keys with which a signature is verified' })
      .meta({ description: 'The type of the key.' }),
  })
  .refine((fields) => PRIVATE.every((field) => !Object.hasOwn(fields, field)), {
    error: `must be a public key, without ${PRIVATE.join(', ')}`,
  })
  .meta({ description: 'A public JSON Web Key (RFC 7517).' });

const jwks = z
  .union(
    [
      z
        .string()
        .refine((text) => parseKeySetUrl(text) !== null, { error: JWKS_RULE })
        .meta({ examples: ['https://idp.example.com/keys.json'] }),
      z.strictObject({
        keys: z.array(key).min(1, { error: 'must hold a key' }).meta({ description: 'The keys of the set.' }),
      }),
    ],
    { error: JWKS_RULE },
  )
  .meta({ description: 'The key set with which tokens are verified: where it is, or the set itself (RFC 7517).' });

/** Protocol, host (IPv6 without its brackets), port and path of where a key set is; null for anything else. */
export function parseKeySetUrl(
  text: string,
): { protocol: 'http' | 'https'; host: string; port: number; authority: string; path: string } | null {
  if (!/^https?:\/\/[^\s\\@#]+$/.test(text) || text.length > 2048 || !URL.canParse(text)) return null;
  const { protocol, hostname, port, host, pathname, search } = new URL(text);
  const plain = protocol === 'http:' ? 'http' : 'https';
  return {
    protocol: plain,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (plain === 'http' ? 80 : 443) : Number(port),
    authority: host,
    path: `${pathname}${search}`,
  };
}

/** Issuers whose tokens count, by a name of the policy's own. */
export const tokens = z
  .record(
    name('An issuer of tokens.'),
    z.strictObject({
      issuer: visible(MAX_ISSUER_BYTES, 'The claim "iss" of its tokens, to the letter.'),
      jwks,
      audiences: z
        .array(visible(MAX_NAME_BYTES, 'An audience.'))
        .min(1, { error: 'must hold an audience; leave the field out for any' })
        .max(MAX_AUDIENCES, { error: `must hold at most ${MAX_AUDIENCES} audiences` })
        .meta({ description: 'A token counts if it is for one of these (the claim "aud"). Default: for any.' })
        .optional(),
      consumer: claim(
        `The claim that names the token's owner. Consumers list what it holds. Default: ${CONSUMER_CLAIM}.`,
      ).optional(),
      plan: claim("The claim that names a plan, which then stands in the place of the consumer's own.").optional(),
      scopes: claim(
        "The claim that holds scopes, which then stand in the place of the consumer's: a list, or words with spaces between them.",
      ).optional(),
      forward: z
        .boolean({ error: 'must be true or false' })
        .meta({ description: 'true: the upstream sees the token. Default: false.' })
        .optional(),
    }),
  )
  .refine((issuers) => Object.keys(issuers).length <= MAX_ISSUERS, { error: ISSUERS_RULE })
  .meta({ description: 'Issuers of tokens (JWT) that Envoy or Istio verifies, by name.' });

export type TokenIssuers = z.output<typeof tokens>;
export type TokenIssuer = TokenIssuers[string];

/** Who owns tokens of which issuer. */
export const subjects = z
  .record(
    name('An issuer of this policy.'),
    z
      .array(visible(MAX_SUBJECT_BYTES, "What the issuer's consumer claim holds."))
      .min(1, { error: 'must hold a subject' })
      .meta({ description: 'Owners of tokens of this issuer.' }),
  )
  .meta({ description: 'Owners of tokens that are this consumer, by issuer.' });
