import { dump } from 'js-yaml';
import {
  domainOf,
  encodedConsumer,
  Holdings,
  limitOf,
  Modes,
  operationName,
  orderedPolicy,
  sameWindow,
  type Api,
  type Mode,
  type Policy,
  type Quota,
} from '../policy/index.ts';

/**
 * The configuration of envoyproxy/ratelimit, as far as we need it. The module asks with the entries plan, quota, api (of
 * a quota `per: api` only) and consumer, in this order; for an operation's own quota with api, operation, quota and
 * consumer, which callers without a key leave out. The service walks down the same tree. An entry without a
 * value is for every value that has no entry of its own beside it; the service never goes back from an entry that it
 * took. What is only observed is counted apart, under `observed` in the place of `plan`: it takes nothing from what is in force.
 */
export interface ServiceConfig {
  readonly domain: string;
  readonly descriptors: readonly Descriptor[];
}

interface Descriptor {
  readonly key: 'plan' | 'observed' | 'quota' | 'api' | 'operation' | 'consumer';
  readonly value?: string;
  readonly rate_limit?: { readonly unit: string; readonly requests_per_unit: number };
  readonly descriptors?: readonly Descriptor[];
}

/** Null for a policy without mesh-wide quotas. The same policy gives the same bytes, in whatever order it is written. */
export function serviceConfigOf(written: Policy): ServiceConfig | null {
  const policy = orderedPolicy(written);
  const held = { policy, holdings: new Holdings(policy) };
  const modes = new Modes(policy);
  const descriptors = [
    ...plansOf(held, 'plan', () => true),
    ...plansOf(held, 'observed', (quota, plan) => modes.observing(quota, plan).length > 0),
    ...Object.entries(policy.apis).flatMap(([name, api]) => operationsOf(name, api, modes.ofApi(name))),
  ];
  return descriptors.length === 0 ? null : { domain: domainOf(policy), descriptors };
}

/** All strings are quoted, as in every resource of ours: a plan may be called `no`, a consumer `1e3`. */
export function serviceConfigText(config: ServiceConfig, policy: string): string {
  const header = `# Configuration of the rate limit service for the policy "${policy}". Edit the policy instead.`;
  return `${header}\n${dump(config, { forceQuotes: true, quoteStyle: 'double', lineWidth: -1, noRefs: true })}`;
}

/** The plans' quotas, as far as they are wanted. Those in force stand there too where all are observed: a mode may change before this does. */
function plansOf(
  held: Held,
  key: 'plan' | 'observed',
  isWanted: (quota: string, plan: string) => boolean,
): Descriptor[] {
  return Object.entries(held.policy.plans).flatMap(([plan, { quotas }]): Descriptor[] => {
    const mesh = Object.entries(quotas).filter(([name, { scope }]) => scope === 'mesh' && isWanted(name, plan));
    if (mesh.length === 0) return [];
    return [
      {
        key,
        value: plan,
        descriptors: mesh.map(([name, quota]) => ({
          key: 'quota',
          value: name,
          descriptors: countersOf(held, plan, name, quota),
        })),
      },
    ];
  });
}

/** Nothing for an API of which no operation has a mesh-wide quota. */
function operationsOf(api: string, { operations = {} }: Api, mode: Mode): Descriptor[] {
  const descriptors = Object.entries(operations).flatMap(([key, { name, quotas = {} }]): Descriptor[] => {
    const mesh = Object.entries(quotas).filter(([, { scope }]) => scope === 'mesh');
    const observed = mesh.filter(([, quota]) => (quota.mode ?? mode) === 'observe');
    return (
      [
        ['operation', mesh],
        ['observed', observed],
      ] as const
    ).flatMap(([kind, counted]) =>
      counted.length === 0
        ? []
        : [{ key: kind, value: operationName(key, name), descriptors: counted.map(ownCounters) }],
    );
  });
  return descriptors.length === 0 ? [] : [{ key: 'api', value: api, descriptors }];
}

/** One of callers without a key, and below it one of each consumer. */
function ownCounters([name, quota]: readonly [string, Counted]): Descriptor {
  return {
    key: 'quota',
    value: name,
    rate_limit: { unit: unitOf(quota), requests_per_unit: quota.limit },
    descriptors: consumersOf(quota),
  };
}

interface Held {
  readonly policy: Policy;
  readonly holdings: Holdings;
}

function countersOf(held: Held, plan: string, name: string, quota: Quota): Descriptor[] {
  const own = ownLimits(held, plan, name, quota);
  if (quota.per === 'consumer') return consumersOf(quota, own.get(null));
  const apis = [...own].map(([api, limits]): Descriptor => ({
    key: 'api',
    value: api!,
    descriptors: consumersOf(quota, limits),
  }));
  return [{ key: 'api', descriptors: consumersOf(quota) }, ...apis];
}

/**
 * Limits that consumers have for a mesh-wide quota in place of the plan's: by consumer, under null; or under each API,
 * for a quota that counts them apart. Where APIs are counted together, `check` has made sure that they have the same
 * limit.
 */
function ownLimits(
  { policy, holdings }: Held,
  plan: string,
  name: string,
  quota: Quota,
): Map<string | null, Map<string, number>> {
  const limits = new Map<string | null, Map<string, number>>();
  for (const [consumer, holder] of Object.entries(policy.consumers)) {
    for (const api of Object.keys(holder.subscriptions)) {
      const holding = holdings.on(holder, api);
      if (holding?.plan !== plan || limitOf(holding, name, quota.limit) === quota.limit) continue;
      const place = quota.per === 'api' ? api : null;
      const own = limits.get(place) ?? new Map<string, number>();
      limits.set(place, own.set(consumer, limitOf(holding, name, quota.limit)));
    }
  }
  return limits;
}

type Counted = Pick<Quota, 'limit' | 'window'>;

/** Every consumer has the plan's limit, but those with one of their own. */
function consumersOf(quota: Counted, own: ReadonlyMap<string, number> = new Map()): Descriptor[] {
  const limited = (limit: number): Descriptor['rate_limit'] => ({ unit: unitOf(quota), requests_per_unit: limit });
  return [
    { key: 'consumer', rate_limit: limited(quota.limit)! },
    ...[...own].map(([consumer, limit]): Descriptor => ({
      key: 'consumer',
      value: encodedConsumer(consumer),
      rate_limit: limited(limit)!,
    })),
  ];
}

const UNITS: Readonly<Record<string, string>> = { '7d': 'week', '30d': 'month', '365d': 'year' };

/** The service knows fixed lengths by these names; `month` is the calendar's where the service was told so. */
function unitOf({ window }: Pick<Quota, 'window'>): string {
  const same = sameWindow(window);
  return UNITS[same] ?? same;
}
