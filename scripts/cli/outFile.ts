import { randomBytes } from 'node:crypto';
import { chmod, chown, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Refusal, type Io } from './command.ts';

/**
 * Prints a command's result: to standard output without a file or with `-`, otherwise into the file. Unlike a shell's `>`,
 * which empties the file before the command begins, and which some shells write in UTF-16, the file holds the old text or the
 * whole new one, in UTF-8.
 */
export async function printTo(file: string | undefined, text: string, io: Io): Promise<void> {
  if (file === undefined || file === '-') return io.out(text);
  try {
    await replace(file, text);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(`${file}: cannot be written: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

async function replace(file: string, text: string): Promise<void> {
  const old = await stat(file).catch(() => null);
  if (old?.isDirectory()) throw new Refusal(`${file}: is a folder; name a file`);
  // a pipe or a device, such as /dev/stdout, is written to and not replaced
  if (old !== null && !old.isFile()) return writeFile(file, text);
  const target = old === null ? file : await realpath(file);
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await writeFile(temporary, text, { flag: 'wx' });
    if (old !== null) {
      await chown(temporary, old.uid, old.gid).catch(() => undefined);
      await chmod(temporary, old.mode & 0o7777);
    }
    await rename(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
}
