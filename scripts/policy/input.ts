import type { Io } from '../command.ts';
import { loadPolicy, readPolicy, type LoadResult } from './load.ts';

/** The policy of a file, or of standard input for `-`. */
export async function openPolicy(file: string, io: Io): Promise<LoadResult> {
  return file === '-' ? readPolicy(await io.stdin(), 'standard input') : loadPolicy(file);
}
