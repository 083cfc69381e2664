import type { ConsumerConfig, PluginConfig } from '../../contract/pluginConfig.ts';
import { CONSUMER_CLAIM } from '../../contract/table.ts';
import type { Api, Consumer, Policy } from '../schema/policy.ts';

/** What the module must know of tokens: not the keys, with which Envoy verifies them. */
export function compileTokens({ tokens = {} }: Policy): Pick<PluginConfig, 'tokens'> {
  const issuers = Object.entries(tokens).map(([name, { issuer, audiences, consumer, plan, scopes, forward }]) => ({
    name,
    issuer,
    ...(audiences && { audiences }),
    ...(consumer !== undefined && consumer !== CONSUMER_CLAIM && { consumer }),
    ...(plan !== undefined && { plan }),
    ...(scopes !== undefined && { scopes }),
    ...(forward === true && { forward }),
  }));
  return issuers.length > 0 ? { tokens: issuers } : {};
}

export function compileSubjects({ tokens = {} }: Consumer): Pick<ConsumerConfig, 'tokens'> {
  const subjects = Object.entries(tokens).map(([issuer, owners]) => ({ issuer, subjects: owners }));
  return subjects.length > 0 ? { tokens: subjects } : {};
}

/** Headers in which a page can send a token. */
export function tokenHeaders({ credentials = [] }: Api): string[] {
  return credentials.includes('token') ? ['authorization'] : [];
}

/** True when some API takes tokens, so that something in front of the module has to verify them. */
export function takesTokens({ apis }: Pick<PluginConfig, 'apis'>): boolean {
  return apis.some(({ credentials = [] }) => credentials.includes('token'));
}
