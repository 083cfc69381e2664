import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { PolicyFileError } from './error.ts';
import { type PolicySource, readSource, validSource } from '../file/openPolicy.ts';
import { PolicyProblems, type Policy } from '../policy/index.ts';
import type { PolicyText } from '../policy/yaml/files.ts';
import { policyIn } from '../policy/yaml/parts.ts';
import { type OpenedPolicy, type PolicyFile, opened } from './open.ts';
import { applyEdits, type Edit } from './splice.ts';
import { FileError, placeOf, replaceFile } from '../file/replaceFile.ts';
import { inTurn, turnOfFolder } from '../file/turn.ts';

/** Edits of one of the files. */
export interface FileEdits {
  readonly file: PolicyFile;
  readonly edits: readonly Edit[];
}

/** What is to become of a policy. */
export interface Change {
  /**
   * In the order in which the files are written, one at a time. Whoever is killed in between leaves the rest as it was, so each
   * step must leave a valid policy, and a repetition must do what is missing.
   */
  readonly edits: readonly FileEdits[];
  /** What the policy must mean afterwards. */
  readonly expected: Policy;
  /** Called when nothing but the last step is left; a throw leaves all files as they are. */
  readonly ready?: () => Promise<void>;
}

/** The steps of an edit. Each takes seconds for a policy of many megabytes. */
export type Step = 'reads the policy' | 'checks the policy with the change' | 'writes the policy';

/** Called before each step, with the size of the policy. */
export type OnStep = (step: Step, bytes: number) => void;

/** How an edit is stopped, and who is told of its steps. */
export interface Guidance {
  readonly signal: AbortSignal;
  readonly onStep?: OnStep | undefined;
}

/** By then somebody keeps saving the file, and it is better to say so than to go on. */
const MOST_ATTEMPTS = 8;

/**
 * Changes a policy, a file or a folder; processes take turns. `change` sees what the policy holds now, and is asked again when
 * somebody saved it meanwhile; null when there is nothing to change.
 */
export async function editPolicy(
  file: string,
  signal: AbortSignal,
  change: (open: OpenedPolicy) => Change | null,
  onStep: OnStep = () => undefined,
): Promise<void> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const folder = await turnOfFolder(file);
    const place = folder === null ? await placeOf(file) : null;
    const isDone = await inTurn((folder ?? place)!, signal, async (stillHere) => {
      const step = async (name: Step, bytes: number): Promise<void> => {
        await stillHere();
        await turn();
        if (signal.aborted) throw new FileError(`${file}: stopped; nothing was written`);
        onStep(name, bytes);
      };
      const source = await readSource(file);
      await step('reads the policy', charactersOf(source.files));
      const edited = edit(opened(source), change);
      if (edited === null) return true;
      await step('checks the policy with the change', charactersOf(edited.after.files));
      await checkAfter(edited);
      await step('writes the policy', charactersOf(edited.writes));
      if (place === null) return writeEach(edited, signal);
      const [{ before, text: after }] = edited.writes as [Write];
      return replaceFile(place, { before, after, ready: edited.ready }, signal);
    });
    if (isDone) return;
  }
  throw new PolicyFileError(
    `${file}: was changed by somebody else each of the ${MOST_ATTEMPTS} times it was read; nothing was written`,
  );
}

/** Writes the files of a folder, one after the other; false when the first is no longer what was read, and nothing was written. */
async function writeEach({ writes, ready }: Edited, signal: AbortSignal): Promise<boolean> {
  // one that may not be written is better known before the first is
  const places = await Promise.all(writes.map(({ file }) => placeOf(file)));
  const written: string[] = [];
  for (const [at, { file, before, text }] of writes.entries()) {
    const place = places[at]!;
    // what has begun is finished, also on Ctrl-C
    const until = at === 0 ? signal : new AbortController().signal;
    const replacement = { before, after: text, ready: at === 0 ? ready : undefined };
    try {
      const isDone = await inTurn(place, until, () => replaceFile(place, replacement, until));
      if (!isDone && at === 0) return false;
      if (!isDone) throw new PolicyFileError(`${file}: was changed by somebody else meanwhile`);
    } catch (error) {
      if (at === 0) throw error;
      throw new PolicyFileError(
        `${(error as Error).message}\nwritten before: ${written.join(', ')}; the same command does what is missing`,
        { cause: error },
      );
    }
    written.push(file);
  }
  return true;
}

/** Like `editPolicy`, without writing: rejects where that would. */
export async function tryEdit(
  file: string,
  change: (open: OpenedPolicy) => Change | null,
  onStep: OnStep = () => undefined,
): Promise<void> {
  onStep('reads the policy', 0);
  const source = await readSource(file);
  onStep('reads the policy', charactersOf(source.files));
  const edited = edit(opened(source), change);
  if (edited === null) return;
  await turn();
  onStep('checks the policy with the change', charactersOf(edited.after.files));
  await checkAfter(edited);
}

function charactersOf(files: readonly { readonly text: string }[]): number {
  return files.reduce((sum, { text }) => sum + text.length, 0);
}

interface Write extends PolicyText {
  readonly before: string;
}

interface Edited extends Omit<Change, 'edits'> {
  /** The files that change. */
  readonly writes: readonly Write[];
  readonly after: PolicySource;
}

/** All files before and after. Nodes and edits are let go here, because the check that follows needs the memory. */
function edit(open: OpenedPolicy, change: (open: OpenedPolicy) => Change | null): Edited | null {
  const wanted = change(open);
  if (wanted === null) return null;
  const { edits, ...rest } = wanted;
  const writes = edits
    .filter((one) => one.edits.length > 0)
    .map(({ file: { file, text }, edits }) => ({ file, before: text, text: applyEdits(text, edits) }));
  const { name, isFolder } = open;
  const files = open.files.map(({ file, text }) => ({
    file,
    text: writes.find((one) => one.file === file)?.text ?? text,
  }));
  return { ...rest, writes, after: { name, files, isFolder } };
}

async function policyAfter(source: PolicySource): Promise<Policy> {
  try {
    return source.isFolder ? (await validSource(source)).policy : policyIn(source.files[0]!.text, source.name);
  } catch (error) {
    if (!(error instanceof PolicyProblems)) throw error;
    const what = source.isFolder ? 'policy' : 'file';
    throw new PolicyFileError(`${error.message}\n(as the ${what} would be after the change; nothing was written)`);
  }
}

/** What was edited is parsed again and compared with what it should mean before a byte is written. */
async function checkAfter({ after, expected }: Edited): Promise<void> {
  if (!isDeepStrictEqual(await policyAfter(after), expected))
    throw new PolicyFileError(`${after.name}: is written in a way that cannot be edited safely; nothing was changed`);
}
