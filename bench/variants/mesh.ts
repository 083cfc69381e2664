import { currentModule } from '../../scripts/module.ts';
import { pluginConfig } from '../../tests/host/config.ts';
import { CONSUMERS, ENDLESS, KEY } from '../identity.ts';
import type { Variant } from '../variant.ts';
import { DOMAIN } from './service.ts';

const QUOTA = { name: 'shared', limit: ENDLESS, window: 'hour', scope: 'mesh' };
const LEDGER = { cluster: 'ratelimit', domain: DOMAIN, timeoutMilliseconds: 50 };
const COUNTED = { key: 'consumer', rate_limit: { unit: 'hour', requests_per_unit: ENDLESS } };

/** A quota that the rate limit service counts for all Envoys, leased ahead instead of asked for with each request. */
export const mesh: readonly Variant[] = [
  {
    name: 'tollgate-mesh', title: 'Tollgate: key, 1 quota of the mesh (rate limit service, Redis)', family: 'tollgate', status: 200, key: KEY, services: ['ratelimit'],
    module: async () => (await currentModule()).path,
    configuration: () => JSON.stringify({ ...pluginConfig([QUOTA], { policy: 'tollgate-mesh', consumers: CONSUMERS }), ledger: LEDGER }),
    descriptors: [{ key: 'plan', value: 'free', descriptors: [{ key: 'quota', value: QUOTA.name, descriptors: [COUNTED] }] }],
    proof: 'ratelimit',
  },
];
