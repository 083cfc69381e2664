import { Refusal } from '../cli/command.ts';
import { printProblem, printProblems, printWarnings, readPolicy, type Policy } from '../policy/index.ts';
import { readPolicyFile } from '../policy/input.ts';

export interface CheckedPolicy {
  readonly policy: Policy;
  /** Printed warnings: what its author hardly meant. */
  readonly warnings: readonly string[];
}

/** The file's text; a Refusal when it cannot be read. */
export async function policyTextOf(file: string): Promise<string> {
  const content = await readPolicyFile(file);
  if ('rule' in content) throw new Refusal(printProblem(content));
  return content.text;
}

/** The policy in a text; a Refusal that lists every problem when it has any. */
export function checkedPolicy(text: string, file: string): CheckedPolicy {
  const result = readPolicy(text, file);
  if (result.policy === null) throw new Refusal(printProblems(result));
  return { policy: result.policy, warnings: printWarnings(result) };
}
