import { isDeepStrictEqual } from 'node:util';
import { Refusal } from '../command.ts';
import { printProblem, readPolicy, type Policy, type Problem } from '../policy/index.ts';
import { readPolicyFile } from '../policy/load.ts';
import type { Mapping } from '../policy/node.ts';
import { readSource } from '../policy/source.ts';
import { applyEdits, type Edit } from './edit.ts';
import { replaceFile } from './replaceFile.ts';

/** A valid policy file, open for an edit. */
export interface PolicyFile {
  readonly file: string;
  readonly text: string;
  readonly policy: Policy;
  readonly root: Mapping;
}

/** Reads a policy that must be without problems: a file that is wrong already is not edited. */
export async function openPolicyFile(file: string): Promise<PolicyFile> {
  const content = await readPolicyFile(file);
  if ('rule' in content) throw new Refusal(printProblem(content));
  const { policy, problems } = readPolicy(content.text, file);
  if (policy === null) throw new Refusal(refusalText(problems));
  return { file, text: content.text, policy, root: readSource(content.text).root as Mapping };
}

/**
 * Applies the edits and writes the file, once the result is sure to mean what it should: it is read again and compared with
 * `expected` before a byte is written.
 */
export async function savePolicyFile(open: PolicyFile, edits: readonly Edit[], expected: Policy, signal: AbortSignal): Promise<void> {
  const text = applyEdits(open.text, edits);
  const { policy, problems } = readPolicy(text, open.file);
  if (policy === null) throw new Refusal(`${refusalText(problems)}\n(as the file would be after the change; nothing was written)`);
  if (!isDeepStrictEqual(policy, expected)) throw new Refusal(`${open.file}: is written in a way that cannot be edited safely; nothing was changed`);
  await replaceFile(open.file, open.text, text, signal);
}

function refusalText(problems: readonly Problem[]): string {
  return problems.map((problem) => printProblem(problem)).join('\n');
}
