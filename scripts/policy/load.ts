import { open } from 'node:fs/promises';
import type { Finding } from './compose.ts';
import { checkConsumers } from './checkConsumers.ts';
import { checkHeaders } from './checkHeaders.ts';
import { checkLedger } from './checkLedger.ts';
import { checkNames } from './checkNames.ts';
import { checkPlaces } from './checkPlaces.ts';
import { checkQuotas } from './checkQuotas.ts';
import { checkRoutes } from './checkRoutes.ts';
import { checkRouting } from './checkRouting.ts';
import { checkTargets } from './checkTargets.ts';
import { Cursor } from './cursor.ts';
import { decode } from './decode.ts';
import { leakedKeys } from './leak.ts';
import { isNull, valueOf, type Node } from './node.ts';
import { printPath } from './path.ts';
import { Lines } from './position.ts';
import { sortProblems, type Problem } from './problem.ts';
import { Report } from './report.ts';
import { defaultRule, findingsOf } from './rule.ts';
import { policySchema, type Policy } from './schema.ts';
import { censor, censorSegment } from './secret.ts';
import { readSource } from './source.ts';
import { warn } from './warn.ts';

/** More than any gateway would take as a plugin config; refused before it is parsed. */
export const MAX_POLICY_BYTES = 4 * 1024 * 1024;

export interface LoadResult {
  /** Null when there are problems. */
  readonly policy: Policy | null;
  readonly problems: Problem[];
  /** Of a policy without problems only. */
  readonly warnings: Problem[];
}

/** Reads a policy file and names everything that is wrong with it. Never rejects: a file that cannot be read is a problem. */
export async function loadPolicy(file: string): Promise<LoadResult> {
  const content = await readPolicyFile(file);
  return 'rule' in content ? refused([content]) : readPolicy(content.text, file);
}

/** The text of a policy file, with its byte order mark if it has one; or why there is none. */
export async function readPolicyFile(file: string): Promise<{ text: string } | Problem> {
  const whole = (rule: string, line = 0): Problem => ({ file, line, column: 0, path: '', rule });
  let bytes: Buffer;
  try {
    const handle = await open(file);
    try {
      const { size } = await handle.stat();
      if (size > MAX_POLICY_BYTES) return whole(tooLarge(size));
      bytes = await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    return whole(readRule(error as NodeJS.ErrnoException));
  }
  if (bytes.length > MAX_POLICY_BYTES) return whole(tooLarge(bytes.length));
  const decoded = decode(bytes);
  return 'rule' in decoded ? whole(decoded.rule, decoded.line) : decoded;
}

/** Reads a policy's text; `fileName` is only for messages, `nowSeconds` for warnings about the past. */
export function readPolicy(text: string, fileName: string, nowSeconds: number = Date.now() / 1000): LoadResult {
  if (Buffer.byteLength(text) > MAX_POLICY_BYTES) return refused([{ file: fileName, line: 0, column: 0, path: '', rule: tooLarge(Buffer.byteLength(text)) }]);
  const problemOf = problemMaker(text, fileName);
  const { root, findings } = readSource(text);
  const leaks = leakedKeys(text);
  if (root === null || isNull(root)) {
    const empty: Finding[] = root === null ? [] : [{ offset: 0, path: [], rule: 'must hold a policy; the file is empty' }];
    return refused([...findings, ...empty, ...leaks].map(problemOf));
  }
  const parsed = policySchema.safeParse(valueOf(root), { error: defaultRule });
  const all = [...findings, ...leaks, ...findingsOf(parsed.error?.issues ?? [], root), ...check(root)];
  if (all.length > 0 || !parsed.success) return refused(all.map(problemOf));
  const warnings = new Report();
  warn(new Cursor(root, [], root.start), nowSeconds, warnings);
  return { policy: parsed.data, problems: [], warnings: sortProblems(warnings.findings.map(problemOf)) };
}

function check(root: Node): Finding[] {
  const cursor = new Cursor(root, [], root.start);
  const report = new Report();
  for (const rule of [checkNames, checkPlaces, checkQuotas, checkLedger, checkHeaders, checkRoutes, checkTargets, checkRouting, checkConsumers]) rule(cursor, report);
  return report.findings;
}

function refused(problems: readonly Problem[]): LoadResult {
  return { policy: null, problems: sortProblems(problems), warnings: [] };
}

function problemMaker(text: string, file: string): (finding: Finding) => Problem {
  const lines = new Lines(text);
  return ({ offset, path, rule, found }) => ({
    file,
    line: lines.lineOf(offset),
    column: lines.columnOf(offset),
    path: printPath(path.map(censorSegment)),
    rule: censor(rule),
    ...(found !== undefined && { found: censor(found) }),
  });
}

function tooLarge(bytes: number): string {
  return `must have at most ${MAX_POLICY_BYTES} bytes; found ${bytes}`;
}

function readRule(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return 'no such file';
  if (error.code === 'EISDIR') return 'must be a file; found a folder';
  if (error.code === 'EACCES') return 'may not be read: permission denied';
  return `cannot be read: ${error.code ?? error.message}`;
}
