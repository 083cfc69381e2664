import type { AccessLogConfig, IdentityHeadersConfig, PluginConfig } from '../../contract/pluginConfig.ts';
import { beforeSeconds, FACTS, identityHeadersOf } from '../schema/disclosure.ts';
import type { Policy } from '../schema/policy.ts';

/** What others get to see of a decision, as far as it is not what they always do. */
export function compileDisclosure(
  policy: Policy,
): Pick<PluginConfig, 'accessLog' | 'identityHeaders' | 'rateLimitHeaders' | 'keyExpiryWarning'> {
  const { rateLimitHeaders, keyExpiryWarning: warning } = policy;
  const [accessLog, identityHeaders] = [compileAccessLog(policy), compileIdentity(policy)];
  return {
    ...(accessLog && { accessLog }),
    ...(identityHeaders && { identityHeaders }),
    ...(rateLimitHeaders !== 'standard' && { rateLimitHeaders }),
    ...(warning && { keyExpiryWarning: { header: warning.header, beforeSeconds: beforeSeconds(warning.before)! } }),
  };
}

function compileAccessLog({ accessLog: { line, fields } = {} }: Policy): AccessLogConfig | null {
  if (line !== false && fields === undefined) return null;
  return { ...(line === false && { line }), ...(fields && { fields }) };
}

/** Null where upstreams learn what they do anyway. */
function compileIdentity(policy: Policy): IdentityHeadersConfig | null {
  const [chosen, usual] = [headersOf(policy), headersOf({})];
  return JSON.stringify(chosen) === JSON.stringify(usual) ? null : chosen;
}

function headersOf(policy: Pick<Policy, 'identityHeaders'>): IdentityHeadersConfig {
  const headers = identityHeadersOf(policy);
  return Object.fromEntries(
    FACTS.flatMap((fact) => (headers[fact] === undefined ? [] : [[fact, headers[fact]] as const])),
  );
}
