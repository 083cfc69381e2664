import { currentModule } from '../../scripts/build/module.ts';
import { keyOf, pluginConfig, type Quota } from '../../harness/config.ts';
import { CONSUMERS, ENDLESS, KEY, ROUTED, WRONG_KEY } from '../identity.ts';
import type { Variant } from '../variant.ts';

const ONE: readonly Quota[] = [{ name: 'hourly', limit: ENDLESS, window: 'hour' }];
const THREE: readonly Quota[] = [
  ...ONE,
  { name: 'daily', limit: ENDLESS, window: 'day' },
  { name: 'monthly', limit: ENDLESS, window: 'month' },
];
export const ROUTES = [{ name: 'v2', headers: [{ name: 'x-api-version', exact: '2' }] }];

/** Tollgate, from a key alone to everything that it does, and by number of consumers. */
export const tollgate: readonly Variant[] = [
  { ...gate('tollgate-key', 'Tollgate: key', {}) },
  { ...gate('tollgate-quota', 'Tollgate: key, 1 quota', { quotas: ONE }), proof: 'ratelimit' },
  ...[10, 1000, 100_000].map((consumers) =>
    full(
      `tollgate-full-${consumers}`,
      `Tollgate: key, 3 quotas, route, ${thousands(consumers)} consumers`,
      consumers,
      keyOf(consumers / 2),
    ),
  ),
  full('tollgate-first', 'Tollgate: the same, first of 10,000 consumers', 10_000, keyOf(0)),
  full('tollgate-last', 'Tollgate: the same, last of 10,000 consumers', 10_000, keyOf(9999)),
  {
    ...gate('tollgate-wrong-key', 'Tollgate: wrong key (401)', { quotas: THREE, routes: ROUTES }),
    key: WRONG_KEY,
    status: 401,
    proof: 'www-authenticate',
  },
];

interface Policy {
  quotas?: readonly Quota[];
  routes?: object[];
  consumers?: number;
}

function full(name: string, title: string, consumers: number, key: string): Variant {
  return {
    ...gate(name, title, { quotas: THREE, routes: ROUTES, consumers }),
    key,
    status: ROUTED,
    proof: 'ratelimit',
  };
}

function gate(name: string, title: string, { quotas = [], routes = [], consumers = CONSUMERS }: Policy): Variant {
  return {
    name,
    title,
    family: 'tollgate',
    status: 200,
    key: KEY,
    services: [],
    module: async () => (await currentModule()).path,
    configuration: () => JSON.stringify(pluginConfig([...quotas], { policy: name, consumers, routes })),
  };
}

function thousands(count: number): string {
  return count.toLocaleString('en-US');
}
