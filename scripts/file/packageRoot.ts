import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json: a checkout, where scripts/ runs as it is, or the installed package with dist/. */
export const packageRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** True where the sources are; an installed package holds JavaScript, the module and nothing to build it from. */
export const isCheckout = import.meta.url.endsWith('.ts');

/** Where the module is: in a checkout where it is built, in a package where it was shipped. */
export const modulePath = isCheckout ? inPackage('build', 'tollgate.wasm') : inPackage('dist', 'tollgate.wasm');

export function inPackage(...names: string[]): string {
  return join(packageRoot, ...names);
}
