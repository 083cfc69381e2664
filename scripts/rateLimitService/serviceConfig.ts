import { CORE_SCHEMA, dump, load } from 'js-yaml';
import { domainOf, MAX_MESH_LIMIT, type Policy } from '../policy/index.ts';

/**
 * The configuration of envoyproxy/ratelimit, as far as we need it. The module asks with the entries window, quota and consumer, in this
 * order; callers without a key have no consumer. An entry without a value is for every value, so the service counts whatever quota it
 * is asked about, and only has to know how long each window is. Its limit is the highest that it can hold: it counts, and the
 * module refuses by the limit of the consumer's plan. So no edit of plans, quotas or consumers changes this configuration.
 */
export interface ServiceConfig {
  readonly domain: string;
  readonly descriptors: readonly Descriptor[];
}

interface Descriptor {
  readonly key: string;
  readonly value?: string;
  readonly rate_limit?: { readonly unit: string; readonly requests_per_unit: number };
  readonly descriptors?: readonly Descriptor[];
}

/** The service's names for the windows of the policy that have others; `month` is the calendar's where the service was told so. */
const UNITS: Readonly<Record<string, string>> = { '7d': 'week', '30d': 'month', '365d': 'year' };

/** Null for a policy without mesh-wide quotas. */
export function serviceConfigOf(policy: Policy): ServiceConfig | null {
  if (!hasMeshQuotas(policy)) return null;
  const month = policy.rateLimitService?.calendarMonths ? 'month' : '30d';
  const windows = ['second', 'minute', 'hour', 'day', '7d', month, '365d'];
  return { domain: domainOf(policy), descriptors: windows.map(countersOf) };
}

/** Entries at the top that modules asked with when the service counted by plan. */
const FORMER_KEYS = ['plan', 'observed', 'api'];

/** What modules that count by plan ask for, as far as a former configuration holds it: they find their counters beside those of the config. */
export function withFormer(config: ServiceConfig, text: string | undefined): ServiceConfig {
  const { domain, descriptors } = readConfig(text);
  if (domain !== config.domain || !Array.isArray(descriptors)) return config;
  return { ...config, descriptors: [...config.descriptors, ...(descriptors as Descriptor[]).filter(isFormer)] };
}

/** Nothing where it is none. */
function readConfig(text: string | undefined): { readonly domain?: unknown; readonly descriptors?: unknown } {
  try {
    return (load(text ?? '', { schema: CORE_SCHEMA }) as object | null) ?? {};
  } catch {
    return {};
  }
}

/** True for what only modules ask for that count by plan. */
export function isFormer(descriptor: Descriptor): boolean {
  return FORMER_KEYS.includes(descriptor?.key);
}

/** All strings are quoted, as in every resource of ours. */
export function serviceConfigText(config: ServiceConfig, policy: string): string {
  const header = `# Configuration of the rate limit service for the policy "${policy}". It counts; the limits are the policy's.`;
  return `${header}\n${dump(config, { forceQuotes: true, quoteStyle: 'double', lineWidth: -1, noRefs: true })}`;
}

function countersOf(window: string): Descriptor {
  const rate_limit = { unit: UNITS[window] ?? window, requests_per_unit: MAX_MESH_LIMIT };
  return {
    key: 'window',
    value: window,
    descriptors: [{ key: 'quota', rate_limit, descriptors: [{ key: 'consumer', rate_limit }] }],
  };
}

function hasMeshQuotas({ plans, apis }: Policy): boolean {
  const operations = Object.values(apis).flatMap(({ operations = {} }) => Object.values(operations));
  return [...Object.values(plans), ...operations].some(({ quotas = {} }) =>
    Object.values(quotas).some(({ scope }) => scope === 'mesh'),
  );
}
