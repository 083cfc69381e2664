import type { Io } from '../cli/command.ts';
import { decode } from './yaml/decode.ts';
import { loadPolicy, MAX_POLICY_BYTES, readPolicy, readPolicyFile, unusable, type LoadResult } from './load.ts';
import type { Problem } from './check/problem.ts';

/** The policy of a file, or of standard input for `-`. */
export async function openPolicy(file: string, io: Io): Promise<LoadResult> {
  if (file !== '-') return loadPolicy(file);
  const content = await policyText(file, io);
  return 'rule' in content ? unusable(content) : readPolicy(content.text, inputName(file));
}

/** The text of a policy, from a file or from standard input for `-`; or why there is none. */
export async function policyText(file: string, io: Io): Promise<{ text: string } | Problem> {
  if (file !== '-') return readPolicyFile(file);
  const decoded = decode(await io.stdin(MAX_POLICY_BYTES));
  return 'rule' in decoded ? { file: inputName(file), column: 0, path: '', ...decoded } : decoded;
}

/** What messages call it. */
export function inputName(file: string): string {
  return file === '-' ? 'standard input' : file;
}

/** True when standard input is named more than once: it can be read once only. */
export function isReadTwice(files: readonly string[]): boolean {
  return files.filter((file) => file === '-').length > 1;
}
