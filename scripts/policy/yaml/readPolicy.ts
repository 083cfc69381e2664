import type { z } from 'zod';
import type { Finding } from './compose.ts';
import { checkConsumers } from '../check/checkConsumers.ts';
import { checkHeaders } from '../check/checkHeaders.ts';
import { checkRateLimitService } from '../check/checkRateLimitService.ts';
import { checkNames } from '../check/checkNames.ts';
import { checkPlaces } from '../check/checkPlaces.ts';
import { checkQuotas } from '../check/checkQuotas.ts';
import { checkRoutes } from '../check/checkRoutes.ts';
import { checkRouting } from '../check/checkRouting.ts';
import { checkTargets } from '../check/checkTargets.ts';
import { Cursor } from '../check/cursor.ts';
import { leakedKeys } from '../check/leak.ts';
import { isNull, valueOf, type Node } from './node.ts';
import { printPath } from '../check/path.ts';
import { Lines } from './position.ts';
import { PolicyProblems, type Problem } from '../problem.ts';
import { Report } from '../check/report.ts';
import { defaultRule, findingsOf } from '../check/rule.ts';
import { policySchema, type Policy } from '../schema/policy.ts';
import { censor, censorSegment } from '../check/secret.ts';
import { readSource } from './source.ts';
import { warn } from '../check/warn.ts';

/** More than any gateway would take as a plugin config; refused before it is parsed. */
export const MAX_POLICY_BYTES = 4 * 1024 * 1024;

const MAX_RULE_CHARACTERS = 2000;
const MAX_JUDGED = 10_000;
/** Nobody reads more at once, and a file of another kind has 100,000. The rest is counted. */
export const MAX_LISTED = 100;

export interface LoadResult {
  /** Null when there are problems. */
  readonly policy: Policy | null;
  /** In the order of the file, the first of them. */
  readonly problems: Problem[];
  /** How many more problems there are. */
  readonly more: number;
  /** False: there may be yet more, in lists too long to look at every item. */
  readonly isCounted: boolean;
  /** Of a policy without problems only. */
  readonly warnings: Problem[];
  readonly moreWarnings: number;
}

/** A policy without problems, and what its author hardly meant. */
export interface ValidPolicy {
  readonly policy: Policy;
  /** In the order of the file, the first of them. */
  readonly warnings: readonly Problem[];
  readonly moreWarnings: number;
}

/** The policy in a text; throws PolicyProblems that names every problem when it has any. */
export function validPolicy(text: string, fileName: string, nowSeconds?: number): ValidPolicy {
  const result = readPolicy(text, fileName, nowSeconds);
  if (result.policy === null) throw new PolicyProblems(result);
  return { policy: result.policy, warnings: result.warnings, moreWarnings: result.moreWarnings };
}

/** Reads a policy's text; `fileName` is only for messages, `nowSeconds` for warnings about the past. */
export function readPolicy(text: string, fileName: string, nowSeconds: number = Date.now() / 1000): LoadResult {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_POLICY_BYTES) {
    const rule = `must have at most ${MAX_POLICY_BYTES} bytes; found ${bytes}`;
    const problem: Problem = { file: fileName, line: 0, column: 0, path: '', rule };
    return { policy: null, problems: [problem], more: 0, isCounted: true, warnings: [], moreWarnings: 0 };
  }
  const lines = new Lines(text);
  const refused = (found: readonly Finding[], isCounted = true): LoadResult => {
    const [problems, more] = listed(found, lines, fileName);
    return { policy: null, problems, more, isCounted, warnings: [], moreWarnings: 0 };
  };
  const { root, findings } = readSource(text);
  const leaks = leakedKeys(text);
  if (root === null || isNull(root)) {
    const empty: Finding[] =
      root === null ? [] : [{ offset: 0, path: [], rule: 'must hold a policy; the file is empty' }];
    return refused([...findings, ...empty, ...leaks]);
  }
  const parsed = parse(valueOf(root));
  // an alias is nothing, and has said so
  const settled = new Set(findings.map(placeOf));
  const all = findings.concat(
    leaks,
    findingsOf(parsed.issues, root).filter((finding) => !settled.has(placeOf(finding))),
    check(root, lines),
  );
  if (all.length > 0 || parsed.policy === null) return refused(all, parsed.isWhole);
  const report = new Report(lines);
  warn(new Cursor(root, [], root.start), nowSeconds, report);
  const [warnings, moreWarnings] = listed(report.findings, lines, fileName);
  return { policy: parsed.policy, problems: [], more: 0, isCounted: true, warnings, moreWarnings };
}

function placeOf({ offset, path }: Finding): string {
  return `${offset} ${path.length}`;
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

function check(root: Node, lines: Lines): Finding[] {
  const cursor = new Cursor(root, [], root.start);
  const report = new Report(lines);
  for (const rule of [
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
    rule(cursor, report);
  return report.findings;
}

/** The first findings in the order of the file, ready to print, and how many there are beyond them. */
function listed(findings: readonly Finding[], lines: Lines, file: string): [Problem[], number] {
  const first = [...findings].sort((a, b) => a.offset - b.offset).slice(0, MAX_LISTED);
  return [first.map((finding) => problemOf(finding, lines, file)), findings.length - first.length];
}

function problemOf({ offset, path, rule, found }: Finding, lines: Lines, file: string): Problem {
  return {
    file,
    line: lines.lineOf(offset),
    column: lines.columnOf(offset),
    path: printPath(path.map(censorSegment)),
    rule: censor(shortened(rule)),
    ...(found !== undefined && { found: censor(found) }),
  };
}

/** A rule may name what the policy names. */
function shortened(rule: string): string {
  return rule.length > MAX_RULE_CHARACTERS ? `${rule.slice(0, MAX_RULE_CHARACTERS)}…` : rule;
}
