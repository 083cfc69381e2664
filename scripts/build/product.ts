import { readFile, realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { packageJson, type PackageJson } from '../file/packageJson.ts';
import { isCheckout, packageRoot } from '../file/packageRoot.ts';
import type { Ingredient, Product, Role } from '../oci/sbom.ts';
import { runToEnd } from '../program/run.ts';
import { shippedModule } from './module.ts';

/** What the module of this package is made of: as installed here, or as it was when the package was made. */
export async function productOf(sha256: string): Promise<Product> {
  const { name, version, license } = await packageJson();
  const ingredients = isCheckout ? await installedIngredients() : (await shippedModule()).ingredients;
  return { name: productName(name), version, license, sha256, ingredients };
}

/** npm's name without its scope: who publishes the package says nothing about the module. */
function productName(packageName: string): string {
  return packageName.slice(packageName.indexOf('/') + 1);
}

/** What the image says about the module that this package builds. No time: the same input gives the same bytes. */
export async function ownAnnotations(): Promise<Record<string, string>> {
  const about = await packageJson();
  const revision = isCheckout ? await cleanRevision(packageRoot) : (await shippedModule()).revision;
  const source = sourceOf(about);
  return {
    'org.opencontainers.image.title': productName(about.name),
    'org.opencontainers.image.version': about.version,
    ...(revision === null ? {} : { 'org.opencontainers.image.revision': revision }),
    ...(source === null ? {} : { 'org.opencontainers.image.source': source }),
    'org.opencontainers.image.licenses': about.license,
  };
}

/** The address of the sources for people, from npm's way to write it: `git+https://host/x.git` is `https://host/x`. */
function sourceOf({ repository }: PackageJson): string | null {
  const text = typeof repository === 'string' ? repository : repository?.url;
  return text === undefined ? null : text.replace(/^git\+/, '').replace(/\.git$/, '');
}

/**
 * The commit of a checkout, when the files are what the commit says; otherwise null: an image must not claim a commit it
 * was not made from. An installed package inside somebody else's checkout has no commit.
 */
export async function cleanRevision(folder: string): Promise<string | null> {
  const top = await git(folder, ['rev-parse', '--show-toplevel']);
  if (top === null || (await realpath(top)) !== (await realpath(folder))) return null;
  const [commit, changes] = await Promise.all([
    git(folder, ['rev-parse', 'HEAD']),
    git(folder, ['status', '--porcelain']),
  ]);
  return changes === '' ? commit : null;
}

/** The day of the commit that is checked out, such as `2026-01-31`; null without git. */
export async function commitDate(folder: string): Promise<string | null> {
  return git(folder, ['log', '-1', '--format=%cd', '--date=format:%Y-%m-%d']);
}

async function git(folder: string, args: string[]): Promise<string | null> {
  // a hook or an alias that set these would make git answer for another repository
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')));
  const { code, stdout } = await runToEnd('git', ['-C', folder, ...args], { env: { ...env, GIT_OPTIONAL_LOCKS: '0' } });
  return code === 0 ? stdout.trimEnd() : null;
}

const require = createRequire(import.meta.url);

/** The module has few: the compiler comes with its standard library, and the SDK declares the host's functions. */
const ROLES: readonly (readonly [string, Role])[] = [
  ['@solo-io/proxy-runtime', 'declarations'],
  ['assemblyscript', 'compiled'],
  ['binaryen', 'tool'],
];

/** What the module is made of, as installed in this checkout. */
export async function installedIngredients(): Promise<Ingredient[]> {
  return Promise.all(ROLES.map(([dependency, role]) => ingredient(dependency, role)));
}

async function ingredient(dependency: string, role: Role): Promise<Ingredient> {
  const text = await readFile(require.resolve(`${dependency}/package.json`), 'utf8');
  const { name, version, license } = JSON.parse(text) as { name: string; version: string; license: string };
  return { name, version, license: license.trim(), purl: `pkg:npm/${name.replace('@', '%40')}@${version}`, role };
}
