import * as file from '../file/openPolicy.ts';
import { PolicyProblems } from './problem.ts';
import type { LoadResult } from './yaml/readPolicy.ts';

/** As `openPolicy` of file/openPolicy.ts, but with problems in the result. */
export async function loadPolicy(name: string): Promise<LoadResult> {
  try {
    const { policy, warnings, moreWarnings } = await file.openPolicy(name);
    return { policy, problems: [], more: 0, isCounted: true, warnings: [...warnings], moreWarnings };
  } catch (error) {
    if (!(error instanceof PolicyProblems)) throw error;
    const { problems, more, isCounted } = error;
    return { policy: null, problems: [...problems], more, isCounted, warnings: [], moreWarnings: 0 };
  }
}
