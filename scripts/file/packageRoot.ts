import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json, filter/ and assembly/: a checkout, or the installed package. */
export const packageRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export function inPackage(...names: string[]): string {
  return join(packageRoot, ...names);
}
