import type { ApiConfig, CredentialKind, PluginConfig } from '../contract/pluginConfig.ts';
import { CONSUMER_CLAIM } from '../contract/table.ts';
import { HeaderMap, type Pair } from '../host/stream.ts';
import type { ExplainedCaller } from './caller.ts';
import type { Probe } from './probe.ts';

/** By what the caller of an API is known, where that may be something else than a key. */
export interface CredentialStory {
  /** What the API takes; the first that the request has counts. */
  readonly takes: readonly CredentialKind[];
  /** The one that counts; null: the request has none of them. */
  readonly used: CredentialKind | null;
  /** The id of a workload, if one was given. */
  readonly workload: string | null;
  readonly token: TokenStory | null;
}

/** A token, by what was said to be its claims. */
export interface TokenStory {
  /** False for one that the request only carries: nothing here verifies it, so it does not count. */
  readonly isVerified: boolean;
  /** The claim `iss`. */
  readonly iss: string | null;
  /** The policy's name for the issuer; null: it is none of the policy's. */
  readonly issuer: string | null;
  /** False for a token of that issuer for another audience. */
  readonly isForUs: boolean;
  /** Claims that the policy reads, and what they hold; null for one that is not there or is no string. */
  readonly owner: HeldClaim | null;
  readonly plan: HeldClaim | null;
  /** The claim that holds scopes; null: those of the consumer count. */
  readonly scopes: string | null;
}

export interface HeldClaim {
  readonly claim: string;
  readonly holds: string | null;
}

const BEARER = /^bearer +[\w-]+\.[\w-]+\.[\w-]*$/i;

/** Null where nothing but a key is taken or was given. */
export function credentialStory(
  config: PluginConfig,
  api: ApiConfig,
  { workload, claims }: ExplainedCaller,
  pairs: readonly Pair[],
  hasKey: boolean,
  probe: Probe,
): CredentialStory | null {
  if (api.credentials === undefined && workload === undefined && claims === undefined) return null;
  const takes = api.credentials ?? ['key'];
  const token = claims === undefined ? carried(takes, pairs) : tokenStory(config, claims, probe);
  const has = (kind: CredentialKind): boolean => {
    if (kind === 'key') return hasKey;
    return kind === 'workload' ? workload !== undefined : token !== null && token.issuer !== null && token.isForUs;
  };
  return { takes, used: takes.find(has) ?? null, workload: workload ?? null, token };
}

/** A token in the request that nobody has verified. */
function carried(takes: readonly CredentialKind[], pairs: readonly Pair[]): TokenStory | null {
  if (!takes.includes('token') || !new HeaderMap(pairs).all('authorization').some((value) => BEARER.test(value)))
    return null;
  return { isVerified: false, iss: null, issuer: null, isForUs: false, owner: null, plan: null, scopes: null };
}

function tokenStory(
  { tokens = [] }: PluginConfig,
  claims: NonNullable<ExplainedCaller['claims']>,
  probe: Probe,
): TokenStory {
  const iss = stringIn(claims, 'iss');
  const issuer = tokens.find((one) => one.issuer === iss);
  const held = (claim: string | undefined): HeldClaim | null =>
    claim === undefined ? null : { claim, holds: stringIn(claims, claim) };
  return {
    isVerified: true,
    iss,
    issuer: issuer?.name ?? null,
    isForUs: issuer !== undefined && probe.hasToken(issuer),
    owner: issuer === undefined ? null : held(issuer.consumer ?? CONSUMER_CLAIM),
    plan: held(issuer?.plan),
    scopes: issuer?.scopes ?? null,
  };
}

function stringIn(claims: NonNullable<ExplainedCaller['claims']>, name: string): string | null {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  return typeof value === 'string' ? value : null;
}
