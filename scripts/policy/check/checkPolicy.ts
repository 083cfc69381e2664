import { closestMatch } from 'leven';
import type { z } from 'zod';
import { policySchema, type Policy } from '../schema/policy.ts';
import { censor, censorSegment, isSafeName, quote, shownAt, type Path } from '../secret.ts';
import { Draft, pathOfTwin, plainCopy, Report, withTwin, type PolicyDraft, type Remark } from './draft.ts';
import { checkConsumers, checkNames, holdingsIn, warnOfPlan, warnOfTimes, warnOfUnusedApis } from './consumers.ts';
import { checkLifecycles, lifecycleOf, warnOfLifecycle } from './lifecycle.ts';
import { checkRouting, checkTargets } from './mesh.ts';
import { checkOperations, warnOfOperations } from './operations.ts';
import {
  checkQuotas,
  checkRateLimitService,
  warnOfLongQuotas,
  warnOfSharedCounters,
  warnOfUnusedRateLimitService,
} from './quotas.ts';
import { checkHeaders, checkPlaces, checkRoutes, warnOfCors, warnOfPatterns } from './routes.ts';

const MAX_RULE_CHARACTERS = 2000;
const MAX_JUDGED = 10_000;

/** Something wrong with a policy, or (as a warning) something that its author probably did not intend. Holds no keys. */
export interface Finding {
  /** Field names, names of the policy's own and list indexes from the root; what looks like a key in them is left out. */
  readonly path: readonly (string | number)[];
  /** What must hold, in words, such as `must be a plan of this policy (free, gold)`. */
  readonly rule: string;
  /** What stands there instead, ready to print: a string in quotes, a number, `a list`. Absent where it says nothing new or could be a key. */
  readonly found?: string;
  readonly severity: 'error' | 'warning';
  /** The field below the path that it is about, where that is missing or not known. */
  readonly field?: string;
}

export type ParsedPolicy =
  | {
      /** With defaults filled in and short forms written out. */
      readonly policy: Policy;
      /** Warnings only. */
      readonly findings: readonly Finding[];
      readonly isWhole: true;
    }
  | {
      readonly policy: null;
      readonly findings: readonly Finding[];
      /** False: there may be more findings, in lists too long to look at every item. */
      readonly isWhole: boolean;
    };

/**
 * Everything that is wrong with a policy, or probably not intended, given as a plain value: what JSON.parse or a YAML
 * reader returns. A policy is valid when no finding has the severity `error`. Never throws, whatever the value holds;
 * `nowSeconds` (since 1970) is for warnings about the past.
 */
export function checkPolicy(value: unknown, nowSeconds: number = Date.now() / 1000): readonly Finding[] {
  return parsePolicy(value, nowSeconds).findings;
}

/** The policy that a plain value is, with its warnings; or no policy, and everything that is wrong with it. Never throws. */
export function parsePolicy(value: unknown, nowSeconds: number = Date.now() / 1000): ParsedPolicy {
  const copy = plainCopy(value);
  if (!copy.isWhole) return { policy: null, findings: copy.remarks.map(findingOf), isWhole: false };
  const judged = judge(copy.value, nowSeconds);
  const settled = new Set(copy.remarks.map(({ path }) => JSON.stringify(path)));
  const findings = [
    ...copy.remarks,
    ...judged.remarks.filter(({ path }) => settled.size === 0 || !settled.has(JSON.stringify(path))),
  ].map(findingOf);
  if (judged.policy === null || copy.remarks.length > 0) return { policy: null, findings, isWhole: judged.isWhole };
  return { policy: judged.policy, findings, isWhole: true };
}

function findingOf({ path, rule, found, severity, field, twin }: Remark): Finding {
  return {
    path: path.map(censorSegment),
    rule: safeRule(twin === undefined ? rule : withTwin(rule, pathOfTwin(twin))),
    severity,
    ...(found !== undefined && { found: censor(found) }),
    ...(field !== undefined && { field: censor(field) }),
  };
}

/** A rule may name what the policy names. */
export function safeRule(rule: string): string {
  return censor(rule.length > MAX_RULE_CHARACTERS ? `${rule.slice(0, MAX_RULE_CHARACTERS)}…` : rule);
}

/** What came of a plain value that holds nothing but what JSON does: its policy and warnings, or no policy and all errors. */
export interface Judged {
  readonly policy: Policy | null;
  readonly remarks: readonly Remark[];
  readonly isWhole: boolean;
}

export function judge(value: unknown, nowSeconds: number): Judged {
  const { policy, issues, isWhole } = parse(value);
  const root = Draft.of(value);
  const errors = new Report('error');
  for (const check of [
    checkNames,
    checkPlaces,
    checkQuotas,
    checkRateLimitService,
    checkHeaders,
    checkRoutes,
    checkOperations,
    checkLifecycles,
    checkTargets,
    checkRouting,
    checkConsumers,
  ])
    check(root, errors);
  const remarks = remarksOf(issues, value).concat(errors.remarks);
  if (policy === null || remarks.length > 0) return { policy: null, remarks, isWhole };
  const warnings = new Report('warning');
  warn(root, nowSeconds, warnings);
  return { policy, remarks: warnings.remarks, isWhole };
}

/** What is valid and yet probably a mistake. Runs on policies without problems. */
function warn(root: PolicyDraft, nowSeconds: number, report: Report): void {
  const holdings = holdingsIn(root);
  if (root.get('apis').entries.length === 0) report.add(root, 'has no API, so there is nothing to call', null);
  warnOfUnusedApis(root, report);
  warnOfUnusedRateLimitService(root, report);
  warnOfLongQuotas(root, report);
  warnOfCors(root, report);
  warnOfOperations(root, report);
  for (const api of root.get('apis').entries) {
    warnOfLifecycle(lifecycleOf(api), nowSeconds, report);
    for (const operation of api.get('operations').entries) warnOfLifecycle(lifecycleOf(operation), nowSeconds, report);
    for (const route of api.get('routes').items) {
      warnOfPatterns(route, report);
      warnOfLifecycle(lifecycleOf(route), nowSeconds, report);
    }
  }
  for (const consumer of root.get('consumers').entries) {
    if (consumer.get('keys').items.length === 0)
      report.add(consumer, 'has no key; "tollgate keys issue" makes one', null);
    warnOfTimes(consumer, nowSeconds, report);
    warnOfPlan(holdings, consumer, report);
    warnOfSharedCounters(root, holdings, consumer, report);
  }
}

interface Parsed {
  readonly policy: Policy | null;
  readonly issues: readonly z.core.$ZodIssue[];
  readonly isWhole: boolean;
}

/**
 * zod passes issues on as arguments, and 100,000 or so overflow the stack: then only the first items of each list are
 * judged.
 */
function parse(value: unknown): Parsed {
  for (let most = Infinity; ; most = Math.min(most / 10, MAX_JUDGED)) {
    try {
      const { data, error } = policySchema.safeParse(most === Infinity ? value : firstOf(value, most), {
        error: defaultRule,
      });
      return { policy: error === undefined ? data : null, issues: error?.issues ?? [], isWhole: most === Infinity };
    } catch (error) {
      if (!(error instanceof RangeError) || most < 10) throw error;
    }
  }
}

function firstOf(value: unknown, most: number): unknown {
  if (Array.isArray(value)) return value.slice(0, most).map((item) => firstOf(item, most));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, most)
      .map(([name, member]) => [name, firstOf(member, most)]),
  );
}

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
