import * as file from '../../scripts/file/openPolicy.ts';
import { PolicyProblems, type LoadResult } from '../../scripts/policy/yaml/readPolicy.ts';

/** A policy file as `openPolicy` opens it, with problems in the result. */
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
