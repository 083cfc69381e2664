import { randomBytes } from 'node:crypto';
import { lstat, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EmitError } from './error.ts';
import { readBounded, Unreadable } from '../file/read.ts';
import { makeFolder } from '../file/makeFolder.ts';
import type { EmittedFile } from './emit.ts';
import { isKustomization, KUSTOMIZATION, kustomizationOf } from './kustomization.ts';
import { emittedFrom } from './resource.ts';

/** More than the YAML of what etcd takes. */
const MAX_EMITTED_BYTES = 8 * 1024 * 1024;

export type FileChange = 'new' | 'changed' | 'unchanged' | 'stale';

export interface PlannedFile {
  readonly name: string;
  readonly change: FileChange;
  /** Null for a stale file. */
  readonly text: string | null;
  /** Null for a stale file, and for the list of the others. */
  readonly emitted: EmittedFile | null;
}

/**
 * What writing the files would do to the folder. A file that an earlier emit of this policy left and that is no longer
 * needed, and that this emit `covers`, is stale; files of anybody else are never touched, and one that is in the way is
 * refused. With `kustomization`, or where an earlier emit made one, kustomization.yaml lists what the folder then holds.
 */
export async function planOf(
  folder: string,
  files: readonly EmittedFile[],
  policy: string,
  covers: (name: string) => boolean,
  kustomization = false,
): Promise<PlannedFile[]> {
  const present = await filesIn(folder);
  const wanted = files.map(({ name }) => name);
  const hasList = isKustomization(present.get(KUSTOMIZATION));
  for (const name of kustomization ? [...wanted, KUSTOMIZATION] : wanted)
    if (!present.has(name)) await mustBeFree(join(folder, name));
  if (kustomization && !hasList && present.has(KUSTOMIZATION)) throw foreign(join(folder, KUSTOMIZATION));
  const replaced = files.map((emitted): PlannedFile => {
    const text = present.get(emitted.name);
    if (text !== undefined && emittedFrom(text) === null) throw foreign(join(folder, emitted.name));
    return { ...planned(emitted.name, emitted.text, text), emitted };
  });
  const stale = [...present].filter(
    ([name, text]) => emittedFrom(text) === policy && covers(name) && !files.some((file) => file.name === name),
  );
  const gone = stale.map(([name]): PlannedFile => ({ name, change: 'stale', text: null, emitted: null }));
  if (!kustomization && !hasList) return [...replaced, ...gone];
  const listed = [...present]
    .filter(([name, text]) => emittedFrom(text) !== null && !gone.some((one) => one.name === name))
    .map(([name]) => name);
  const list = kustomizationOf([...new Set([...listed, ...wanted])].sort());
  return [...replaced, { ...planned(KUSTOMIZATION, list, present.get(KUSTOMIZATION)), emitted: null }, ...gone];
}

function planned(name: string, text: string, old: string | undefined): Omit<PlannedFile, 'emitted'> {
  return { name, change: old === undefined ? 'new' : old === text ? 'unchanged' : 'changed', text };
}

function foreign(file: string): EmitError {
  return new EmitError(`${file}: exists and was not made by "tollgate emit"; move it`);
}

/** A link, or a folder, of that name is somebody's: following or replacing it would change what emit did not write. */
async function mustBeFree(file: string): Promise<void> {
  const isThere = await lstat(file).then(
    () => true,
    () => false,
  );
  if (isThere) throw new EmitError(`${file}: exists and is not a file; move it`);
}

interface Staged {
  readonly temporary: string;
  readonly file: string;
}

/**
 * Writes what was planned. Everything is on the disk before the first file is replaced, so a full disk changes nothing;
 * at every moment each file is the old one or the new one; stale ones go last.
 */
export async function write(folder: string, plan: readonly PlannedFile[]): Promise<void> {
  const staged: Staged[] = [];
  try {
    await makeFolder(folder);
    await removeLeftOver(folder);
    for (const { name, change, text } of plan) {
      if (change === 'new' || change === 'changed') await stage(join(folder, name), text!, staged);
    }
    for (const { temporary, file } of staged) await rename(temporary, file);
    for (const { name, change } of plan) if (change === 'stale') await rm(join(folder, name), { force: true });
  } catch (error) {
    for (const { temporary } of staged) await rm(temporary, { force: true });
    throw unusable(folder, error);
  }
}

/** Writes what is to replace a file, with that file's mode. */
async function stage(file: string, text: string, staged: Staged[]): Promise<void> {
  // the name does not end in .yaml: a tool that applies the folder meanwhile must not see half a file
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  staged.push({ temporary, file });
  const mode = await stat(file).then(
    (there) => there.mode & 0o7777,
    () => null,
  );
  const handle = await open(temporary, 'wx');
  try {
    await handle.writeFile(text);
    if (mode !== null) await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const TEMPORARY = /\.yaml\.[0-9a-f]{12}\.tmp$/;
/** No emit takes this long: one whose files are still there was killed. */
const STALE_MS = 3_600_000;

async function removeLeftOver(folder: string): Promise<void> {
  for (const name of (await readdir(folder)).filter((one) => TEMPORARY.test(one))) {
    const changed = await stat(join(folder, name)).catch(() => null);
    if (changed !== null && Date.now() - changed.mtimeMs > STALE_MS) await rm(join(folder, name), { force: true });
  }
}

/** The content of the folder's YAML files by name; none where there is no folder yet. */
export async function filesIn(folder: string): Promise<Map<string, string>> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const names = entries
      .filter((entry) => entry.isFile() && entry.name.endsWith('.yaml'))
      .map(({ name }) => name)
      .sort();
    return new Map(
      await Promise.all(names.map(async (name): Promise<[string, string]> => [name, await textOf(join(folder, name))])),
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw unusable(folder, error);
  }
}

/** A file that is larger than anything we write is somebody else's, whatever is in it. */
async function textOf(file: string): Promise<string> {
  try {
    return (await readBounded(file, MAX_EMITTED_BYTES)).toString('utf8');
  } catch (error) {
    if (error instanceof Unreadable && error.code === null) return '';
    throw error;
  }
}

function unusable(path: string, error: unknown): EmitError {
  return new EmitError(`${path}: cannot be used: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
}
