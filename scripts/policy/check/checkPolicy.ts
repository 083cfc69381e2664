import type { z } from 'zod';
import { policySchema, type Policy } from '../schema/policy.ts';
import { censor, censorSegment, LEAK_RULE, leaksIn, type Path } from '../problem.ts';
import { checkConsumers, checkNames, holdingsIn, warnOfPlan, warnOfTimes, warnOfUnusedApis } from './consumers.ts';
import { Draft, pathOfTwin, Report, withTwin, type PolicyDraft, type Remark } from './draft.ts';
import { defaultRule, remarksOf } from './issues.ts';
import { checkRouting, checkTargets } from './mesh.ts';
import { checkQuotas, checkRateLimitService, warnOfSharedCounters, warnOfUnusedRateLimitService } from './quotas.ts';
import { checkHeaders, checkPlaces, checkRoutes, warnOfPatterns } from './routes.ts';

const MAX_RULE_CHARACTERS = 2000;
const MAX_JUDGED = 10_000;

/** Something that a policy may not be, or (as a warning) something that its author hardly meant. Holds no keys. */
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
 * Everything that is wrong with a policy, or hardly meant, given as a plain value: what JSON.parse or a YAML reader returns.
 * A policy is valid when no finding has the severity `error`. Never throws, whatever the value holds; `nowSeconds` (since 1970)
 * is for warnings about the past.
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

/** What is valid and yet hardly meant. Runs on policies without problems. */
function warn(root: PolicyDraft, nowSeconds: number, report: Report): void {
  const holdings = holdingsIn(root);
  if (root.get('apis').entries.length === 0) report.add(root, 'has no API, so there is nothing to call', null);
  warnOfUnusedApis(root, report);
  warnOfUnusedRateLimitService(root, report);
  for (const api of root.get('apis').entries)
    for (const route of api.get('routes').items) warnOfPatterns(route, report);
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

/** zod passes issues on as arguments, of which some 100,000 are too many for the stack: then only the first of each list are judged. */
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

/** Deepest nesting of a policy; a real one goes to 10. */
export const MAX_DEPTH = 24;
/** Longer than any name that means something: a Kubernetes label has 317 characters. */
export const MAX_FIELD_CHARACTERS = 512;
/** More than any gateway would take as a plugin config; refused before it is judged. */
export const MAX_POLICY_BYTES = 4 * 1024 * 1024;
/** Remarks about what is no plain value, until the rest is no longer looked at. */
const MAX_REMARKS = 100;

export const DEPTH_RULE = `must not nest deeper than ${MAX_DEPTH} levels`;
export const FIELD_LENGTH_RULE = `must have field names of at most ${MAX_FIELD_CHARACTERS} characters`;
export const PROTO_REMARK = { rule: 'must have no field of this name', found: '"__proto__"' } as const;
const PLAIN_RULE =
  'must be a plain value, as JSON has it: null, true or false, a number, a string, a list or a mapping';
const SIZE_RULE = `must have at most ${MAX_POLICY_BYTES} characters, all names and values together`;

/** A value as JSON could hold it, and what could not be taken over. */
interface PlainCopy {
  readonly value: unknown;
  readonly remarks: readonly Remark[];
  /** False where copying ended early: what is there of the value says nothing. */
  readonly isWhole: boolean;
}

/**
 * A copy of a value that is nothing but data: whatever traps, getters, cycles, holes or prototypes the value has are met here
 * once, and nowhere after. Mappings of the copy have no prototype, so that no name means anything to JavaScript.
 */
function plainCopy(value: unknown): PlainCopy {
  const copier = new Copier();
  try {
    return { value: copier.copy(value, [], 0), remarks: copier.remarks, isWhole: true };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { value: null, remarks: copier.remarks, isWhole: false };
  }
}

/** Nothing more is worth looking at. */
class Stop extends Error {}

class Copier {
  readonly remarks: Remark[] = [];
  #characters = 0;

  copy(value: unknown, path: Path, depth: number): unknown {
    this.#spend(1, path);
    switch (typeof value) {
      case 'string':
        this.#spend(value.length, path);
        if (leaksIn(value).length > 0) this.#remark(path, LEAK_RULE);
        return value;
      case 'boolean':
      case 'number':
        return value;
      case 'undefined':
        return null;
      case 'object':
        return value === null ? null : this.#attempt(value, path, depth);
      default:
        return this.#refuse(path, `a ${typeof value}`);
    }
  }

  /** A proxy may throw at every touch. */
  #attempt(value: object, path: Path, depth: number): unknown {
    try {
      return this.#collection(value, path, depth);
    } catch (error) {
      if (error instanceof Stop) throw error;
      return this.#refuse(path, 'an object that cannot be read');
    }
  }

  #collection(value: object, path: Path, depth: number): unknown {
    if (depth === MAX_DEPTH) return this.#stop(path, DEPTH_RULE);
    if (Array.isArray(value)) return this.#list(value, path, depth);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
      return this.#refuse(path, 'an object of a class');
    return this.#mapping(value, path, depth);
  }

  #list(value: readonly unknown[], path: Path, depth: number): unknown[] {
    const { length } = value;
    this.#spend(length, path);
    return Array.from({ length }, (_, index) => this.#member(value, index, [...path, index], depth) ?? null);
  }

  #mapping(value: object, path: Path, depth: number): unknown {
    const copy: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    for (const name of Object.keys(value)) {
      this.#spend(name.length, path);
      if (name.length > MAX_FIELD_CHARACTERS) return this.#stop(path, FIELD_LENGTH_RULE);
      if (leaksIn(name).length > 0) this.#remark(path, LEAK_RULE);
      if (name === '__proto__') {
        this.#remark(path, PROTO_REMARK.rule, PROTO_REMARK.found);
        continue;
      }
      const member = this.#member(value, name, [...path, name], depth);
      if (member !== undefined) copy[name] = member;
    }
    return copy;
  }

  /** What stands under a name or an index; undefined as in JSON: nothing. A getter is not asked. */
  #member(value: object, name: string | number, path: Path, depth: number): unknown {
    const descriptor = Object.getOwnPropertyDescriptor(value, name);
    if (descriptor !== undefined && !('value' in descriptor)) return this.#refuse(path, 'a getter');
    const member: unknown = descriptor?.value;
    return member === undefined ? undefined : this.copy(member, path, depth + 1);
  }

  #spend(characters: number, path: Path): void {
    this.#characters += characters;
    if (this.#characters > MAX_POLICY_BYTES) this.#stop(path.slice(0, 1), SIZE_RULE);
  }

  #refuse(path: Path, found: string): null {
    this.#remark(path, PLAIN_RULE, found);
    return null;
  }

  #remark(path: Path, rule: string, found?: string): void {
    this.remarks.push({ path, rule, severity: 'error', ...(found !== undefined && { found }) });
    if (this.remarks.length >= MAX_REMARKS) throw new Stop();
  }

  #stop(path: Path, rule: string): never {
    this.remarks.push({ path, rule, severity: 'error' });
    throw new Stop();
  }
}
