import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Refusal } from '../command.ts';
import type { EmittedFile } from './index.ts';
import { emittedFrom } from './yaml.ts';

export type Change = 'new' | 'changed' | 'unchanged' | 'stale';

export interface PlannedFile {
  readonly name: string;
  readonly change: Change;
  /** Null for a stale file. */
  readonly emitted: EmittedFile | null;
}

/**
 * What writing the files would do to the folder. A file that an earlier emit of this policy left and that is no longer
 * needed is stale; files of anybody else are never touched, and one that stands in the way is refused.
 */
export async function planOf(folder: string, files: readonly EmittedFile[], policy: string, isWhole: boolean): Promise<PlannedFile[]> {
  const present = await filesIn(folder);
  const planned = files.map((emitted): PlannedFile => {
    const text = present.get(emitted.name);
    if (text !== undefined && emittedFrom(text) === null) throw new Refusal(`${join(folder, emitted.name)}: is there already and was not made by "tollgate emit"; move it away`);
    return { name: emitted.name, change: text === undefined ? 'new' : text === emitted.text ? 'unchanged' : 'changed', emitted };
  });
  if (!isWhole) return planned;
  const stale = [...present].filter(([name, text]) => emittedFrom(text) === policy && !files.some((file) => file.name === name));
  return [...planned, ...stale.map(([name]): PlannedFile => ({ name, change: 'stale', emitted: null }))];
}

/** Makes the folder so. Each file is the old one or the new one at every moment; stale ones go last. */
export async function write(folder: string, plan: readonly PlannedFile[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { name, change, emitted } of plan) {
    if (change === 'new' || change === 'changed') await replace(join(folder, name), emitted!.text);
  }
  for (const { name, change } of plan) if (change === 'stale') await rm(join(folder, name), { force: true });
}

async function replace(file: string, text: string): Promise<void> {
  // the name is not one of YAML: a tool that applies the folder meanwhile must not see half a file
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, text, { flag: 'wx' });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw unusable(file, error);
  }
}

async function filesIn(folder: string): Promise<Map<string, string>> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const names = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.yaml')).map(({ name }) => name).sort();
    return new Map(await Promise.all(names.map(async (name): Promise<[string, string]> => [name, await readFile(join(folder, name), 'utf8')])));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw unusable(folder, error);
  }
}

function unusable(path: string, error: unknown): Refusal {
  return new Refusal(`${path}: cannot be used: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
}
