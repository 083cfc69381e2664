import { digestOf } from '../../../harness/envoy/testPolicy.ts';
import { keySet } from '../../../harness/envoy/token.ts';
import { POLICY as DOMAIN } from '../../policy.ts';
import type { Issuer, Said } from './model.ts';

export const KEYS: Readonly<Record<string, string>> = {
  acme: 'acme-token-secret',
  globex: 'globex-token-secret',
  narrow: 'narrow-token-secret',
  nobody: 'nobody-token-secret',
};

export const ISSUERS: readonly Issuer[] = [
  {
    name: 'corp',
    iss: 'https://corp.example',
    keys: keySet('corp', 'corp-2').keys,
    audiences: ['shop', 'https://till.example/'],
    owner: 'sub',
    plan: 'plan',
    scopes: 'scope',
  },
  { name: 'partner', iss: 'https://partner.example/', keys: keySet('partner').keys, owner: 'client_id' },
];

interface Caller {
  readonly plan?: string;
  readonly subscriptions?: Readonly<Record<string, string>>;
  readonly scopes: readonly string[];
  readonly tokens: Readonly<Record<string, readonly string[]>>;
}

const CALLERS: Readonly<Record<string, Caller>> = {
  acme: { plan: 'free', scopes: ['read', 'write'], tokens: { corp: ['acme-1', 'acme-2'], partner: ['acme-1'] } },
  globex: { plan: 'gold', scopes: [], tokens: { corp: ['globex-1'], partner: ['globex-1'] } },
  sub: { subscriptions: { shop: 'gold' }, scopes: [], tokens: { corp: ['sub-1'] } },
};

/** A key of acme's that may less than acme, and has the id of one of its tokens' owners. */
const NARROW = { id: 'acme-1', digest: digestOf(KEYS['narrow']!), scopes: ['read'] };

export interface Gate {
  readonly path: string;
  readonly api: string;
  readonly credentials: readonly ('token' | 'key')[];
  readonly plans: readonly string[];
  readonly anonymous?: true;
  readonly scopes?: readonly string[];
}

const LISTED = { api: 'listed', credentials: ['token', 'key'], plans: ['free', 'gold'] } as const;

export const GATES: readonly Gate[] = [
  { path: '/shop/a', api: 'shop', credentials: ['token'], plans: ['free', 'gold'] },
  { path: '/both/a', api: 'both', credentials: ['token', 'key'], plans: ['free'] },
  { path: '/key-first/a', api: 'key-first', credentials: ['key', 'token'], plans: ['free', 'gold'] },
  { path: '/keys/a', api: 'keys', credentials: ['key'], plans: ['free', 'gold'] },
  { path: '/open/a', api: 'open', credentials: ['token'], plans: ['free', 'gold'], anonymous: true },
  { path: '/listed/read', ...LISTED, scopes: ['read'] },
  { path: '/listed/both', ...LISTED, scopes: ['read', 'write'] },
];

/** Who passes, and on which plan; null: a status without an upstream. */
export type Verdict =
  | {
      readonly status: 200;
      readonly consumer?: string;
      readonly plan?: string;
      readonly by: 'token' | 'key' | 'nothing';
    }
  | { readonly status: 401 | 403 };

/** What becomes of a request with a token and a key: `key` is the name of who owns it, `nobody`, or null. */
export function verdictOf(gate: Gate, said: Said | null, key: string | null): Verdict {
  for (const credential of gate.credentials) {
    if (credential === 'token' && said !== null) return verdictOn(gate, said);
    if (credential === 'key' && key !== null) {
      const name = key === 'narrow' ? 'acme' : key;
      const caller = CALLERS[name];
      if (caller === undefined) return { status: 401 };
      return enter(gate, name, planOf(gate, caller), key === 'narrow' ? NARROW.scopes : caller.scopes, 'key');
    }
  }
  return gate.anonymous ? { status: 200, by: 'nothing' } : { status: 401 };
}

function verdictOn(gate: Gate, { issuer, owner, plan, scopes }: Said): Verdict {
  const [name, caller] =
    Object.entries(CALLERS).find(([, { tokens }]) => owner !== null && tokens[issuer.name]?.includes(owner)) ?? [];
  if (name === undefined || caller === undefined) return { status: 403 };
  const named = caller.subscriptions?.[gate.api] === undefined ? plan : undefined;
  return enter(gate, name, named === undefined ? planOf(gate, caller) : named, scopes ?? caller.scopes, 'token');
}

function planOf({ api }: Gate, { plan, subscriptions = {} }: Caller): string | null {
  return subscriptions[api] ?? plan ?? null;
}

function enter(
  gate: Gate,
  consumer: string,
  plan: string | null,
  scopes: readonly string[],
  by: 'token' | 'key',
): Verdict {
  if (plan === null || !gate.plans.includes(plan)) return { status: 403 };
  if (gate.scopes?.some((scope) => !scopes.includes(scope))) return { status: 403 };
  return { status: 200, consumer, plan, by };
}

/** Every request spends from a mesh-wide quota with a short window, so that some wait, and are decided twice. */
export const MESH_QUOTA = { window: 'second', quota: 'm' } as const;
const MANY = 1_000_000;

export const POLICY = JSON.stringify({
  policy: DOMAIN,
  rateLimitService: { cluster: 'counts', domain: DOMAIN, timeout: '1s' },
  keySources: [{ header: 'x-api-key' }, { authorization: 'ApiKey' }],
  upstreams: { v1: { url: 'http://127.0.0.1:9001' } },
  tokens: Object.fromEntries(
    ISSUERS.map(({ name, iss, keys, audiences, owner, plan, scopes }) => [
      name,
      {
        issuer: iss,
        jwks: { keys },
        audiences,
        consumer: owner,
        plan,
        scopes,
        ...(name === 'partner' && { forward: true }),
      },
    ]),
  ),
  apis: Object.fromEntries(
    GATES.map(({ path, api, credentials, plans, anonymous }) => [
      api,
      {
        paths: [`/${path.split('/')[1]}`],
        plans,
        credentials,
        upstream: 'v1',
        ...(anonymous && { anonymous: 'allow' }),
        ...(api === 'listed' && {
          operations: Object.fromEntries(
            GATES.filter((gate) => gate.api === api).map((gate) => [
              `GET ${gate.path.slice(`/${api}`.length)}`,
              { scopes: gate.scopes },
            ]),
          ),
        }),
      },
    ]),
  ),
  plans: Object.fromEntries(
    ['free', 'gold', 'other'].map((plan) => [
      plan,
      { quotas: { m: { limit: MANY, window: MESH_QUOTA.window, scope: 'mesh', onUnavailable: 'allow' } } },
    ]),
  ),
  consumers: Object.fromEntries(
    Object.entries(CALLERS).map(([name, { plan, subscriptions, scopes, tokens }]) => [
      name,
      {
        plan,
        scopes,
        tokens,
        ...(subscriptions && {
          subscriptions: Object.fromEntries(Object.entries(subscriptions).map(([api, of]) => [api, { plan: of }])),
        }),
        ...(KEYS[name] !== undefined && {
          keys: [{ id: `${name}-key`, digest: digestOf(KEYS[name]) }, ...(name === 'acme' ? [NARROW] : [])],
        }),
      },
    ]),
  ),
});
