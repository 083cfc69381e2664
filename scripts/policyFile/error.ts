import { printProblems, type Problem, type ProblemList } from '../policy/index.ts';

/**
 * A change of a policy file that is refused: it names something that the policy does not have, or cannot be written
 * safely. The file is as it was.
 */
export class PolicyFileError extends Error {
  override readonly name: string = 'PolicyFileError';
}

/** Rows that cannot be imported, by line. Values of rows are never part of a message, because any of them may be a key. */
export class RowProblems extends PolicyFileError implements ProblemList {
  override readonly name = 'RowProblems';
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
