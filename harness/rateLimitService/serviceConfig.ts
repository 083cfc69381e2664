import { MAX_LIMIT, UNITS, type Rule } from './rateLimitServiceModel.ts';

/** The configuration of envoyproxy/ratelimit for these rules: window, quota, then each consumer. Written as JSON, which is YAML. */
export function serviceConfigOf(domain: string, rules: readonly Rule[]): string {
  const windows = [...new Set(rules.map(({ window }) => window))];
  const descriptors = windows.map((value) => ({
    key: 'window',
    value,
    descriptors: rules.filter(({ window }) => window === value).map(quotaOf),
  }));
  return JSON.stringify({ domain, descriptors }, null, 2);
}

function quotaOf({ window, quota, limit = MAX_LIMIT, consumers = {} }: Rule): object {
  const limited = (requests_per_unit: number): object => ({ rate_limit: { unit: UNITS[window], requests_per_unit } });
  return {
    key: 'quota',
    // the service has no pattern for the name of any API: without a value it stands for every quota that has no entry of its own
    ...(quota.includes('*') ? {} : { value: quota }),
    ...limited(limit),
    descriptors: [
      { key: 'consumer', ...limited(limit) },
      ...Object.entries(consumers).map(([value, own]) => ({ key: 'consumer', value, ...limited(own) })),
    ],
  };
}
