import { MAX_COST } from '../contract/table.ts';
import { epochSeconds, NAME } from '../policy/schema/value.ts';
import type { Spot } from './documents.ts';
import { quoted } from './loss.ts';
import { below, isPlainFields, lose, type Reading } from './spot.ts';

/** Fields that documents may carry for Tollgate: on an operation, or for all operations of a path item or the document. */
export const PLAN = 'x-tollgate-plan';
export const COST = 'x-tollgate-cost';
export const QUOTAS = 'x-tollgate-quotas';
/** Of deprecated operations: since when, or all that a policy says of it. */
export const DEPRECATED = 'x-tollgate-deprecated';
export const SUNSET = 'x-tollgate-sunset';

/** The date of what is deprecated, where nobody says since when. */
export const ALWAYS = '1970-01-01T00:00:00Z';

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

/** A date or a time, as a policy writes it; undefined, reported, where something else stands. */
export function timeAt(reading: Reading, spot: Spot): string | undefined {
  const text = typeof spot.value === 'string' ? spot.value : '';
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text.replace(/\.\d+(?=Z|[+-])/, '');
  if (epochSeconds(time) !== null) return time;
  lose(reading, spot, `must be a date or a time; found ${quoted(spot.value)}`);
  return undefined;
}

/** What a policy says of what is deprecated: a date, or a mapping in which dates are checked and the rest is not. */
export function detailsAt(reading: Reading, spot: Spot): Readonly<Record<string, unknown>> {
  if (!isPlainFields(spot.value)) {
    const since = timeAt(reading, spot);
    return since === undefined ? {} : { since };
  }
  const fields: Record<string, unknown> = { ...spot.value };
  for (const name of ['since', 'sunset']) {
    if (fields[name] === undefined) continue;
    const time = timeAt(reading, below(spot, name));
    if (time === undefined) delete fields[name];
    else fields[name] = time;
  }
  return fields;
}
