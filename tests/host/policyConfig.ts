import { compilePolicy, printProblem, readPolicy } from '../../scripts/policy/index.ts';

/** The plugin config of a policy file's text, as the tool compiles it at a time; default: now. */
export function policyConfig(policy: string, atMs: number = Date.now()): string {
  const { policy: read, problems } = readPolicy(policy, 'case.policy.yaml');
  if (read === null) throw new Error(problems.map((problem) => printProblem(problem)).join('\n'));
  return JSON.stringify(compilePolicy(read, atMs / 1000));
}
