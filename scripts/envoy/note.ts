import { grouped } from '../diff/difference.ts';
import { compilePolicy, type Policy } from '../policy/index.ts';
import type { RateLimitServiceAddress } from './policySnapshot.ts';

/** What serving the policy on this machine means, where that is not what its author may expect. */
export function notesOf(policy: Policy, rateLimitService: RateLimitServiceAddress | null): string[] {
  return [...upstreamNote(policy), ...rateLimitServiceNote(policy, rateLimitService)];
}

function upstreamNote({ upstreams, apis }: Policy): string[] {
  if (Object.keys(upstreams).length > 0 || Object.keys(apis).length === 0) return [];
  return [
    'the policy has no upstreams, so a request that it allows is answered with 404, "no route of the policy leads here"',
  ];
}

function rateLimitServiceNote(policy: Policy, rateLimitService: RateLimitServiceAddress | null): string[] {
  const modes = modesOf(policy);
  if (rateLimitService !== null)
    return policy.rateLimitService === undefined
      ? ['the policy has no rate limit service, so nothing asks the one of --rate-limit-service']
      : [];
  if (modes.length === 0) return [];
  return [
    `nobody counts for the whole mesh here (--rate-limit-service HOST:PORT names who does), so onUnavailable is in force: ${modes.join('; ')}`,
  ];
}

/** `deny for gold/per-hour, free/per-hour; local share of 500 for gold/monthly` */
function modesOf(policy: Policy): string[] {
  const modes = new Map<string, string[]>();
  for (const { name, quotas = [] } of compilePolicy(policy).plans) {
    for (const { name: quota, scope, onUnavailable, localShare } of quotas) {
      if (scope !== 'mesh') continue;
      const mode = localShare === undefined ? (onUnavailable ?? 'deny') : `local share of ${grouped(localShare)}`;
      modes.set(mode, [...(modes.get(mode) ?? []), `${name}/${quota}`]);
    }
  }
  return [...modes].map(([mode, quotas]) => `${mode} for ${quotas.join(', ')}`);
}
