import { judge, safeRule } from '../check/checkPolicy.ts';
import { withTwin, type Remark } from '../check/draft.ts';
import { MAX_POLICY_BYTES } from '../check/plain.ts';
import { censor, LEAK_RULE, leaksIn, printPath, shownAt, visibleName } from '../secret.ts';
import type { Policy } from '../schema/policy.ts';
import { EMPTY_RULE, entryOf, readDocument, type Mapping, type Node, type TextProblem } from './document.ts';
import { Lines } from './line.ts';

/**
 * Something wrong with a policy, or (as a warning) something that its author probably did not intend, with its place in a
 * file.
 */
export interface Problem {
  readonly file: string;
  /** From 1; 0 for a problem of the file as a whole. */
  readonly line: number;
  readonly column: number;
  /** Where in the policy, e.g. `apis.petstore.routes[0].when.path`; empty for the document. */
  readonly path: string;
  /** What must hold. */
  readonly rule: string;
  /** What stands there instead, ready to print; absent where it says nothing new or could be a key. */
  readonly found?: string;
}

/** The problems of a policy: the first of them, and how many there are beyond them. */
export interface ProblemList {
  readonly problems: readonly Problem[];
  readonly more: number;
  /** False: there may be yet more, in lists too long to look at every item. */
  readonly isCounted: boolean;
  /** What messages call the policy, where it is more than one file. */
  readonly source?: string;
}

/**
 * A policy that is refused, or a file that holds none. Its message is all lines to print, without the last line break; only
 * the command line prints it. The one error with which policies are refused.
 */
export class PolicyProblems extends Error implements ProblemList {
  override readonly name = 'PolicyProblems';
  readonly problems: readonly Problem[];
  readonly more: number;
  readonly isCounted: boolean;

  constructor(list: ProblemList) {
    super(printProblems(list));
    const { problems, more, isCounted } = list;
    this.problems = problems;
    this.more = more;
    this.isCounted = isCounted;
  }
}

/** The error for what could not even be read: one problem of the file as a whole. */
export function unusable(file: string, rule: string, line = 0): PolicyProblems {
  return new PolicyProblems({ problems: [{ file, line, column: 0, path: '', rule }], more: 0, isCounted: true });
}

/** `file:line: path: rule; found "x"`, or `file:line:column: rule` where no path tells the place; a warning says so after the line. */
export function printProblem(problem: Problem, kind: 'problem' | 'warning' = 'problem'): string {
  const column = problem.path === '' && problem.column > 0 ? `:${problem.column}` : '';
  const file = visibleName(problem.file);
  const place = problem.line > 0 ? `${file}:${problem.line}${column}: ` : `${file}: `;
  const path = problem.path === '' ? '' : `${problem.path}: `;
  const found = problem.found === undefined ? '' : `; found ${problem.found}`;
  return place + (kind === 'warning' ? 'warning: ' : '') + path + problem.rule + found;
}

/** All lines of a refusal, and how many problems it does not list. */
export function printProblems({ problems, more, isCounted, source }: ProblemList): string {
  const unlisted = rest(source ?? problems[0]!.file, more, 'problem', isCounted);
  return [...problems.map((problem) => printProblem(problem)), ...unlisted].join('\n');
}

/** A line for each warning, and one for those that are not listed. */
export function printWarnings({
  warnings,
  moreWarnings,
  source,
}: {
  readonly warnings: readonly Problem[];
  readonly moreWarnings: number;
  readonly source?: string;
}): string[] {
  const unlisted = moreWarnings === 0 ? [] : rest(source ?? warnings[0]!.file, moreWarnings, 'warning');
  return [...warnings.map((warning) => printProblem(warning, 'warning')), ...unlisted];
}

/** `FILE: and 299,900 more problems`, where there are more than are listed. */
function rest(name: string, more: number, noun: 'problem' | 'warning', isCounted = true): string[] {
  if (more === 0) return [];
  const number = String(more).replace(/\B(?=(?:\d{3})+$)/g, ',');
  return [`${visibleName(name)}: and ${isCounted ? '' : 'at least '}${number} more ${noun}${more === 1 ? '' : 's'}`];
}

/** Nobody reads more at once, and a file that is no policy may have 100,000. The others are counted. */
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
  /** Only for a policy without problems. */
  readonly warnings: Problem[];
  readonly moreWarnings: number;
  /** What messages call the policy, where it is more than one file. */
  readonly source?: string;
}

/** A policy without problems, and what its author probably did not intend. */
export interface ValidPolicy {
  readonly policy: Policy;
  /** In the order of the file, the first of them. */
  readonly warnings: readonly Problem[];
  readonly moreWarnings: number;
  /** What messages call the policy, where it is more than one file. */
  readonly source?: string;
}

/** The policy that a YAML text holds; throws PolicyProblems, which names every problem, when there is one. */
export function validPolicy(text: string, fileName: string, nowSeconds?: number): ValidPolicy {
  const result = readPolicy(text, fileName, nowSeconds);
  if (result.policy === null) throw new PolicyProblems(result);
  return { policy: result.policy, warnings: result.warnings, moreWarnings: result.moreWarnings };
}

