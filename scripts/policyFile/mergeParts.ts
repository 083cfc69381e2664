import { isDeepStrictEqual } from 'node:util';
import type { FieldChange } from './fields.ts';
import type { Fields } from './record.ts';
import { keyMark, markOf, type Marks, marksOf, type Named } from './partsRecord.ts';

/** What becomes of the entries of one section of a policy. */
export interface MergedSection {
  readonly added: readonly (readonly [name: string, fields: Fields])[];
  readonly changed: readonly { readonly name: string; readonly changes: readonly FieldChange[] }[];
  readonly removed: readonly string[];
  readonly kept: readonly { readonly name: string; readonly rule: string }[];
}

export interface SectionSides {
  /** What the last import read; null: nobody knows. */
  readonly base: Readonly<Record<string, Marks>> | null;
  readonly document: Named;
  /** As it is written there. */
  readonly policy: Readonly<Record<string, Fields | null>>;
}

/** A field follows the document where only that changed, and stays as it is everywhere else. */
export function mergedSection({ base, document, policy }: SectionSides): MergedSection {
  const added: [string, Fields][] = [];
  const changed: { name: string; changes: readonly FieldChange[] }[] = [];
  const removed: string[] = [];
  const kept: { name: string; rule: string }[] = [];
  for (const [name, fields] of Object.entries(document)) {
    const was = memberOf(base, name);
    if (!Object.hasOwn(policy, name)) {
      if (was === undefined) added.push([name, fields]);
      else if (!isDeepStrictEqual(was, marksOf(fields)))
        kept.push({ name, rule: 'changed in the document, but was taken out of the policy; it stays out' });
      continue;
    }
    const { changes, own } = mergedFields(was ?? null, fields, policy[name] ?? {});
    if (changes.length > 0) changed.push({ name, changes });
    if (own.length > 0) {
      const quoted = own.map((field) => `"${field}"`).join(', ');
      kept.push({ name, rule: `has ${quoted} of its own; the document says something else` });
    }
  }
  for (const [name, was] of Object.entries(base ?? {})) {
    if (Object.hasOwn(document, name) || !Object.hasOwn(policy, name)) continue;
    if (isDeepStrictEqual(was, marksOf(policy[name] ?? {}))) removed.push(name);
    else kept.push({ name, rule: 'is no longer in the document, but was edited here; it stays' });
  }
  return { added, changed, removed, kept };
}

function mergedFields(was: Marks | null, document: Fields, policy: Fields): { changes: FieldChange[]; own: string[] } {
  const changes: FieldChange[] = [];
  const own: string[] = [];
  for (const field of new Set([...Object.keys(document), ...Object.keys(was ?? {})])) {
    if (field === 'keys') {
      const keys = mergedKeys(was?.['keys'], document['keys'], policy['keys']);
      if (keys !== null) changes.push({ field, value: keys.length > 0 ? keys : undefined });
      continue;
    }
    const [is, here] = [document[field], policy[field]].map((value) =>
      value === undefined ? undefined : markOf(value),
    );
    if (is === here) continue;
    if (was === null) own.push(field);
    else if (was[field] === is) continue;
    else if (was[field] === here) changes.push({ field, value: document[field] });
    else own.push(field);
  }
  return { changes, own };
}

/** Keys come and go one by one: those of the document beside those that were issued here. Null: nothing changes. */
function mergedKeys(was: string | readonly string[] | undefined, document: unknown, policy: unknown): unknown[] | null {
  const before = new Set(Array.isArray(was) ? (was as readonly string[]) : []);
  const wanted = new Map(listOf(document).map((key) => [keyMark(key), key]));
  const here = listOf(policy);
  const present = new Set(here.map(keyMark));
  const stay = here.filter((key) => wanted.has(keyMark(key)) || !before.has(keyMark(key)));
  // what was taken out by hand stays out
  const more = [...wanted].filter(([mark]) => !present.has(mark) && !before.has(mark)).map(([, key]) => key);
  return more.length === 0 && stay.length === here.length ? null : [...stay, ...more];
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function memberOf<T>(record: Readonly<Record<string, T>> | null, name: string): T | undefined {
  return record !== null && Object.hasOwn(record, name) ? record[name] : undefined;
}
