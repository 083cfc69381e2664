import { createHmac, sign } from 'node:crypto';
import { tokenKey } from '../../../harness/envoy/token.ts';
import type { Random } from '../../../harness/random.ts';

export interface Forged {
  readonly text: string;
  /** True where Envoy may take it or not; if it does, the token is whose it says. */
  readonly isOdd: boolean;
}

const FAR = 4_000_000_000;

/** Claims of one issuer that is known, mostly with everything right. */
function claimsOf(random: Random): Record<string, unknown> {
  const isCorp = random.chance(0.65);
  const owners = ['acme-1', 'acme-2', 'globex-1', 'sub-1', 'nobody'];
  return isCorp
    ? {
        iss: 'https://corp.example',
        sub: random.pick(owners),
        aud: random.pick<unknown>(['shop', 'shop', ['other', 'https://till.example/']]),
        ...(random.chance(0.3) && { plan: random.pick(['gold', 'free', 'other', 'none']) }),
        ...(random.chance(0.6) && { scope: random.pick(['read', 'read write', 'write', 'openid  read']) }),
      }
    : {
        iss: 'https://partner.example/',
        client_id: random.pick(owners),
        ...(random.chance(0.5) && { sub: 'globex-1' }),
      };
}

export function forged(random: Random): Forged {
  const claims = claimsOf(random);
  const honest = claims['iss'] === 'https://corp.example' ? 'corp' : 'partner';
  const [odd, text] = random.chance(0.4) ? changed(random, claims) : [false, JSON.stringify(claims)];
  if (random.chance(0.65)) return { text: tokenOf(headerOf(honest), text, honest), isOdd: odd };
  const bad = badlySigned(random, text, honest);
  return { text: bad, isOdd: odd };
}

function headerOf(kid: string): object {
  return { alg: 'ES256', typ: 'JWT', kid };
}

