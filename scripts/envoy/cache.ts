import { homedir } from 'node:os';
import { join, sep } from 'node:path';
import { inPackage, packageRoot } from '../file/packageRoot.ts';

/**
 * Where downloaded binaries stay: `.cache/` of a checkout, the user's cache folder for an installed package
 * (which may be read-only, and is deleted by every `npm ci`).
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (!packageRoot.split(sep).includes('node_modules')) return inPackage('.cache');
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'tollgate');
  return process.platform === 'darwin'
    ? join(homedir(), 'Library', 'Caches', 'tollgate')
    : join(homedir(), '.cache', 'tollgate');
}
