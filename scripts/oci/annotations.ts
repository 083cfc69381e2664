import { readFile } from 'node:fs/promises';
import { UsageError } from '../cli/command.ts';
import { inPackage, packageRoot } from '../file/packageRoot.ts';
import type { Annotations } from './bundle.ts';
import { cleanRevision } from './revision.ts';

interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly repository?: string | { readonly url: string };
}

/** What the image says about the module that this package builds. No time: the same input gives the same bytes. */
export async function ownAnnotations(): Promise<Annotations> {
  const about = JSON.parse(await readFile(inPackage('package.json'), 'utf8')) as PackageJson;
  const revision = await cleanRevision(packageRoot);
  const source = sourceOf(about);
  return {
    'org.opencontainers.image.title': about.name,
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

const KEY = /^[a-z0-9]+([./_-][a-z0-9]+)*$/;

/** `--annotation KEY=VALUE`, several times. An empty value takes the annotation away. */
export function withGiven(annotations: Annotations, given: readonly string[]): Annotations {
  const result = { ...annotations };
  for (const text of given) {
    const at = text.indexOf('=');
    const key = text.slice(0, Math.max(at, 0));
    if (!KEY.test(key))
      throw new UsageError(
        `--annotation is KEY=VALUE with a key such as org.opencontainers.image.source; found "${text}"`,
      );
    if (at === text.length - 1) delete result[key];
    else result[key] = text.slice(at + 1);
  }
  return result;
}