/**
 * Reads a policy's text, YAML or JSON; `fileName` is only for messages, `nowSeconds` (since 1970) for warnings about the
 * past. What is wrong with the value gets its line and column; duplicate names, anchors and the like exist only in the
 * text.
 */
export function readPolicy(text: string, fileName: string, nowSeconds: number = Date.now() / 1000): LoadResult {
  return resultOf(text, fileName, nowSeconds)[0];
}

/** A policy and the nodes of its text, for who edits it; throws PolicyProblems. */
export function readToEdit(text: string, fileName: string): { readonly policy: Policy; readonly root: Mapping } {
  const [result, root] = resultOf(text, fileName, Date.now() / 1000);
  if (result.policy === null) throw new PolicyProblems(result);
  return { policy: result.policy, root: root as Mapping };
}

function resultOf(text: string, fileName: string, nowSeconds: number): [LoadResult, Node | null] {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_POLICY_BYTES) {
    const rule = `must have at most ${MAX_POLICY_BYTES} bytes; found ${bytes}`;
    return [refused([{ file: fileName, line: 0, column: 0, path: '', rule }], 0, true), null];
  }
  const { root, problems, aliases } = readDocument(text);
  const leaks = leaksIn(text).map((offset): TextProblem => ({ offset, path: [], rule: LEAK_RULE }));
  const print = new Printer(text, fileName);
  if (root === null || (root.kind === 'scalar' && root.value === null)) {
    const empty: TextProblem[] = root === null ? [] : [{ offset: 0, path: [], rule: EMPTY_RULE }];
    return [refused(...print.listed([...problems, ...empty, ...leaks]), true), root];
  }
  const { policy, remarks, isWhole } = judge(root.value, nowSeconds);
  const judged = remarks
    .map((remark) => ({ remark, spot: spotOf(root, remark) }))
    // an alias has no value, and has been reported
    .filter(({ spot }) => !aliases.has(spot.node))
    .map(({ remark, spot }) => {
      const { twin } = remark;
      return placed(remark, spot, twin && print.lineAt(spotOf(root, { path: twin })));
    });
  const texts = [...problems, ...leaks];
  if (policy === null || texts.length > 0)
    return [refused(...print.listed(policy === null ? [...texts, ...judged] : texts), isWhole), root];
  const [warnings, moreWarnings] = print.listed(judged);
  return [{ policy, problems: [], more: 0, isCounted: true, warnings, moreWarnings }, root];
}

function refused(problems: Problem[], more: number, isCounted: boolean): LoadResult {
  return { policy: null, problems, more, isCounted, warnings: [], moreWarnings: 0 };
}

export interface NodePlace {
  readonly node: Node;
  /** Of the field's name in a mapping, of the item in a list. */
  readonly offset: number;
}

/** Where a remark points to, as far as its path exists in the file. */
export function spotOf(root: Node, { path, field }: Pick<Remark, 'path' | 'field'>): NodePlace {
  const spot = { node: root, offset: root.start };
  for (const segment of field === undefined ? path : [...path, field]) {
    const { node } = spot;
    const item = node.kind === 'list' ? node.items[segment as number] : undefined;
    const entry = entryOf(node, String(segment));
    if (item === undefined && entry === undefined) break;
    spot.node = item ?? entry!.value;
    spot.offset = entry?.keyStart ?? item!.start;
  }
  return spot;
}

/** A problem of the value as its author wrote it. */
export interface Placed extends TextProblem {
  /** Where the other place stands that together with this one breaks the rule: `on line 12`. */
  readonly twin?: string | undefined;
}

/** What was found in the value, at its place. */
export function placed(
  { path, rule, found, showsValue }: Remark,
  { node, offset }: NodePlace,
  twin: string | undefined,
): Placed {
  const shown = showsValue && node.kind === 'scalar' ? shownAt(node.value, path, node) : found;
  return { offset, path, rule, twin, ...(shown !== undefined && { found: shown }) };
}

/** Turns what was found into problems of a file. */
export class Printer {
  readonly #lines: Lines;

  constructor(
    text: string,
    private readonly file: string,
  ) {
    this.#lines = new Lines(text);
  }

  /** `on line 12`: for a problem of the same file. */
  lineAt({ offset }: Pick<NodePlace, 'offset'>): string {
    return `on line ${this.#lines.lineOf(offset)}`;
  }

  /** `at shop.policy.yaml:12`: for a problem of another file. */
  placeAt({ offset }: Pick<NodePlace, 'offset'>): string {
    return `at ${this.file}:${this.#lines.lineOf(offset)}`;
  }

  /** The first in the order of the file, ready to print, and how many there are beyond them. */
  listed(found: readonly Placed[]): [Problem[], number] {
    const first = [...found].sort((a, b) => a.offset - b.offset).slice(0, MAX_LISTED);
    return [first.map((one) => this.problem(one)), found.length - first.length];
  }

  problem({ offset, path, rule, found, twin }: Placed): Problem {
    const safe = safeRule(rule);
    return {
      file: this.file,
      line: this.#lines.lineOf(offset),
      column: this.#lines.columnOf(offset),
      path: printPath(path),
      // names of files are the user's own, and may look like anything
      rule: twin === undefined ? safe : withTwin(safe, twin),
      ...(found !== undefined && { found: censor(found) }),
    };
  }
}
