import { type Documents, type Spot } from './documents.ts';
import { type Losses, quoted } from './loss.ts';

export type PlainFields = Readonly<Record<string, unknown>>;

export function isPlainFields(value: unknown): value is PlainFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What stands under a name of the mapping, if that is there. Documents may name things like JavaScript's own. */
export function member(value: unknown, name: string): unknown {
  return isPlainFields(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** A document and what could not be said of it so far: everything that reading takes. */
export interface Reading {
  readonly documents: Documents;
  readonly losses: Losses;
}

/** The place under a name, with nothing in it where there is nothing. */
export function below(spot: Spot, name: string | number): Spot {
  const value = typeof name === 'number' ? (spot.value as unknown[])[name] : member(spot.value, name);
  return { source: spot.source, pointer: [...spot.pointer, name], value };
}

export function lose({ losses }: Reading, { source, pointer }: Spot, rule: string): void {
  losses.add(source.name, pointer, rule);
}

/** Every member of a mapping; where something else stands, that is lost. */
export function members(reading: Reading, spot: Spot): Spot[] {
  if (spot.value === undefined || spot.value === null) return [];
  if (isPlainFields(spot.value)) return Object.keys(spot.value).map((name) => below(spot, name));
  lose(reading, spot, `must be a mapping; found ${quoted(spot.value)}`);
  return [];
}

/** Every item of a list; where something else stands, that is lost. */
export function items(reading: Reading, spot: Spot): Spot[] {
  if (spot.value === undefined || spot.value === null) return [];
  if (Array.isArray(spot.value)) return spot.value.map((_, index) => below(spot, index));
  lose(reading, spot, `must be a list; found ${quoted(spot.value)}`);
  return [];
}

/** A string; undefined where there is none, and where something else stands, that is lost. */
export function stringAt(reading: Reading, spot: Spot): string | undefined {
  if (typeof spot.value === 'string') return spot.value;
  if (spot.value !== undefined && spot.value !== null)
    lose(reading, spot, `must be a string; found ${quoted(spot.value)}`);
  return undefined;
}
