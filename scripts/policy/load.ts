import { readBounded, tooLarge, Unreadable } from '../file/read.ts';
import type { z } from 'zod';
import type { Finding } from './yaml/compose.ts';
import { checkConsumers } from './check/checkConsumers.ts';
import { checkHeaders } from './check/checkHeaders.ts';
import { checkRateLimitService } from './check/checkRateLimitService.ts';
import { checkNames } from './check/checkNames.ts';
import { checkPlaces } from './check/checkPlaces.ts';
import { checkQuotas } from './check/checkQuotas.ts';
import { checkRoutes } from './check/checkRoutes.ts';
import { checkRouting } from './check/checkRouting.ts';
import { checkTargets } from './check/checkTargets.ts';
import { Cursor } from './check/cursor.ts';
import { decode } from './yaml/decode.ts';
import { leakedKeys } from './check/leak.ts';
import { isNull, valueOf, type Node } from './yaml/node.ts';
import { printPath } from './check/path.ts';
import { Lines } from './yaml/position.ts';
import type { Problem } from './check/problem.ts';
import { Report } from './check/report.ts';
import { defaultRule, findingsOf } from './check/rule.ts';
import { policySchema, type Policy } from './schema/policy.ts';
import { censor, censorSegment } from './check/secret.ts';
import { readSource } from './yaml/source.ts';
import { warn } from './check/warn.ts';

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

/** Reads a policy file and names everything that is wrong with it. Never rejects: a file that cannot be read is a problem. */
export async function loadPolicy(file: string): Promise<LoadResult> {
  const content = await readPolicyFile(file);
  return 'rule' in content ? unusable(content) : readPolicy(content.text, file);
}

/** The text of a policy file, with its byte order mark if it has one; or why there is none. */
export async function readPolicyFile(file: string): Promise<{ text: string } | Problem> {
  const whole = (rule: string, line = 0): Problem => ({ file, line, column: 0, path: '', rule });
  try {
    const decoded = decode(await readBounded(file, MAX_POLICY_BYTES));
    return 'rule' in decoded ? whole(decoded.rule, decoded.line) : decoded;
  } catch (error) {
    if (error instanceof Unreadable) return whole(error.message);
    throw error;
  }
}

/** Reads a policy's text; `fileName` is only for messages, `nowSeconds` for warnings about the past. */
export function readPolicy(text: string, fileName: string, nowSeconds: number = Date.now() / 1000): LoadResult {
  if (Buffer.byteLength(text) > MAX_POLICY_BYTES)
    return unusable({
      file: fileName,
      line: 0,
      column: 0,
      path: '',
      rule: tooLarge(MAX_POLICY_BYTES, Buffer.byteLength(text)),
    });
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

/** The result for what could not even be read. */
export function unusable(problem: Problem): LoadResult {
  return { policy: null, problems: [problem], more: 0, isCounted: true, warnings: [], moreWarnings: 0 };
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
