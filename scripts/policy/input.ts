import type { Io } from '../command.ts';
import { loadPolicy, readPolicy, type LoadResult } from './load.ts';

/** The policy of a file, or of standard input for `-`. */
export async function openPolicy(file: string, io: Io): Promise<LoadResult> {
  return file === '-' ? readPolicy(await io.stdin(), inputName(file)) : loadPolicy(file);
}

/** What messages call it. */
export function inputName(file: string): string {
  return file === '-' ? 'standard input' : file;
}
