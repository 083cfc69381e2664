import type { Policy, Quota } from '../policy/index.ts';

/**
 * Limits that consumers have for a quota of the mesh in place of the plan's: by consumer, under null; or under each API, for
 * a quota that counts them apart. `check` has seen to it that one limit is meant where APIs are counted together.
 */
export function ownLimits(
  policy: Policy,
  plan: string,
  name: string,
  quota: Quota,
): Map<string | null, Map<string, number>> {
  const limits = new Map<string | null, Map<string, number>>();
  for (const [consumer, { subscriptions }] of Object.entries(policy.consumers)) {
    for (const [api, subscription] of Object.entries(subscriptions)) {
      const limit = subscription.limits?.[name];
      if (subscription.plan !== plan || limit === undefined || limit === quota.limit) continue;
      const place = quota.per === 'api' ? api : null;
      limits.set(place, (limits.get(place) ?? new Map<string, number>()).set(consumer, limit));
    }
  }
  return limits;
}
