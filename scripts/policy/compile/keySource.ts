import type { ApiConfig, KeySourceConfig, PluginConfig } from '../../contract/pluginConfig.ts';
import { spellingsOf } from '../schema/header.ts';
import { headerOfSource, NO_SCHEME } from '../schema/keySource.ts';
import type { Api, Policy } from '../schema/policy.ts';

/** What an API says of keys, where that is not what the policy says. */
export function compileKeyFields(api: Api, policy: Policy): Pick<ApiConfig, 'keySources' | 'forwardKey'> {
  const { keySources, forwardKey } = api;
  const isOwn =
    keySources !== undefined &&
    JSON.stringify(keySources.map(inOrder)) !== JSON.stringify(policy.keySources.map(inOrder));
  return {
    ...(isOwn && { keySources: keySources.map(inOrder) }),
    ...(forwardKey !== undefined && forwardKey !== policy.forwardKey && { forwardKey }),
  };
}

export function compileKeySources(policy: Policy): KeySourceConfig[] {
  return policy.keySources.map(inOrder);
}

/**
 * Headers that a routing table takes off every request, because the module leaves keys where they are: each key header in every spelling that
 * servers may read as it, sorted. Empty where the module takes keys off.
 */
export function headersRoutesRemove({
  keyRemoval,
  keySources = [],
}: Pick<Policy, 'keyRemoval'> & { readonly keySources?: Policy['keySources'] | undefined }): string[] {
  if (keyRemoval !== 'routes') return [];
  return [...new Set(keySources.flatMap(({ header }) => (header === undefined ? [] : spellingsOf(header))))].sort();
}

/** Fields in one order, whatever the order in the file. */
function inOrder({ header, prefix, ...rest }: Policy['keySources'][number]): KeySourceConfig {
  if (header === undefined) return rest as KeySourceConfig;
  return { header, ...(prefix !== undefined && { prefix }) };
}

/** Headers in which a page can send a key to an API. */
export function keyHeaders(api: Api, policy: Policy): string[] {
  const headers = (api.keySources ?? policy.keySources).map(headerOfSource);
  return [...new Set(headers)].filter((header) => header !== null && header !== 'cookie') as string[];
}

/** Where keys are looked for on an API. */
export function keySourcesOf({ keySources }: PluginConfig, api: ApiConfig | undefined): readonly KeySourceConfig[] {
  return api?.keySources ?? keySources;
}

/** What a caller sends to have a key in this place: headers, and a parameter of the query. */
export function placedKey(source: KeySourceConfig, key: string): { headers: [string, string][]; query: string | null } {
  if ('query' in source) return { headers: [], query: `${encodeURIComponent(source.query)}=${key}` };
  return { headers: [headerWith(source, key)], query: null };
}

function headerWith(source: Exclude<KeySourceConfig, { query: string }>, key: string): [string, string] {
  if ('header' in source) return [source.header, `${source.prefix ?? ''}${key}`];
  if ('cookie' in source) return ['cookie', `${source.cookie}=${key}`];
  if ('basic' in source) {
    const pair = source.basic === 'user' ? `${key}:` : `:${key}`;
    return ['authorization', `Basic ${Buffer.from(pair, 'latin1').toString('base64')}`];
  }
  return ['authorization', source.authorization === NO_SCHEME ? key : `${source.authorization} ${key}`];
}

/** A key source in words. */
export function sourceWords(source: KeySourceConfig): string {
  if ('query' in source) return `query parameter ${source.query}`;
  if ('cookie' in source) return `cookie ${source.cookie}`;
  if ('header' in source)
    return `header ${source.header}${source.prefix === undefined ? '' : ` behind ${JSON.stringify(source.prefix)}`}`;
  if ('basic' in source) return `header authorization, ${source.basic === 'user' ? 'user name' : 'password'} of Basic`;
  return `header authorization, ${source.authorization === NO_SCHEME ? 'without a scheme' : `scheme ${source.authorization}`}`;
}
