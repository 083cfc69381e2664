import { randomBytes } from 'node:crypto';
import { open, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { FileError, type FilePlace, writeRule } from './replaceFile.ts';

/** A lock that has not changed for this long belongs to a process that hangs, or was killed on another machine. */
const PATIENCE_MS = 5_000;
const PAUSE_MS = 10;

/** What processes take turns at. */
export type TurnAt = Pick<FilePlace, 'file' | 'lock'>;

/** Where processes take turns at a folder as a whole, before they change files in it; null for what is no folder. */
export async function turnOfFolder(folder: string): Promise<TurnAt | null> {
  if ((await stat(folder).catch(() => null))?.isDirectory() !== true) return null;
  return { file: folder, lock: join(await realpath(folder), '.tollgate.folder.lock') };
}

/**
 * Does the work while no other process has its turn at the same file. A lock file says whose turn it is. It is a
 * courtesy, not a guarantee: one that was left behind is removed, and where a process wrongly loses its turn,
 * `replaceFile` still loses no edit. Work that takes longer than others wait renews the lock now and then.
 */
export async function inTurn<T>(
  place: TurnAt,
  signal: AbortSignal,
  work: (stillHere: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const holder = `${hostname()} ${process.pid} ${randomBytes(8).toString('hex')}`;
  const isOurs = async (): Promise<boolean> => (await holderOf(place.lock))?.startsWith(holder) === true;
  let signs = 0;
  await take(place, holder, signal);
  try {
    return await work(async () => {
      if (await isOurs()) await writeFile(place.lock, `${holder} ${++signs}`, { flag: 'r+' }).catch(() => undefined);
    });
  } finally {
    if (await isOurs()) await rm(place.lock, { force: true });
  }
}

async function take(place: TurnAt, holder: string, signal: AbortSignal): Promise<void> {
  let seen: { holder: string | null; sinceMs: number } = { holder: null, sinceMs: performance.now() };
  while (!(await create(place, holder))) {
    if (signal.aborted) throw new FileError(`${place.file}: stopped; nothing was written`);
    const other = await holderOf(place.lock);
    if (other !== seen.holder) seen = { holder: other, sinceMs: performance.now() };
    if (other !== null && (hasEnded(other) || performance.now() - seen.sinceMs > PATIENCE_MS))
      await rm(place.lock, { force: true });
    else await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * (1 + 3 * Math.random())));
  }
}

/** False when there is a lock already. */
async function create(place: TurnAt, holder: string): Promise<boolean> {
  try {
    const handle = await open(place.lock, 'wx', 0o600);
    try {
      await handle.writeFile(holder);
    } catch (error) {
      await rm(place.lock, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new FileError(`${place.file}: ${writeRule(error)}; nothing was written`);
  }
}

/** Null when nobody has the lock; empty while its holder has not yet written who it is, or where we may not read it. */
function holderOf(lock: string): Promise<string | null> {
  return readFile(lock, 'utf8').catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? null : ''));
}

/** True when the holder was a process of this machine that has ended. */
function hasEnded(holder: string): boolean {
  const [host, pid] = holder.split(' ');
  if (host !== hostname() || !/^[1-9]\d*$/.test(pid ?? '')) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
