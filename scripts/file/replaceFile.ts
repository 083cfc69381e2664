import { createHash, randomBytes } from 'node:crypto';
import { constants, readFileSync, realpathSync, renameSync } from 'node:fs';
import { access, open, readdir, realpath, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** A file of the user's cannot be replaced. The message begins with the file's name; whatever failed, the file is as it was. */
export class FileError extends Error {
  override readonly name: string = 'FileError';
}

const RULES: Readonly<Record<string, string>> = {
  EACCES: 'permission denied; it is replaced by a new file, so its folder must be writable too',
  EPERM: 'not permitted; it is replaced by a new file, so its folder must be writable too',
  EROFS: 'its file system is read-only',
  ENOSPC: 'no space is left on its disk',
  EDQUOT: 'the quota of its disk is used up',
  EFBIG: 'the file would be larger than is allowed',
  EBUSY: 'it is mounted by itself, as a container does with a single file; mount its folder instead',
};

/** Why a file could not be written, for a message. */
export function writeRule(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return `cannot be written: ${(code !== undefined && RULES[code]) || code || String(error)}`;
}

/** Where a file really is, behind its links, and the names of the files beside it that belong to an edit. */
export interface FilePlace {
  /** As the user wrote it, for messages. */
  readonly file: string;
  readonly target: string;
  /** Size of the file when it was looked up. */
  readonly bytes: number;
  readonly folder: string;
  readonly lock: string;
  /** Of new contents that wait to replace the target's: the same for every process that edits it. */
  readonly draftPrefix: string;
}

const DRAFT_SUFFIX = '.tmp';

/** The place of a file that may be edited; rejects with a FileError for one that may not. */
export async function placeOf(file: string): Promise<FilePlace> {
  const target = await realpath(file).catch((error: NodeJS.ErrnoException) => {
    throw new FileError(`${file}: ${error.code === 'ENOENT' ? 'no such file' : writeRule(error)}`);
  });
  const found = await stat(target);
  if (!found.isFile()) throw new FileError(`${file}: is changed in its place, so it must be a file`);
  await access(target, constants.W_OK).catch(() => {
    throw new FileError(`${file}: may not be written; nothing was changed`);
  });
  const folder = dirname(target);
  // A digest, because a name of 255 bytes leaves no room; of lower case, because some file systems ignore case.
  const prefix = `.tollgate.${createHash('sha256').update(basename(target).normalize().toLowerCase()).digest('hex').slice(0, 16)}.`;
  return { file, target, bytes: found.size, folder, lock: join(folder, `${prefix}lock`), draftPrefix: prefix };
}

/** A path for a draft that no other process uses. */
function newDraft({ folder, draftPrefix }: FilePlace): string {
  return join(folder, `${draftPrefix}${randomBytes(8).toString('hex')}${DRAFT_SUFFIX}`);
}

interface Replacement {
  readonly before: string;
  readonly after: string;
  /** Called when nothing but the last step is left; a throw leaves the file as it is. */
  readonly ready?: (() => Promise<void>) | undefined;
}

/**
 * Replaces the content of a file as a whole or not at all: readers see the old bytes or the new, and a stop halfway
 * leaves the old. False when the file is no longer what was read, and nothing was written.
 *
 * Of all processes that do this at the same time one wins, without relying on clocks or locks:
 *
 *   1 write a draft beside the file   2 delete all other drafts   3 compare the file   4 rename the draft over it
 *
 * A rival's draft is older than our step 2, so that it is gone before we compare and its rename fails; or it is younger,
 * so that the rival's own step 2 comes after our step 1, and either deletes our draft or sees what we have written. What
 * a killed process left is deleted by the next. An editor knows nothing of drafts; it would have to save in the
 * microseconds between 3 and 4.
 */
export async function replaceFile(
  place: FilePlace,
  { before, after, ready }: Replacement,
  signal: AbortSignal,
): Promise<boolean> {
  const draft = newDraft(place);
  try {
    await writeLike(place, draft, after);
    refuseWhenStopped(place, signal);
    await ready?.();
    await deleteOtherDrafts(place, draft);
    refuseWhenStopped(place, signal);
    if (!renameIfSame(place, draft, before, after)) return false;
    await syncFolder(place.folder);
    return true;
  } catch (error) {
    // what `ready` throws is for the caller
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new FileError(`${place.file}: ${writeRule(error)}; nothing was written`, { cause: error });
  } finally {
    await rm(draft, { force: true }).catch(() => undefined);
  }
}

function refuseWhenStopped({ file }: FilePlace, signal: AbortSignal): void {
  if (signal.aborted) throw new FileError(`${file}: stopped; nothing was written`);
}

/** A file with the target's owner and mode: a reader that lost its right to the policy would be as bad as one that gained it. */
async function writeLike(place: FilePlace, draft: string, text: string): Promise<void> {
  const wanted = await stat(place.target);
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    const own = await handle.stat();
    if (own.uid !== wanted.uid || own.gid !== wanted.gid)
      await handle.chown(wanted.uid, wanted.gid).catch(() => undefined);
    await handle.chmod(wanted.mode & 0o7777).catch(() => undefined);
    const { uid, gid, mode } = await handle.stat();
    if (uid !== wanted.uid || gid !== wanted.gid || (mode & 0o777) !== (wanted.mode & 0o777)) {
      const { file } = place;
      throw new FileError(
        `${file}: belongs to user ${wanted.uid} and group ${wanted.gid}, and a new file in its place would not; nothing was written`,
      );
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function deleteOtherDrafts({ folder, draftPrefix }: FilePlace, own: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (name.startsWith(draftPrefix) && name.endsWith(DRAFT_SUFFIX) && path !== own) await rm(path, { force: true });
  }
}

/** Synchronous, so that an editor has no time to save between the steps. */
function renameIfSame({ file, target }: FilePlace, draft: string, before: string, after: string): boolean {
  try {
    if (realpathSync(file) !== target || !readFileSync(target).equals(Buffer.from(before))) return false;
    renameSync(draft, target);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    // A rival deleted the draft; or a network file system did what we asked, lost its answer, and asked once more.
    return isText(target, after);
  }
}

function isText(path: string, text: string): boolean {
  try {
    return readFileSync(path).equals(Buffer.from(text));
  } catch {
    return false;
  }
}

/** So that the new name survives a power failure; not every platform can do that. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder).catch(() => null);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
