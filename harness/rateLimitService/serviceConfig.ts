import type { Rule } from './rateLimitServiceModel.ts';

/** The configuration of envoyproxy/ratelimit for these rules: plan, quota, then each consumer. Written as JSON, which is YAML. */
export function serviceConfigOf(domain: string, rules: readonly Rule[]): string {
  const descriptors = [false, true].flatMap((isObserved) => {
    const counted = rules.filter((rule) => (rule.isObserved ?? false) === isObserved);
    const plans = [...new Set(counted.map(({ plan }) => plan))];
    return plans.map((plan) => ({
      key: isObserved ? 'observed' : 'plan',
      value: plan,
      descriptors: counted.filter((rule) => rule.plan === plan).map(quotaOf),
    }));
  });
  return JSON.stringify({ domain, descriptors }, null, 2);
}

function quotaOf(rule: Rule): object {
  const limitOf = (requests_per_unit: number): object => ({ unit: rule.unit, requests_per_unit });
  const consumers = [
    { key: 'consumer', rate_limit: limitOf(rule.limit) },
    ...Object.entries(rule.consumers ?? {}).map(([value, limit]) => ({
      key: 'consumer',
      value,
      rate_limit: limitOf(limit),
    })),
  ];
  return {
    key: 'quota',
    value: rule.quota,
    descriptors: rule.perApi ? [{ key: 'api', descriptors: consumers }] : consumers,
  };
}
