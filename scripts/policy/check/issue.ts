import { closestMatch } from 'leven';
import type { z } from 'zod';
import { policySchema } from '../schema/policy.ts';
import { isSafeName, quote, shownAt, type Path } from '../secret.ts';
import type { Remark } from './draft.ts';

/** More names than this are counted, not listed. */
const MAX_LISTED = 8;
/** A field that differs from a known one by no more is a misspelling of it. */
const MAX_TYPOS = 2;
/** Fields of the policy that had another name before. */
const RENAMED: Readonly<Record<string, string>> = { ledger: 'rateLimitService' };

type Issue = z.core.$ZodIssue;

/** What zod found wrong with a value, in our words. One remark for each place: the first is the clearest. */
export function remarksOf(issues: readonly Issue[], root: unknown): Remark[] {
  const places = new Set<string>();
  return explainAll(issues, [], root).filter(({ path, field }) => {
    const place = JSON.stringify([path, field]);
    return !places.has(place) && places.add(place);
  });
}

/** Of a mapping with unknown fields, nothing is said about the number of its fields. */
function explainAll(issues: readonly Issue[], base: Path, root: unknown): Remark[] {
  const place = (issue: Issue): string => JSON.stringify(issue.path);
  const surprising = new Set(issues.filter((issue) => issue.code === 'unrecognized_keys').map(place));
  return issues
    .filter((issue) => issue.code !== 'custom' || !surprising.has(place(issue)))
    .flatMap((issue) => explain(issue, base, root));
}

function explain(issue: Issue, base: Path, root: unknown): Remark[] {
  const path = [...base, ...(issue.path as Path)];
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownFields(issue.keys, path);
    case 'invalid_key':
      return explain(issue.issues[0]!, path, root).map(({ path, rule, severity }) => ({
        path,
        rule,
        severity,
        found: quote(String(path.at(-1))),
      }));
    case 'invalid_union':
      return explainUnion(issue, path, root);
    default:
      return [remark(issue, path, root)];
  }
}

function remark(issue: Issue, path: Path, root: unknown): Remark {
  const severity = 'error';
  const { value, missing, depth } = locate(root, path);
  if (missing !== null)
    return { path: path.slice(0, depth), rule: `must have the field "${missing}"`, severity, field: missing };
  // A wrong kind of value says so before any rule about its content.
  if (issue.code === 'invalid_type')
    return { path, rule: typeRule(issue, value), severity, found: shownAt(value, path), showsValue: true };
  const isPlain = typeof value !== 'object' || value === null;
  const found = isPlain ? shownAt(value, path) : contentOf(value);
  return { path, rule: issue.message, severity, found, showsValue: isPlain };
}

/** Of a mapping its fields, of a list its length. */
function contentOf(value: object): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `${value.length}`;
  const names = Object.keys(value);
  if (names.length === 0) return 'an empty mapping';
  return names.length <= MAX_LISTED && names.every(isSafeName) ? names.map(quote).join(', ') : `${names.length}`;
}

/** Quotes are what people get wrong: text that reads as a number without them, and numbers inside them. */
function typeRule({ message, expected }: Extract<Issue, { code: 'invalid_type' }>, value: unknown): string {
  if (expected === 'number')
    return typeof value === 'string' && /^[-+.\d]/.test(value) && !Number.isNaN(Number(value))
      ? `${message}, without quotes`
      : message;
  if (message !== '') return message;
  return isScalar(value) ? 'must be a string; put it in quotes' : 'must be a string';
}

function isScalar(value: unknown): boolean {
  return value !== undefined && value !== null && typeof value !== 'object';
}

function unknownFields(fields: readonly string[], path: Path): Remark[] {
  const known = fieldsAt(path);
  const rule = `must have no other fields than ${known.join(', ')}`;
  return fields.map((field) => {
    const common = { path, severity: 'error', field } as const;
    if (!isSafeName(field)) return { ...common, rule };
    const hint = hintFor(field, known, path);
    return hint === null
      ? { ...common, rule, found: quote(field) }
      : { ...common, rule: `unknown field "${field}"; ${hint}` };
  });
}

