import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and what is missing above it. Node's `recursive` retries for ever where no folder can be made, as in
 * /proc.
 */
export async function makeFolder(folder: string): Promise<void> {
  const path = resolve(folder);
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && dirname(path) !== path) {
      await makeFolder(dirname(path));
      await mkdir(path).catch((again: NodeJS.ErrnoException) => failUnlessFolder(path, again));
    } else await failUnlessFolder(path, error as NodeJS.ErrnoException);
  }
}

async function failUnlessFolder(path: string, error: NodeJS.ErrnoException): Promise<void> {
  const isFolder =
    error.code === 'EEXIST' &&
    (await stat(path).then(
      (there) => there.isDirectory(),
      () => false,
    ));
  if (!isFolder) throw error;
}
