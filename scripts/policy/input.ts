import type { Io } from '../cli/command.ts';
import * as file from '../file/openPolicy.ts';
import { PolicyProblems, type Problem } from './problem.ts';
import type { LoadResult } from './yaml/readPolicy.ts';

export { inputName, isReadTwice } from '../file/openPolicy.ts';

/** As `openPolicy` of file/openPolicy.ts, but with problems in the result. */
export function openPolicy(name: string, io: Io): Promise<LoadResult> {
  return settled(file.openPolicy(name, (most) => io.stdin(most)));
}

export function loadPolicy(name: string): Promise<LoadResult> {
  return settled(file.openPolicy(name));
}

async function settled(opened: Promise<file.OpenPolicy>): Promise<LoadResult> {
  try {
    const { policy, warnings, moreWarnings } = await opened;
    return { policy, problems: [], more: 0, isCounted: true, warnings: [...warnings], moreWarnings };
  } catch (error) {
    if (!(error instanceof PolicyProblems)) throw error;
    const { problems, more, isCounted } = error;
    return { policy: null, problems: [...problems], more, isCounted, warnings: [], moreWarnings: 0 };
  }
}

export function readPolicyFile(name: string): Promise<{ text: string } | Problem> {
  return textOr(file.policyText(name));
}

export function policyText(name: string, io: Io): Promise<{ text: string } | Problem> {
  return textOr(file.policyText(name, (most) => io.stdin(most)));
}

async function textOr(text: Promise<string>): Promise<{ text: string } | Problem> {
  try {
    return { text: await text };
  } catch (error) {
    if (error instanceof PolicyProblems) return error.problems[0]!;
    throw error;
  }
}