function hintFor(field: string, known: readonly string[], path: Path): string | null {
  if (path.length === 0 && Object.hasOwn(RENAMED, field)) return `it is called "${RENAMED[field]}" now`;
  const short = Math.min(MAX_TYPOS, Math.floor(field.length / 3));
  const meant =
    known.find((name) => name.toLowerCase() === field.toLowerCase()) ??
    closestMatch(field, known, { maxDistance: short });
  return meant === undefined ? null : `did you mean "${meant}"?`;
}

/** A value that may be short or long is judged by the form it was given in. */
function explainUnion(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path, root: unknown): Remark[] {
  const form = issue.errors.find(
    (issues) => !issues.some((inner) => inner.code === 'invalid_type' && inner.path.length === 0),
  );
  if (form !== undefined) return explainAll(form, path, root);
  const { value, missing } = locate(root, path);
  if (missing !== null) return [remark(issue, path, root)];
  const common = isScalar(value) ? 'must be a string (put it in quotes) or a mapping' : 'must be a string or a mapping';
  return [{ path, rule: issue.message || common, severity: 'error', found: shownAt(value, path), showsValue: true }];
}

/** Messages where the schema has none of its own. */
export function defaultRule(issue: z.core.$ZodRawIssue): string {
  if (issue.code === 'invalid_value')
    return `must be ${alternatives((issue.values as unknown[]).map((value) => `"${String(value)}"`))}`;
  // the forms say it better, and where none does, what they have in common
  if (issue.code === 'invalid_union') return '';
  if (issue.code !== 'invalid_type') return `must be valid (${issue.code})`;
  switch (issue.expected) {
    case 'object':
    case 'record':
      return 'must be a mapping';
    case 'array':
      return 'must be a list';
    // Which of the two it is depends on the value.
    case 'string':
      return '';
    default:
      return `must be a ${issue.expected}`;
  }
}

function alternatives(values: readonly string[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}

/** Where a path leads; the name of the field that is not there, and how deep the path holds. */
function locate(root: unknown, path: Path): { value: unknown; missing: string | null; depth: number } {
  let value = root;
  for (const [depth, segment] of path.entries()) {
    if (typeof value !== 'object' || value === null) break;
    if (!Object.hasOwn(value, segment)) return { value, missing: String(segment), depth };
    value = (value as Record<string | number, unknown>)[segment];
  }
  return { value, missing: null, depth: path.length };
}

/** Names of the fields that the mapping at a path may have; none where it takes any name. */
function fieldsAt(path: Path): string[] {
  let schemas: z.core.$ZodType[] = [policySchema];
  for (const segment of path) schemas = schemas.flatMap(inside).flatMap((schema) => memberOf(schema, segment));
  return schemas.flatMap(inside).flatMap((schema) => Object.keys((schema as z.ZodObject)._zod.def.shape ?? {}));
}

/** The schemas inside those that only add something: a default, a transformation, a choice. */
function inside(schema: z.core.$ZodType): z.core.$ZodType[] {
  const def = (schema as z.core.$ZodTypes)._zod.def;
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
      return inside(def.innerType);
    case 'pipe':
      return inside(def.in);
    case 'union':
      return def.options.flatMap(inside);
    default:
      return [schema];
  }
}

function memberOf(schema: z.core.$ZodType, segment: string | number): z.core.$ZodType[] {
  const def = (schema as z.core.$ZodTypes)._zod.def;
  if (def.type === 'array') return [def.element];
  if (def.type === 'record') return [def.valueType];
  const member = def.type === 'object' && Object.hasOwn(def.shape, segment) ? def.shape[segment] : undefined;
  return member === undefined ? [] : [member];
}
