import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Refusal } from '../cli/command.ts';
import { writeRule } from './writeRule.ts';

/** Where a file really is, behind its links, and what the files beside it are called that belong to an edit of it. */
export interface Place {
  /** As the user wrote it, for messages. */
  readonly file: string;
  readonly target: string;
  readonly folder: string;
  readonly lock: string;
  /** Of new texts that wait to be put in the target's place: the same for every process that edits it. */
  readonly draftPrefix: string;
}

export const DRAFT_SUFFIX = '.tmp';

/** The place of a file that may be edited; a Refusal for one that may not. */
export async function placeOf(file: string): Promise<Place> {
  const target = await realpath(file).catch((error: NodeJS.ErrnoException) => {
    throw new Refusal(`${file}: ${error.code === 'ENOENT' ? 'no such file' : writeRule(error)}`);
  });
  if (!(await stat(target)).isFile()) throw new Refusal(`${file}: is changed in its place, so it must be a file`);
  await access(target, constants.W_OK).catch(() => {
    throw new Refusal(`${file}: may not be written; nothing was changed`);
  });
  const folder = dirname(target);
  // A digest, because a name of 255 bytes leaves no room; in one case, because some file systems know no other.
  const prefix = `.tollgate.${createHash('sha256').update(basename(target).normalize().toLowerCase()).digest('hex').slice(0, 16)}.`;
  return { file, target, folder, lock: join(folder, `${prefix}lock`), draftPrefix: prefix };
}

/** A path for a draft that no other process uses. */
export function newDraft({ folder, draftPrefix }: Place): string {
  return join(folder, `${draftPrefix}${randomBytes(8).toString('hex')}${DRAFT_SUFFIX}`);
}
