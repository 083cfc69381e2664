import { readFile } from 'node:fs/promises';
import { inPackage } from './packageRoot.ts';

/** What package.json says of this package. */
export interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly repository?: string | { readonly url: string };
}

export async function packageJson(): Promise<PackageJson> {
  return JSON.parse(await readFile(inPackage('package.json'), 'utf8')) as PackageJson;
}

/**
 * Where editors find the JSON Schema of this version's policies: in the published package, through a CDN that serves npm's
 * packages as they are. Name and version are those of package.json, so a change of either needs no other.
 */
export function schemaUrl({ name, version }: PackageJson): string {
  return `https://unpkg.com/${name}@${version}/schema/policy.schema.json`;
}
