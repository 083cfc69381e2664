import { currentModule } from '../../scripts/build/module.ts';
import { pluginConfig } from '../../harness/config.ts';
import { CONSUMERS, ENDLESS, KEY, ROUTED } from '../identity.ts';
import type { Variant } from '../variant.ts';
import { DOMAIN } from './service.ts';
import { ROUTES } from './tollgate.ts';

/** Quotas by name, with the unit in which the rate limit service counts them. */
const QUOTAS = [
  { name: 'hourly', window: 'hour', unit: 'hour' },
  { name: 'daily', window: 'day', unit: 'day' },
  { name: 'thirty-days', window: '30d', unit: 'month' },
] as const;

/** Tollgate with mesh-wide quotas: it leases units from the service, and hardly any request waits. */
export const mesh: readonly Variant[] = [
  {
    name: 'tollgate-mesh',
    title: 'Tollgate: key, 3 mesh-wide quotas, route',
    family: 'tollgate',
    status: ROUTED,
    key: KEY,
    services: ['ratelimit'],
    proof: 'ratelimit',
    descriptors: QUOTAS.map(({ window, unit }) => ({
      key: 'window',
      value: window,
      descriptors: [
        { key: 'quota', descriptors: [{ key: 'consumer', rate_limit: { unit, requests_per_unit: ENDLESS } }] },
      ],
    })),
    module: async () => (await currentModule()).path,
    configuration: () =>
      JSON.stringify({
        ...pluginConfig(quotas(), { policy: 'tollgate-mesh', consumers: CONSUMERS, routes: ROUTES }),
        rateLimitService: RATE_LIMIT_SERVICE,
      }),
  },
];

const RATE_LIMIT_SERVICE = { cluster: 'ratelimit', domain: DOMAIN, timeoutMilliseconds: 50 };

function quotas(): { name: string; limit: number; window: string; scope: 'mesh' }[] {
  return QUOTAS.map(({ name, window }) => ({ name, limit: ENDLESS, window, scope: 'mesh' }));
}
