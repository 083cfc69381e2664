import { lstat, opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_POLICY_BYTES } from '../policy/check/plain.ts';
import { quote } from '../policy/secret.ts';
import { PolicyProblems, unusable, type Problem } from '../policy/yaml/readPolicy.ts';
import type { PolicyText } from '../policy/yaml/files.ts';
import { decode, readBounded, Unreadable } from './read.ts';

/** Far more than anybody has teams; each is read, and parsed by itself. */
const MAX_FILES = 1000;
/** Hidden files are not read: locks and drafts, editors' own, the folders behind a ConfigMap's links. Nor are backups such as `a.yaml~`. */
const IS_POLICY_FILE = /^[^.].*\.(?:yaml|yml|json)$/is;
/** What a terminal hides or obeys, and names that are no Unicode and so cannot be opened. */
const STRANGE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD]/u;
/** A folder that changes all the time is taken as it was last seen. */
const MOST_READINGS = 5;

/** The files of a policy that is a folder, in the order of their names; rejects with PolicyProblems, which names every file that cannot be read. */
export async function readFolder(folder: string): Promise<PolicyText[]> {
  for (let reading = 1; ; reading++) {
    const names = await namesIn(folder);
    const files = await readAll(folder, names, reading === MOST_READINGS);
    // of a file that was renamed meanwhile, both or neither may have been read
    if (reading === MOST_READINGS || (files !== null && isSame(names, await namesIn(folder)))) return files!;
  }
}

/** The names of a folder's policy files, sorted by character codes: the same on every machine. */
export async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of await opendir(folder)) {
      if (entry.isDirectory() || !IS_POLICY_FILE.test(entry.name)) continue;
      if (entry.isSymbolicLink() && (await isFolder(join(folder, entry.name)))) continue;
      if (names.length === MAX_FILES) throw unusable(folder, `must have at most ${MAX_FILES} policy files; found more`);
      names.push(entry.name);
    }
  } catch (error) {
    if (error instanceof PolicyProblems) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw unusable(folder, `cannot be read: ${code ?? message}`);
  }
  if (names.length === 0)
    throw unusable(
      folder,
      'must have a policy file: one whose name ends in .yaml, .yml or .json and does not begin with "."',
    );
  return names.sort();
}

/** Null when a file is no longer there, and it is worth while to look again. */
async function readAll(folder: string, names: readonly string[], isLast: boolean): Promise<PolicyText[] | null> {
  const files: PolicyText[] = [];
  const problems: Problem[] = [];
  let bytes = 0;
  for (const name of names) {
    try {
      const file = await readOne(folder, name);
      bytes += file.bytes;
      if (bytes > MAX_POLICY_BYTES)
        throw unusable(folder, `must have at most ${MAX_POLICY_BYTES} bytes, all its files together; found more`);
      files.push({ file: join(folder, name), text: file.text });
    } catch (error) {
      if (error instanceof PolicyProblems && error.problems[0]!.file !== folder) problems.push(...error.problems);
      else if (isGone(error) && !isLast && !(await isLink(join(folder, name)))) return null;
      else if (error instanceof Unreadable) problems.push(...unusable(join(folder, name), error.message).problems);
      else throw error;
    }
  }
  if (problems.length > 0) throw new PolicyProblems({ problems, more: 0, isCounted: true, source: folder });
  return files;
}

async function readOne(folder: string, name: string): Promise<{ text: string; bytes: number }> {
  if (STRANGE.test(name))
    throw unusable(join(folder, '…'), `must have a name without control characters; found ${quote(name)}`);
  const path = join(folder, name);
  const found = await stat(path).catch(() => null);
  if (found !== null && !found.isFile()) throw unusable(path, 'must be a regular file');
  const bytes = await readBounded(path, MAX_POLICY_BYTES);
  const decoded = decode(bytes);
  if ('rule' in decoded) throw unusable(path, decoded.rule, decoded.line);
  return { text: decoded.text, bytes: bytes.length };
}

function isGone(error: unknown): boolean {
  return error instanceof Unreadable && error.code === 'ENOENT';
}

/** True for a link, which may lead nowhere for ever. */
async function isLink(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null))?.isSymbolicLink() === true;
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() === true;
}

function isSame(names: readonly string[], others: readonly string[]): boolean {
  return names.length === others.length && names.every((name, at) => name === others[at]);
}
