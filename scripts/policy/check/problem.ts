/** Something a policy may not be, or (as a warning) something its author hardly meant. */
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

/** `file:line: path: rule; found "x"`, or `file:line:column: rule` where no path tells the place; a warning says so after the line. */
export function printProblem(problem: Problem, kind: 'problem' | 'warning' = 'problem'): string {
  const column = problem.path === '' && problem.column > 0 ? `:${problem.column}` : '';
  const place = problem.line > 0 ? `${problem.file}:${problem.line}${column}: ` : `${problem.file}: `;
  const path = problem.path === '' ? '' : `${problem.path}: `;
  const found = problem.found === undefined ? '' : `; found ${problem.found}`;
  return place + (kind === 'warning' ? 'warning: ' : '') + path + problem.rule + found;
}

/** All lines of a refusal, and how many problems it does not list. */
export function printProblems({
  problems,
  more,
  isCounted,
}: {
  readonly problems: readonly Problem[];
  readonly more: number;
  readonly isCounted: boolean;
}): string {
  return [...problems.map((problem) => printProblem(problem)), ...rest(problems, more, 'problem', isCounted)].join(
    '\n',
  );
}

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
  return more === 0
    ? []
    : [
        `${listed[0]!.file}: and ${isCounted ? '' : 'at least '}${String(more).replace(/\B(?=(?:\d{3})+$)/g, ',')} more ${noun}${more === 1 ? '' : 's'}`,
      ];
}
