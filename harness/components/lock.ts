import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

const POLL_MS = 500;
/** How long a lock file may stay empty: between its creation and its first byte. */
const EMPTY_MS = 10_000;

/**
 * Runs `work` while no other process on this machine does so under the same lock file, which holds its owner's process id. The
 * lock only avoids duplicate work; builds are safe without it, so it does no harm that two processes may take over a dead
 * owner's lock at the same moment.
 */
export async function underLock<T>(path: string, waiting: (owner: number) => void, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  let told = false;
  while (!(await take(path))) {
    const owner = await ownerOf(path);
    if (owner === null) await rm(path, { force: true });
    else {
      if (!told) waiting(owner);
      told = true;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** The living owner's process id (0 while it has not written it), or null when it is dead or has released the lock. */
async function ownerOf(path: string): Promise<number | null> {
  const [text, file] = await Promise.all([readFile(path, 'utf8').catch(() => ''), stat(path).catch(() => null)]);
  if (text === '') return file !== null && Date.now() - file.mtimeMs < EMPTY_MS ? 0 : null;
  try {
    process.kill(Number(text), 0);
    return Number(text);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? Number(text) : null;
  }
}
