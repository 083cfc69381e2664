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

/** `file:line: path: rule; found "x"`; a warning says so after the line. */
export function printProblem(problem: Problem, kind: 'problem' | 'warning' = 'problem'): string {
  const place = problem.line > 0 ? `${problem.file}:${problem.line}: ` : `${problem.file}: `;
  const path = problem.path === '' ? '' : `${problem.path}: `;
  const found = problem.found === undefined ? '' : `; found ${problem.found}`;
  return place + (kind === 'warning' ? 'warning: ' : '') + path + problem.rule + found;
}

/** In the order of the file. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
}
