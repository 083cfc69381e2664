import { randomBytes } from 'node:crypto';
import { access, constants, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Refusal } from '../command.ts';

/**
 * Puts a new text in the place of a file, at once or not at all: readers see the old bytes or the new, and a stop halfway
 * leaves the old. A link stays a link, and the mode is kept. Refuses when the file is no longer what it was when read.
 */
export async function replaceFile(file: string, before: string, after: string, signal: AbortSignal): Promise<void> {
  const target = await realpath(file);
  await access(target, constants.W_OK).catch(() => {
    throw new Refusal(`${file}: may not be written; nothing was changed`);
  });
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await writeLike(target, temporary, after);
    if (!(await readFile(target)).equals(Buffer.from(before))) throw new Refusal(`${file}: was changed by somebody else meanwhile; nothing was written`);
    if (signal.aborted) throw new Refusal(`${file}: stopped; nothing was written`);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof Refusal) throw error;
    throw new Refusal(`${file}: cannot be written: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

/** A file with the target's mode and, where that is allowed, its owner. */
async function writeLike(target: string, temporary: string, text: string): Promise<void> {
  const { mode, uid, gid } = await stat(target);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.chown(uid, gid).catch(() => undefined);
    await handle.chmod(mode & 0o7777);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
