import { decode, readBounded, Unreadable } from './read.ts';
import { MAX_POLICY_BYTES } from '../policy/check/plain.ts';
import { validPolicy, type ValidPolicy, unusable } from '../policy/yaml/readPolicy.ts';

/** Standard input to its end; rejects when that is longer than `mostBytes`. */
export type Stdin = (mostBytes: number) => Promise<Uint8Array>;

/** A policy without problems, with the text that it was read from. */
export interface OpenPolicy extends ValidPolicy {
  /** What messages call the file. */
  readonly name: string;
  readonly text: string;
}

/** Opens a policy file, or standard input for `-`. Rejects with PolicyProblems for one that has problems or cannot be read. */
export async function openPolicy(file: string, stdin?: Stdin): Promise<OpenPolicy> {
  const text = await policyText(file, stdin);
  const name = inputName(file);
  return { name, text, ...validPolicy(text, name) };
}

/**
 * The text of a policy, with its byte order mark if it has one, unchecked: of a file, or of standard input for `-`.
 * Rejects with PolicyProblems when it cannot be read, is longer than MAX_POLICY_BYTES or is not UTF-8.
 */
export async function policyText(file: string, stdin?: Stdin): Promise<string> {
  const name = inputName(file);
  const decoded = decode(await bytesOf(file, stdin));
  if ('rule' in decoded) throw unusable(name, decoded.rule, decoded.line);
  return decoded.text;
}

async function bytesOf(file: string, stdin: Stdin | undefined): Promise<Uint8Array> {
  if (file === '-' && stdin !== undefined) return stdin(MAX_POLICY_BYTES);
  try {
    return await readBounded(file, MAX_POLICY_BYTES);
  } catch (error) {
    if (error instanceof Unreadable) throw unusable(file, error.message);
    throw error;
  }
}

/** What messages call a file that was named on the command line. */
export function inputName(file: string): string {
  return file === '-' ? 'standard input' : file;
}

/** True when standard input is named more than once: it can be read once only. */
export function isReadTwice(files: readonly string[]): boolean {
  return files.filter((file) => file === '-').length > 1;
}
