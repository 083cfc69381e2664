import { basename, normalize } from 'node:path';
import { type PolicySource, readSource } from '../file/openPolicy.ts';
import type { Policy } from '../policy/index.ts';
import { entryOf, type Mapping } from '../policy/yaml/document.ts';
import { readFilesToEdit } from '../policy/yaml/files.ts';
import { readToEdit } from '../policy/yaml/readPolicy.ts';
import { PolicyFileError } from './error.ts';

/** A file of a policy, open for an edit. */
export interface PolicyFile {
  readonly file: string;
  readonly text: string;
  readonly root: Mapping;
}

/** A valid policy, open for an edit: one file, or all files of a folder. */
export interface OpenedPolicy {
  /** What messages call it. */
  readonly name: string;
  readonly policy: Policy;
  /** What its files say together, as they say it. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly files: readonly PolicyFile[];
  readonly isFolder: boolean;
}

/** Reads a policy that must be without problems: one that is wrong already is not edited, and rejects with PolicyProblems. */
export async function openToEdit(file: string): Promise<OpenedPolicy> {
  return opened(await readSource(file));
}

export function opened({ name, files, isFolder }: PolicySource): OpenedPolicy {
  if (isFolder) {
    const { policy, value, parts } = readFilesToEdit(files, name);
    return { name, policy, value, files: parts, isFolder };
  }
  const [{ file, text }] = files as [PolicySource['files'][number]];
  const { policy, root } = readToEdit(text, name);
  return { name, policy, value: root.value, files: [{ file, text, root }], isFolder };
}

/** Fields whose names may be spread over the files of a policy. */
type Spread = 'apis' | 'plans' | 'consumers';

/** The file in which a name stands. */
export function fileOf({ files }: OpenedPolicy, field: Spread, name: string): PolicyFile | undefined {
  return files.find(({ root }) => entryOf(entryOf(root, field)?.value, name) !== undefined);
}

/**
 * The file to which a new name goes: the one that `wanted` names, or the only one that has the field. `what` is what is new, for
 * messages, such as `consumer "acme"`.
 */
export function fileForNew(open: OpenedPolicy, field: Spread, what: string, wanted: string | undefined): PolicyFile {
  const { files } = open;
  if (wanted !== undefined) return fileNamed(open, wanted);
  const holders = files.length === 1 ? files : files.filter(({ root }) => entryOf(root, field) !== undefined);
  if (holders.length === 1) return holders[0]!;
  const why =
    holders.length === 0 ? `no file has ${field} yet${listOf(files)}` : `several files have ${field}${listOf(holders)}`;
  throw new PolicyFileError(`${open.name}: ${what} is new, and ${why}; --file FILE says where it goes`);
}

/** The one file of a policy; refuses a folder of several, for a change that knows of one file only. */
export function onlyFileOf({ name, files }: OpenedPolicy): PolicyFile {
  if (files.length > 1)
    throw new PolicyFileError(`${name}: has several files, and this import changes a policy of one`);
  return files[0]!;
}

/** Refuses a file that was named for what stands in another one. */
export function refuseOther(open: OpenedPolicy, { file }: PolicyFile, what: string, wanted: string | undefined): void {
  if (wanted !== undefined && fileNamed(open, wanted).file !== file)
    throw new PolicyFileError(`${what} stands in ${file}; --file is for a new one`);
}

/** By its path, or by its name in the folder. */
function fileNamed({ name, files, isFolder }: OpenedPolicy, wanted: string): PolicyFile {
  if (!isFolder) throw new PolicyFileError(`${name}: is a file; --file is for a policy that is a folder`);
  const found = files.find(({ file }) => normalize(file) === normalize(wanted) || basename(file) === wanted);
  if (found === undefined) throw new PolicyFileError(`${name}: has no file "${wanted}"${listOf(files)}`);
  return found;
}

const MAX_LISTED = 20;

function listOf(files: readonly PolicyFile[]): string {
  return files.length > MAX_LISTED ? '' : ` (${files.map(({ file }) => basename(file)).join(', ')})`;
}
