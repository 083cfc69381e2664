import { isDeepStrictEqual } from 'node:util';
import { compiledTemplate, readPattern } from '../policy/schema/operation.ts';
import type { FieldChange } from './fields.ts';
import type { Fields } from './record.ts';

/** What the document said at the last import, what it says now, and what stands in the policy. */
export interface Sides {
  /** Null: nobody knows. */
  readonly base: Fields | null;
  readonly document: Fields;
  readonly policy: Fields;
}

export interface Merged {
  readonly changes: readonly FieldChange[];
  /** Fields that changed in the document but were edited in the policy too; these stay. */
  readonly kept: readonly string[];
}

/** A field follows the document where only that changed, and stays as it is everywhere else. */
export function mergedFields({ base, document, policy }: Sides): Merged {
  const changes: FieldChange[] = [];
  const kept: string[] = [];
  for (const field of new Set([...Object.keys(document), ...Object.keys(base ?? {})])) {
    const [was, is, here] = [base?.[field], document[field], policy[field]];
    if (isSame(is, here)) continue;
    if (base === null) kept.push(field);
    else if (isSame(was, is)) continue;
    else if (isSame(was, here)) changes.push({ field, value: is });
    else kept.push(field);
  }
  return { changes, kept };
}

/** Order of fields means nothing. */
function isSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(sorted(a), sorted(b));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, sorted(field)]));
}

/** What becomes of the operations of an API. Keys are those of the policy, except for what is added. */
export interface MergedOperations {
  readonly added: readonly (readonly [key: string, fields: Fields])[];
  readonly changed: readonly { readonly key: string; readonly changes: readonly FieldChange[] }[];
  readonly removed: readonly string[];
  readonly kept: readonly Kept[];
}

/** An operation that is not as the document has it now, because somebody edited it. */
export interface Kept {
  readonly key: string;
  readonly rule: string;
}

type Operations = Readonly<Record<string, Fields>>;

/** The three sides again, for all operations of an API. */
export interface AllSides {
  readonly base: Operations | null;
  readonly document: Operations;
  readonly policy: Operations;
}

/** Operations are known by method and template, whatever their variables are called. */
export function mergedOperations({ base, document, policy }: AllSides): MergedOperations {
  const [before, here] = [base === null ? null : byClaim(base), byClaim(policy)];
  const now = byClaim(document);
  const added: [string, Fields][] = [];
  const changed: { key: string; changes: readonly FieldChange[] }[] = [];
  const removed: string[] = [];
  const kept: Kept[] = [];
  for (const [claim, { key, fields }] of now) {
    const old = before?.get(claim);
    const own = here.get(claim);
    if (own === undefined) {
      if (old === undefined) added.push([key, fields]);
      else if (!isSame(old.fields, fields))
        kept.push({ key, rule: 'changed in the document, but was taken out of the policy; it stays out' });
      continue;
    }
    if (own.isShared) {
      if (before !== null && (old === undefined || !isSame(old.fields, fields)))
        kept.push({
          key: own.key,
          rule: `stands for several operations, of which "${key}" changed in the document; it stays as it is`,
        });
      continue;
    }
    // without a base: one that was added by hand is not the document's to change
    const merged = mergedFields({ base: old?.fields ?? null, document: fields, policy: own.fields });
    if (merged.changes.length > 0) changed.push({ key: own.key, changes: merged.changes });
    if (merged.kept.length > 0)
      kept.push({
        key: own.key,
        rule: `has ${merged.kept.map((field) => `"${field}"`).join(', ')} of its own; the document says ${said(fields, merged.kept)}`,
      });
  }
  for (const [claim, { fields }] of before ?? []) {
    const own = here.get(claim);
    if (now.has(claim) || own === undefined) continue;
    if (!own.isShared && isSame(own.fields, fields)) removed.push(own.key);
    else kept.push({ key: own.key, rule: 'is no longer in the document, but was edited here; it stays' });
  }
  return { added, changed, removed, kept };
}

/** What the document says of these fields. */
export function said(fields: Fields, names: readonly string[]): string {
  const shown = JSON.stringify(
    Object.fromEntries(names.flatMap((name) => (name in fields ? [[name, fields[name]]] : []))),
  );
  return shown === '{}' ? 'nothing about that' : shown.length > 200 ? `${shown.slice(0, 200)}…` : shown;
}

interface Claimed {
  readonly key: string;
  readonly fields: Fields;
  /** True: the key stands for other methods too. */
  readonly isShared: boolean;
}

/** Operations by what they match: `GET /pets/{}`. */
function byClaim(operations: Operations): Map<string, Claimed> {
  const claims = new Map<string, Claimed>();
  for (const [key, fields] of Object.entries(operations)) {
    const pattern = readPattern(key);
    if (typeof pattern === 'string') continue;
    const methods = pattern.methods ?? ['*'];
    for (const method of methods)
      claims.set(`${method} ${compiledTemplate(pattern)}`, { key, fields, isShared: methods.length > 1 });
  }
  return claims;
}
