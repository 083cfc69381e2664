import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { PolicyFileError } from './error.ts';
import { policyText } from '../file/openPolicy.ts';
import { PolicyProblems, type Policy } from '../policy/index.ts';
import type { Mapping } from '../policy/yaml/document.ts';
import { policyIn } from '../policy/yaml/parts.ts';
import { readToEdit } from '../policy/yaml/readPolicy.ts';
import { applyEdits, type Edit } from './splice.ts';
import { FileError, placeOf, replaceFile } from '../file/replaceFile.ts';
import { inTurn } from '../file/turn.ts';

/** A valid policy file, open for an edit. */
export interface PolicyFile {
  readonly file: string;
  readonly text: string;
  readonly policy: Policy;
  readonly root: Mapping;
}

/** Reads a policy that must be without problems: a file that is wrong already is not edited, and rejects with PolicyProblems. */
async function openPolicyFile(file: string): Promise<PolicyFile> {
  const text = await policyText(file);
  return { file, text, ...readToEdit(text, file) };
}

/** What is to become of a policy file. */
export interface Change {
  readonly edits: readonly Edit[];
  /** What the file must mean afterwards. */
  readonly expected: Policy;
  /** Called when nothing but the last step is left; a throw leaves the file as it is. */
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
 * Changes a policy file; processes take turns. `change` sees what the file holds now, and is asked again when somebody
 * saved it meanwhile; null when there is nothing to change.
 */
export async function editPolicyFile(
  file: string,
  signal: AbortSignal,
  change: (open: PolicyFile) => Change | null,
  onStep: OnStep = () => undefined,
): Promise<void> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const place = await placeOf(file);
    const isDone = await inTurn(place, signal, async (stillHere) => {
      const step = async (name: Step, bytes: number): Promise<void> => {
        await stillHere();
        await turn();
        if (signal.aborted) throw new FileError(`${file}: stopped; nothing was written`);
        onStep(name, bytes);
      };
      await step('reads the policy', place.bytes);
      const edited = edit(await openPolicyFile(file), change);
      if (edited === null) return true;
      const { before, after, ready } = edited;
      await step('checks the policy with the change', after.length);
      checkAfter(file, after, edited.expected);
      await step('writes the policy', after.length);
      return replaceFile(place, { before, after, ready }, signal);
    });
    if (isDone) return;
  }
  throw new PolicyFileError(
    `${file}: was changed by somebody else each of the ${MOST_ATTEMPTS} times it was read; nothing was written`,
  );
}

/** Like `editPolicyFile`, without writing: rejects where that would. */
export async function tryEdit(
  file: string,
  change: (open: PolicyFile) => Change | null,
  onStep: OnStep = () => undefined,
): Promise<void> {
  onStep('reads the policy', 0);
  const open = await openPolicyFile(file);
  onStep('reads the policy', open.text.length);
  const edited = edit(open, change);
  if (edited === null) return;
  await turn();
  onStep('checks the policy with the change', edited.after.length);
  checkAfter(file, edited.after, edited.expected);
}

type Edited = Omit<Change, 'edits'> & { readonly before: string; readonly after: string };

/** The text before and after. Nodes and edits are let go here, because the check that follows needs the memory. */
function edit(open: PolicyFile, change: (open: PolicyFile) => Change | null): Edited | null {
  const wanted = change(open);
  if (wanted === null) return null;
  const { edits, ...rest } = wanted;
  return { ...rest, before: open.text, after: applyEdits(open.text, edits) };
}

function policyAfter(file: string, text: string): Policy {
  try {
    return policyIn(text, file);
  } catch (error) {
    if (!(error instanceof PolicyProblems)) throw error;
    throw new PolicyFileError(`${error.message}\n(as the file would be after the change; nothing was written)`);
  }
}

/** The text after the edits is parsed again and compared with what it should mean before a byte is written. */
function checkAfter(file: string, text: string, expected: Policy): void {
  if (!isDeepStrictEqual(policyAfter(file, text), expected))
    throw new PolicyFileError(`${file}: is written in a way that cannot be edited safely; nothing was changed`);
}
