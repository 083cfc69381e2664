import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

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

/** What the module is made of, as installed in this checkout. */
export async function installedIngredients(): Promise<Ingredient[]> {
  return Promise.all(ROLES.map(([dependency, role]) => ingredient(dependency, role)));
}

async function ingredient(dependency: string, role: Role): Promise<Ingredient> {
  const text = await readFile(require.resolve(`${dependency}/package.json`), 'utf8');
  const { name, version, license } = JSON.parse(text) as { name: string; version: string; license: string };
  return { name, version, license: license.trim(), purl: `pkg:npm/${name.replace('@', '%40')}@${version}`, role };
}
