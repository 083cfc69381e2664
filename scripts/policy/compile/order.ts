import type { PluginConfig } from '../../contract/pluginConfig.ts';
import type { Window } from '../../contract/pluginConfig.ts';
import type { Policy } from '../schema/policy.ts';

/** Lists whose order decides: the first key source that holds a key, and the first route whose conditions hold. All others are sets. */
export const ORDERED_LISTS: ReadonlySet<string> = new Set(['keySources', 'routes']);

/** What an item of a set is known by; items without any of these by all that they hold. */
const IDENTITIES = ['name', 'api', 'quota', 'id'] as const;
/** Quotas stand from the shortest window to the longest: answers name them so, and the shortest is asked first. */
const WINDOW_RANKS: Readonly<Record<Window, number>> = {
  second: 0,
  minute: 1,
  hour: 2,
  day: 3,
  week: 4,
  '7d': 4,
  month: 5,
  '30d': 5,
};

/**
 * The same config for policies that differ in order only where order means nothing, so that bytes differ only where the
 * meaning does. Fields of an object stay where they are.
 */
export function orderedConfig(config: PluginConfig): PluginConfig {
  return ordered(config, '', false) as PluginConfig;
}

/** The same for a policy, by names in its mappings too. The first upstream has a meaning: unmatched requests go there. */
export function orderedPolicy(policy: Policy): Policy {
  const { upstreams, ...rest } = ordered(policy, '', true) as Policy;
  const [first] = Object.keys(policy.upstreams);
  return { ...rest, upstreams: first === undefined ? {} : { [first]: upstreams[first]!, ...upstreams } };
}

/** True when both mean the same: fields in any order, as Kubernetes prints its own, and sets too. */
export function isSameInAnyOrder(a: unknown, b: unknown): boolean {
  return textOf(a) === textOf(b);
}

function textOf(value: unknown): string | undefined {
  return JSON.stringify(ordered(value, '', true));
}

function ordered(value: unknown, field: string, sortsFields: boolean): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => ordered(item, '', sortsFields));
    return ORDERED_LISTS.has(field) ? items : set(items);
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, member]): [string, unknown] => [
    name,
    ordered(member, name, sortsFields),
  ]);
  if (sortsFields) entries.sort(([a], [b]) => compare(a, b));
  return Object.fromEntries(entries);
}

/** Sorted by what each is known by, and a plain value once. */
function set(items: readonly unknown[]): unknown[] {
  const known = items.map((item): [unknown, unknown] => [identityOf(item), item]).sort(([a], [b]) => compare(a, b));
  return known
    .filter(([identity, item], index) => index === 0 || typeof item === 'object' || known[index - 1]![0] !== identity)
    .map(([, item]) => item);
}

function identityOf(item: unknown): unknown {
  if (typeof item !== 'object' || item === null) return item;
  const fields = item as Record<string, unknown>;
  const field = IDENTITIES.find((name) => typeof fields[name] === 'string');
  if (field === undefined) return textOf(item);
  const rank = typeof fields['window'] === 'string' ? `${WINDOW_RANKS[fields['window'] as Window] ?? ''} ` : '';
  return rank + (fields[field] as string);
}

/** By code units, the same on every machine; numbers by size. */
function compare(a: unknown, b: unknown): number {
  return a === b ? 0 : (a as string) < (b as string) ? -1 : 1;
}