function part(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function tokenOf(header: object | string, claims: string, by: string): string {
  const body = `${part(typeof header === 'string' ? header : JSON.stringify(header))}.${part(claims)}`;
  return `${body}.${signed(body, by)}`;
}

function signed(body: string, by: string): string {
  const key = { key: tokenKey(by).privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return sign('sha256', Buffer.from(body), key).toString('base64url');
}

/** One or more claims that are missing, of another type, repeated, huge, or that only look right. */
function changed(random: Random, claims: Record<string, unknown>): [isOdd: boolean, text: string] {
  const with_ = (more: object): string => JSON.stringify({ ...claims, ...more });
  const owner = 'client_id' in claims ? 'client_id' : 'sub';
  const ownerText = String(claims[owner]);
  const strange = (): unknown =>
    random.pick<unknown>([
      null,
      true,
      0,
      7,
      1e300,
      -1,
      '',
      ' ',
      [],
      {},
      ['acme-1'],
      ['read', 'write'],
      { 'acme-1': 'acme-1' },
      'acme-1\0',
      '\0acme-1',
      'acme-1 ',
      'ACME-1',
      'аcme-1',
      'acme‐1',
      'acme-1,globex-1',
      'acme-1\ngold',
      'gold\0',
      ['gold'],
      'read\0write',
      'read\twrite',
      'read,write',
      ['read', null],
      ['read', ['write']],
      [['read'], 'write'],
      { read: true },
      'a'.repeat(random.pick([254, 255, 256, 5000])),
      `read ${'x'.repeat(9000)}`,
      `${'y '.repeat(1500)}read`,
    ]);
  switch (random.below(11)) {
    case 0:
      return [
        false,
        with_({ [random.pick([owner, owner, 'plan', 'scope', 'scope', 'aud', 'iss', 'jti'])]: strange() }),
      ];
    case 1: {
      const gone = random.pick([owner, 'iss', 'aud']);
      return [false, with_({ [gone]: undefined })];
    }
    case 2:
      return [
        false,
        with_({
          [random.pick(['exp', 'nbf', 'iat'])]: random.pick<unknown>([FAR, 1e9, 1, 4e9, '4000000000', true, [FAR], -5]),
        }),
      ];
    case 3: {
      // the same claim twice: whoever takes the first, and whoever takes the last
      const name = random.pick([owner, 'iss', 'aud', 'plan']);
      const twice = JSON.stringify({
        [name]: random.pick(['acme-1', 'globex-1', 'gold', 'https://corp.example', 'shop']),
      });
      return [true, `${twice.slice(0, -1)},${JSON.stringify(claims).slice(1)}`];
    }
    case 4:
      return [false, with_({ more: 'x'.repeat(random.below(9000)) })];
    case 5: {
      const depth = random.pick([3, 20, 90, 400]);
      const kind = random.pick([
        ['[', ']'],
        ['{"a":', '}'],
      ]);
      const deep = `${kind[0]!.repeat(depth)}1${kind[1]!.repeat(depth)}`;
      return [depth > 20, `${JSON.stringify(claims).slice(0, -1)},"deep":${deep}}`];
    }
    case 6:
      return [false, with_({ other: random.pick([null, [null], { a: null }]) })];
    case 7:
      // escapes that JSON undoes
      return [
        false,
        JSON.stringify(claims).replace(
          `"${ownerText}"`,
          () => `"${[...ownerText].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`,
        ),
      ];
    case 8:
      return [true, with_({ [owner]: '\ud800acme-1' })];
    case 9:
      return [false, with_({ [owner.toUpperCase()]: 'globex-1', payload: { sub: 'globex-1', client_id: 'globex-1' } })];
    default:
      return [
        false,
        with_({
          iss: random.pick([
            'https://corp.example/',
            'https://partner.example',
            'https://corp.example\0',
            'https://CORP.example',
            'https://evil.example',
            ' https://corp.example',
          ]),
        }),
      ];
  }
}

/** Signed by another, with another algorithm or not at all, or altered after that. */
function badlySigned(random: Random, claims: string, honest: string): string {
  const good = tokenOf(headerOf(honest), claims, honest);
  const parts = good.split('.') as [string, string, string];
  const stranger = random.pick(['foreign', honest === 'corp' ? 'partner' : 'corp']);
  const kid = random.pick<unknown>([
    honest,
    stranger,
    '',
    'none',
    '../../dev/null',
    `${honest}\0`,
    honest.toUpperCase(),
    7,
    [honest],
    null,
    undefined,
  ]);
  switch (random.below(9)) {
    case 0:
      return tokenOf({ alg: 'ES256', kid }, claims, stranger);
    case 1:
      // the right key, with a kid that names another or none
      return tokenOf(
        { alg: 'ES256', kid: random.pick([stranger, 'none', honest.toUpperCase(), 7, [honest]]) },
        claims,
        honest,
      );
    case 2: {
      const alg = random.pick(['none', 'None', 'NONE', '', null, 'ES256 ', 'es256']);
      const body = `${part(JSON.stringify({ alg, kid: honest }))}.${part(claims)}`;
      return `${body}.${random.pick(['', parts[2]])}`;
    }
    case 3: {
      // the public key as a secret, in the forms in which it is published
      const { jwk } = tokenKey(honest);
      const secret = random.pick([JSON.stringify(jwk), `${jwk['x']}${jwk['y']}`, jwk['x']!, '']);
      const body = `${part(JSON.stringify({ alg: 'HS256', kid: honest }))}.${part(claims)}`;
      return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
    }
    case 4:
      // the signer brings its own key
      return tokenOf(
        { alg: 'ES256', kid, jwk: tokenKey('foreign').jwk, jku: 'http://127.0.0.1:1/keys' },
        claims,
        'foreign',
      );
    case 5: {
      const which = random.below(3) as 0 | 1 | 2;
      parts[which] = flipped(random, parts[which]);
      return parts.join('.');
    }
    case 6:
      // another's claims under a good signature
      return [parts[0], part(claims.replace(/acme-1|globex-1|nobody/, 'acme-2')), parts[2]].join('.');
    case 7:
      return random.pick([
        parts.slice(0, 2).join('.'),
        `${good}.`,
        `.${good}`,
        `${good}.${parts[2]}`,
        `${parts[0]}..${parts[2]}`,
        `..${parts[2]}`,
        '..',
        parts.reverse().join('.'),
        `${good.slice(0, 40)}/${good.slice(41)}`,
      ]);
    default:
      return tokenOf(
        random.pick(['{"alg":"ES256","alg":"none"}', '{"alg":["ES256"]}', '[]', '{', '']),
        claims,
        'foreign',
      );
  }
}

/** Another character of the alphabet somewhere but at the end, whose last bits may mean nothing. */
function flipped(random: Random, text: string): string {
  const at = random.below(Math.max(1, text.length - 1));
  const other = [...'ABCDEFGHabcdefgh01234567-_'].filter((char) => char !== text[at]);
  return text.slice(0, at) + random.pick(other) + text.slice(at + 1);
}
