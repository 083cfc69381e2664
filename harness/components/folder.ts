import { homedir } from 'node:os';
import { join } from 'node:path';

/** The user's cache folder for programs that take minutes to build: shared by all checkouts, and kept when one is deleted. */
export function componentsFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tollgate');
}

export function binary(name: string, env: NodeJS.ProcessEnv = process.env): string {
  return join(componentsFolder(env), 'bin', name);
}

/** The file that says what the binary of that name was built from. */
export function stampFile(name: string, env: NodeJS.ProcessEnv = process.env): string {
  return join(componentsFolder(env), 'stamps', name);
}
