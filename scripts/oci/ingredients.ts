import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { inPackage } from '../file/packageRoot.ts';

export interface Ingredient {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** Package URL: the name that databases of vulnerabilities use. */
  readonly purl: string;
  readonly role: Role;
}

/** `compiled`: its code is in the module. `declarations`: its sources are read, none of its code is in. `tool`: it worked on the module. */
export type Role = 'compiled' | 'declarations' | 'tool';

const require = createRequire(import.meta.url);

/** The module has few: the compiler brings its standard library along, host functions are declared by the SDK. */
const ROLES: readonly (readonly [string, Role])[] = [
  ['@solo-io/proxy-runtime', 'declarations'],
  ['assemblyscript', 'compiled'],
  ['binaryen', 'tool'],
];

interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

export interface Product {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** Hex digest of the wasm file. */
  readonly sha256: string;
  readonly ingredients: readonly Ingredient[];
}

/** What the module of this package is made of, as installed here. */
export async function productOf(sha256: string): Promise<Product> {
  const { name, version, license } = await packageJson(inPackage('package.json'));
  return {
    name,
    version,
    license,
    sha256,
    ingredients: await Promise.all(ROLES.map(([dependency, role]) => ingredient(dependency, role))),
  };
}

async function ingredient(dependency: string, role: Role): Promise<Ingredient> {
  const { name, version, license } = await packageJson(require.resolve(`${dependency}/package.json`));
  return { name, version, license: license.trim(), purl: `pkg:npm/${name.replace('@', '%40')}@${version}`, role };
}

async function packageJson(path: string): Promise<PackageJson> {
  return JSON.parse(await readFile(path, 'utf8')) as PackageJson;
}
