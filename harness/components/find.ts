import { delimiter, join } from 'node:path';
import { isExecutable } from '../../scripts/envoy/find.ts';
import { component, type ComponentName } from './component.ts';
import { binary } from './folder.ts';
import { isCurrent } from './goBuild.ts';

/**
 * The path of a component, or null. First the folder `$TOLLGATE_COMPONENTS`, whose programs are used as they are; then, for a Go
 * component, the cache folder, if it was built from the current lock file; for a Debian one, PATH.
 */
export async function findComponent(name: ComponentName, env: NodeJS.ProcessEnv = process.env): Promise<string | null> {
  const given = env.TOLLGATE_COMPONENTS ? await inFolders([env.TOLLGATE_COMPONENTS], name) : null;
  if (given !== null) return given;
  const known = component(name);
  if (known.from === 'go')
    return (await isCurrent(known, env)) && (await isExecutable(binary(name, env))) ? binary(name, env) : null;
  // a login shell's PATH often lacks the sbin folders
  return inFolders([...(env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'], name);
}

async function inFolders(folders: string[], name: string): Promise<string | null> {
  for (const folder of folders) {
    if (folder !== '' && (await isExecutable(join(folder, name)))) return join(folder, name);
  }
  return null;
}
