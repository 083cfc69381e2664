import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { BuildError } from './error.ts';
import { inPackage, isCheckout, modulePath } from '../file/packageRoot.ts';
import type { Ingredient } from '../oci/sbom.ts';

export { modulePath };

export interface BuiltModule {
  /** The wasm file. */
  readonly path: string;
  readonly bytes: number;
  /** Hex digest of the file. */
  readonly sha256: string;
}

/** What an installed package says about the module inside it, written when the package was made. */
export interface ShippedModule {
  readonly bytes: number;
  /** Hex digest of the wasm file. */
  readonly sha256: string;
  /** The commit that it was built from; null when the checkout had uncommitted changes. */
  readonly revision: string | null;
  readonly ingredients: readonly Ingredient[];
}

/**
 * The module, up to date: in a checkout built anew when its sources have changed, in a package the one inside. Throws a
 * BuildError when that one is not the module that the package was made with.
 */
export async function currentModule(onBuild?: () => void): Promise<BuiltModule> {
  if (isCheckout) return (await import('./compile.ts')).currentBuild(onBuild);
  const [bytes, { sha256 }] = await Promise.all([inside(modulePath), shippedModule()]);
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256) throw new BuildError(broken(`must have the SHA-256 digest ${sha256}; found ${found}`));
  return { path: modulePath, bytes: bytes.length, sha256 };
}

/** Throws a BuildError where the package is not whole. Only for a package: a checkout has no such record. */
export async function shippedModule(): Promise<ShippedModule> {
  return JSON.parse((await inside(inPackage('dist', 'module.json'))).toString()) as ShippedModule;
}

async function inside(path: string): Promise<Buffer> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new BuildError(broken(`${path} cannot be read: ${error.code ?? error.message}`));
  });
}

function broken(rule: string): string {
  return `${modulePath}: ${rule}; the package was changed after it was made: install it again`;
}
