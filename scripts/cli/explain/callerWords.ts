import type { ConcurrencyPer } from '../../contract/pluginConfig.ts';
import type { CredentialStory, TokenStory } from '../../explain/credential.ts';
import type { ConcurrencyStory } from '../../explain/plan.ts';
import type { Story } from '../../explain/story.ts';
import type { AddressStory, VisitorStory } from '../../explain/whence.ts';
import { grouped } from '../../diff/difference.ts';
import { listOf, inBrief } from './words.ts';

const NAMES = { key: 'a key', workload: 'a workload', token: 'a token' } as const;

/** What the caller is known by, and why not by something else that was given. */
export function credentialWords(credential: CredentialStory, reason: string): string[] {
  const { takes, used, workload, token } = credential;
  const taken = takes.map((kind) => NAMES[kind]);
  const notTaken = (kind: keyof typeof NAMES): string =>
    `${NAMES[kind]} says nothing here: the API takes ${listOf(taken, 'or')}`;
  const beside = (kind: keyof typeof NAMES): string =>
    takes.includes(kind) ? `${NAMES[kind]} does not count beside ${NAMES[used!]}` : notTaken(kind);
  const isFirst = (kind: keyof typeof NAMES): boolean => used === kind;
  return [
    ...(used === null ? [`none: the API takes ${listOf(taken, 'or')}`] : []),
    ...(isFirst('key') ? ['a key'] : []),
    ...(workload === null
      ? []
      : [
          isFirst('workload')
            ? `the workload ${workload}${reason === 'unknown_workload' ? ', which is no consumer' : ''}`
            : beside('workload'),
        ]),
    ...(token === null ? [] : isFirst('token') ? tokenWords(token, reason) : [unusedToken(token, takes, beside)]),
  ];
}

function tokenWords({ issuer, owner }: TokenStory, reason: string): string[] {
  const of = `a token of ${issuer}`;
  if (owner!.holds === null) return [`${of}; its claim ${owner!.claim} is missing, or no string`];
  const whose = `${owner!.claim} is ${inBrief(owner!.holds)}`;
  return [reason === 'unknown_subject' ? `${of}, whose ${whose}: no consumer lists that` : `${of}, whose ${whose}`];
}

function unusedToken(
  { isVerified, issuer, iss, isForUs }: TokenStory,
  takes: CredentialStory['takes'],
  beside: (kind: 'token') => string,
): string {
  if (!isVerified) return 'the token in authorization is not verified here: --token-claims gives what it says';
  if (!takes.includes('token')) return beside('token');
  if (issuer === null)
    return iss === null
      ? 'the token has no issuer (iss)'
      : `the token's issuer ${inBrief(iss)} is none of the policy's`;
  return isForUs ? beside('token') : `the token of ${issuer} is for another audience (aud)`;
}

export function addressWords({ address, from, entry, refusedBy }: AddressStory, { consumer, key }: Story): string {
  const place = from === 'connection' ? 'the connection says' : `entry ${entry} of x-forwarded-for, from the right`;
  const found = address === null ? `not known: there is no address as ${place}` : `${address}, ${place}`;
  return `${found}${outside(refusedBy, consumer, key)}`;
}

function outside(refusedBy: AddressStory['refusedBy'], consumer: string | null, key: Story['key']): string {
  if (refusedBy === null) return '';
  return refusedBy === 'key'
    ? `; the key ${key?.id} may not be used from there`
    : `; ${consumer} may not call from there`;
}

export function originWords({ origin, consumer }: Story): string[] {
  if (origin === null) return [];
  const { header, isListed } = origin;
  const says = header === null ? 'neither origin nor referer is there' : `${header} says from which page`;
  return [
    isListed ? `${says}; ${consumer} may be called from it` : `${says}; ${consumer} may not be called from there`,
  ];
}

export function visitorWords({ by, header, block, isTold }: VisitorStory): string {
  if (by === 'header')
    return isTold
      ? `without a key, counted by the value of ${header}`
      : `without a key; ${header} must be there once, with 1 to 256 bytes: counted with all others without it`;
  return isTold
    ? `without a key, counted with all of ${block}`
    : 'without a key, counted with all others whose address is not known';
}

const PER_WORDS: Readonly<Record<ConcurrencyPer, string>> = {
  consumer: 'for the consumer',
  api: 'for the consumer on this API',
  operation: 'for the consumer on this operation',
  key: 'for the key',
  group: "for the consumer's group",
  address: 'for the consumer at this address',
};

export function concurrencyWords({ limit, per }: ConcurrencyStory, isVisitor: boolean): string {
  return `at most ${grouped(limit)} at once, counted ${isVisitor ? 'for the caller' : perWords(per)}`;
}

export function perWords(per: string): string {
  return PER_WORDS[per as ConcurrencyPer];
}
