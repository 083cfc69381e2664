import { MAX_COST } from '../contract/table.ts';
import { NAME } from '../policy/schema/value.ts';
import type { Spot } from './documents.ts';
import { quoted } from './loss.ts';
import { below, isPlainFields, lose, type Reading } from './spot.ts';

/** Fields that documents may carry for Tollgate: on an operation, or for all operations of a path item or the document. */
export const PLAN = 'x-tollgate-plan';
export const COST = 'x-tollgate-cost';
export const QUOTAS = 'x-tollgate-quotas';

/** The innermost place that has the field. */
export function innermost(name: string, ...places: readonly Spot[]): Spot | null {
  return places.map((place) => below(place, name)).find(({ value }) => value !== undefined) ?? null;
}

/** Names of plans, of which a string is one; null, reported, where something else stands. */
export function plansAt(reading: Reading, spot: Spot): string[] | null {
  const list: unknown[] = Array.isArray(spot.value) ? spot.value : [spot.value];
  const names = list.filter((name): name is string => typeof name === 'string' && NAME.test(name));
  if (names.length === list.length && names.length > 0) return [...new Set(names)];
  lose(reading, spot, `must be a plan's name or a list of them; found ${quoted(spot.value)}`);
  return null;
}

/** Units of a request; undefined, reported, where something else stands. */
export function costAt(reading: Reading, spot: Spot): number | undefined {
  const { value } = spot;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_COST) return value;
  lose(reading, spot, `must be a whole number from 0 to ${MAX_COST}; found ${quoted(value)}`);
  return undefined;
}

/** Quotas by name, unchecked; undefined, reported, where something else stands. */
export function quotasAt(reading: Reading, spot: Spot): Readonly<Record<string, unknown>> | undefined {
  if (isPlainFields(spot.value)) return Object.keys(spot.value).length > 0 ? spot.value : undefined;
  lose(reading, spot, `must be quotas by name; found ${quoted(spot.value)}`);
  return undefined;
}
