/** Something a policy may not be, or (as a warning) something its author hardly meant, with its place in a file. */
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

  constructor({ problems, more, isCounted }: ProblemList) {
    super(printProblems({ problems, more, isCounted }));
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
  const place = problem.line > 0 ? `${problem.file}:${problem.line}${column}: ` : `${problem.file}: `;
  const path = problem.path === '' ? '' : `${problem.path}: `;
  const found = problem.found === undefined ? '' : `; found ${problem.found}`;
  return place + (kind === 'warning' ? 'warning: ' : '') + path + problem.rule + found;
}

/** All lines of a refusal, and how many problems it does not list. */
export function printProblems({ problems, more, isCounted }: ProblemList): string {
  return [...problems.map((problem) => printProblem(problem)), ...rest(problems, more, 'problem', isCounted)].join(
    '\n',
  );
}

/** A line for each warning, and one for those that are not listed. */
export function printWarnings({
  warnings,
  moreWarnings,
}: {
  readonly warnings: readonly Problem[];
  readonly moreWarnings: number;
}): string[] {
  return [...warnings.map((warning) => printProblem(warning, 'warning')), ...rest(warnings, moreWarnings, 'warning')];
}

/** `FILE: and 299,900 more problems`, where there are more than are listed. */
function rest(listed: readonly Problem[], more: number, noun: 'problem' | 'warning', isCounted = true): string[] {
  if (more === 0) return [];
  const number = String(more).replace(/\B(?=(?:\d{3})+$)/g, ',');
  return [`${listed[0]!.file}: and ${isCounted ? '' : 'at least '}${number} more ${noun}${more === 1 ? '' : 's'}`];
}
