import { decode, readBounded, Unreadable } from './read.ts';
import { MAX_POLICY_BYTES } from '../policy/check/plain.ts';
import { validPolicy, type ValidPolicy, unusable } from '../policy/yaml/readPolicy.ts';
import type { PolicyText } from '../policy/yaml/files.ts';

/** Standard input to its end; rejects when that is longer than `mostBytes`. */
export type Stdin = (mostBytes: number) => Promise<Uint8Array>;

/** A policy without problems. */
export interface OpenPolicy extends ValidPolicy {
  /** What messages call the file or folder. */
  readonly name: string;
  /** Number of a folder's files; 0: it is none. */
  readonly fileCount: number;
}

/** What a policy is read from, unchecked. */
export interface PolicySource {
  /** What messages call it. */
  readonly name: string;
  /** One file, or those of a folder in their order. */
  readonly files: readonly PolicyText[];
  readonly isFolder: boolean;
}

/**
 * Opens a policy: a file, a folder of files, or standard input for `-`. Rejects with PolicyProblems for one that has problems or
 * cannot be read.
 */
export async function openPolicy(file: string, stdin?: Stdin): Promise<OpenPolicy> {
  const source = await readSource(file, stdin);
  const { name, files, isFolder } = source;
  return { name, fileCount: isFolder ? files.length : 0, ...(await validSource(source)) };
}

/** What a file, a folder or standard input holds. Rejects with PolicyProblems when it cannot be read, is too long or is not UTF-8. */
export async function readSource(file: string, stdin?: Stdin): Promise<PolicySource> {
  const name = inputName(file);
  const bytes = await bytesOf(file, stdin);
  if (bytes !== null) return { name, files: [{ file: name, text: decoded(bytes, name) }], isFolder: false };
  // loaded here, because most policies are one file
  const { readFolder } = await import('./folder.ts');
  return { name, files: await readFolder(file), isFolder: true };
}

/** The policy that was read; rejects with PolicyProblems, which names every problem, when there is one. */
export async function validSource({ name, files, isFolder }: PolicySource): Promise<ValidPolicy> {
  if (!isFolder) return validPolicy(files[0]!.text, name);
  const { validPolicyFiles } = await import('../policy/yaml/files.ts');
  return validPolicyFiles(files, name);
}

/**
 * The text of a policy file, with its byte order mark if it has one, unchecked; or of standard input for `-`.
 * Rejects with PolicyProblems when it cannot be read, is longer than MAX_POLICY_BYTES or is not UTF-8.
 */
export async function policyText(file: string, stdin?: Stdin): Promise<string> {
  const bytes = await bytesOf(file, stdin);
  if (bytes === null) throw unusable(file, 'must be a file; found a folder');
  return decoded(bytes, inputName(file));
}

function decoded(bytes: Uint8Array, name: string): string {
  const found = decode(bytes);
  if ('rule' in found) throw unusable(name, found.rule, found.line);
  return found.text;
}

/** Null for a folder. */
async function bytesOf(file: string, stdin: Stdin | undefined): Promise<Uint8Array | null> {
  if (file === '-' && stdin !== undefined) return stdin(MAX_POLICY_BYTES);
  try {
    return await readBounded(file, MAX_POLICY_BYTES);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    if (error.code === 'EISDIR') return null;
    throw unusable(file, error.message);
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
