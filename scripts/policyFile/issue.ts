import { FileError } from '../file/replaceFile.ts';
import { issueKey, newId } from '../key/key.ts';
import { PolicyProblems, type Policy } from '../policy/index.ts';
import { type Addition, editsToAdd, type KeyLimits, storedKey, type StoredKey, withKeys } from './addKeys.ts';
import { type Change, editPolicy, type FileEdits, type Guidance } from './change.ts';
import { PolicyFileError } from './error.ts';
import { fileForNew, fileOf, type OpenedPolicy, refuseOther } from './open.ts';

export interface IssueRequest {
  readonly consumer: string;
  readonly id?: string | undefined;
  readonly from?: string | undefined;
  readonly until?: string | undefined;
  /** APIs of the policy, and scopes of the consumer, to which the key is limited. */
  readonly apis?: string[] | undefined;
  readonly scopes?: string[] | undefined;
  /** The plan of a consumer that does not exist yet. */
  readonly plan?: string | undefined;
  /** The file of a folder to which a new consumer goes. Default: the only one that has consumers. */
  readonly file?: string | undefined;
}

export interface Issued extends StoredKey {
  readonly consumer: string;
  /** The only place where the key exists; the file has its digest. */
  readonly key: string;
}

/** An issued key, and the file that holds its digest. */
export type Stored<T extends Issued> = T & { readonly file: string };

/**
 * Makes a key, shows it, and writes its digest into the policy; when that is refused the policy is untouched. Shown
 * first, because nobody could tell a stored key that was never seen from one that is in use.
 */
export async function issue(
  file: string,
  request: IssueRequest,
  show: (issued: Issued) => Promise<void>,
  { signal, onStep }: Guidance,
): Promise<Stored<Issued>> {
  return issueOnce(file, { signal, onStep }, show, (open, shown) => {
    refuse(open.policy, shown === null ? request : { ...request, id: shown.id });
    const issued = shown ?? newlyIssued(open.policy, request);
    const additions = [{ consumer: request.consumer, plan: request.plan, keys: [storedOf(issued)] }];
    return { issued, edits: editsIn(open, request, additions), expected: withKeys(open.policy, additions) };
  });
}

function editsIn(open: OpenedPolicy, { consumer, file: wanted }: IssueRequest, additions: Addition[]): [FileEdits] {
  const what = `consumer "${consumer}"`;
  const file = fileOf(open, 'consumers', consumer) ?? fileForNew(open, 'consumers', what, wanted);
  refuseOther(open, file, what, wanted);
  return [{ file, edits: editsToAdd(file, additions) }];
}

/** A change of a policy that stores a new key, in one file. */
export interface KeyChange<T extends Issued> extends Omit<Change, 'ready'> {
  readonly issued: T;
  readonly edits: readonly [FileEdits];
}

/**
 * Stores a new key in a policy and shows it once, before a file is changed. When somebody saves the file meanwhile,
 * `change` is called again with the key that was already shown, and must store that one.
 */
export async function issueOnce<T extends Issued>(
  file: string,
  { signal, onStep }: Guidance,
  show: (issued: T) => Promise<void>,
  change: (open: OpenedPolicy, shown: T | null) => KeyChange<T>,
): Promise<Stored<T>> {
  let issued: T | null = null;
  let shown: T | null = null;
  let stored = file;
  const ready = async (): Promise<void> => {
    if (shown !== null) return;
    await show(issued!);
    shown = issued;
  };
  try {
    await editPolicy(
      file,
      signal,
      (open) => {
        const wanted = change(open, shown);
        ({ issued } = wanted);
        stored = wanted.edits[0].file.file;
        return { edits: wanted.edits, expected: wanted.expected, ready };
      },
      onStep,
    );
  } catch (error) {
    if (shown !== null && isRefusal(error))
      throw new PolicyFileError(`${error.message}\nthe key that was printed is in no policy, so it opens nothing`, {
        cause: error,
      });
    throw error;
  }
  return { ...issued!, file: stored };
}

function isRefusal(error: unknown): error is Error {
  return error instanceof PolicyFileError || error instanceof FileError || error instanceof PolicyProblems;
}

/** What the policy holds of an issued key. */
export function storedOf(issued: Issued) {
  return storedKey(issued.id, issued.digest, issued);
}

/** A new key, with an id that is unique in the policy unless one was chosen. */
export function newlyIssued(
  policy: Policy,
  { consumer, id: wanted, ...limits }: Pick<IssueRequest, 'consumer' | 'id'> & KeyLimits,
): Issued {
  const { key, ...rest } = issueKey(wanted ?? freshId(idsOf(policy)));
  return { consumer, key, ...storedKey(rest.id, rest.digest, limits) };
}

function refuse(policy: Policy, { consumer: name, id, plan, apis = [], scopes = [] }: IssueRequest): void {
  const consumer = Object.hasOwn(policy.consumers, name) ? policy.consumers[name] : undefined;
  if (consumer === undefined && plan === undefined) {
    const names = Object.keys(policy.consumers);
    const known = names.length > 0 && names.length <= 20 ? `; there are ${names.join(', ')}` : '';
    throw new PolicyFileError(`no consumer named "${name}"${known}; --plan PLAN makes a new one`);
  }
  if (plan !== undefined && !Object.hasOwn(policy.plans, plan)) {
    throw new PolicyFileError(`no plan named "${plan}"; there are ${Object.keys(policy.plans).join(', ') || 'none'}`);
  }
  if (consumer !== undefined && plan !== undefined && consumer.plan !== plan) {
    throw new PolicyFileError(
      `consumer "${name}" has ${consumer.plan === undefined ? 'no' : `the`} plan${consumer.plan === undefined ? '' : ` "${consumer.plan}"`}; --plan is for a new consumer`,
    );
  }
  if (consumer?.keys.some((key) => key.id === id))
    throw new PolicyFileError(`consumer "${name}" has a key "${id}" already`);
  for (const api of apis)
    if (!Object.hasOwn(policy.apis, api))
      throw new PolicyFileError(`no API named "${api}"${listOf('there are', Object.keys(policy.apis))}`);
  for (const scope of scopes)
    if (!consumer?.scopes.includes(scope))
      throw new PolicyFileError(
        `consumer "${name}" does not have the scope "${scope}"${listOf('it has', consumer?.scopes ?? [])}`,
      );
}

function listOf(words: string, names: readonly string[]): string {
  return names.length > 20 ? '' : `; ${words} ${names.join(', ') || 'none'}`;
}

/** Ids of all keys of the policy. */
export function idsOf(policy: Policy): Set<string> {
  return new Set(Object.values(policy.consumers).flatMap(({ keys }) => keys.map(({ id }) => id)));
}

/** A random id that is not taken. */
export function freshId(taken: ReadonlySet<string>): string {
  for (let id = newId(); ; id = newId()) if (!taken.has(id)) return id;
}
