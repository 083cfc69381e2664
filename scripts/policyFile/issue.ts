import { FileError } from '../file/replaceFile.ts';
import { PolicyFileError } from './error.ts';
import { PolicyProblems, type Policy } from '../policy/index.ts';
import { entryOf, type Mapping } from '../policy/yaml/document.ts';
import { issueKey, newId } from '../key/key.ts';
import { append, appendToFilled, type Edit, layoutOf } from './splice.ts';
import { editPolicyFile, type PolicyFile } from './change.ts';
import type { RenderedField, Member } from './render.ts';

export interface IssueRequest {
  readonly consumer: string;
  readonly id?: string | undefined;
  readonly from?: string | undefined;
  readonly until?: string | undefined;
  /** The plan of a consumer that does not exist yet. */
  readonly plan?: string | undefined;
}

export interface Issued {
  readonly consumer: string;
  readonly id: string;
  /** The only place where the key exists; the file has its digest. */
  readonly key: string;
  readonly digest: string;
  readonly from?: string;
  readonly until?: string;
}

type Stored = Omit<Issued, 'consumer' | 'key'>;

/**
 * Makes a key, shows it, and writes its digest into the policy file; when that is refused the file is untouched. Shown
 * first, because nobody could tell a stored key that was never seen from one that is in use.
 */
export async function issue(
  file: string,
  request: IssueRequest,
  show: (issued: Issued) => Promise<void>,
  signal: AbortSignal,
): Promise<Issued> {
  let issued: Issued | null = null;
  let isShown = false;
  const ready = async (): Promise<void> => {
    if (isShown) return;
    await show(issued!);
    isShown = true;
  };
  try {
    await editPolicyFile(file, signal, (open) => {
      refuse(open.policy, isShown ? { ...request, id: issued!.id } : request);
      if (!isShown) issued = newlyIssued(open.policy, request);
      const stored = storedOf(issued!);
      return {
        edits: editsFor(open, request, Object.entries(stored)),
        expected: withKey(open.policy, request, stored),
        ready,
      };
    });
  } catch (error) {
    if (isShown && isRefusal(error))
      throw new PolicyFileError(`${error.message}\nthe key that was printed is in no policy, so it opens nothing`, {
        cause: error,
      });
    throw error;
  }
  return issued!;
}

function isRefusal(error: unknown): error is Error {
  return error instanceof PolicyFileError || error instanceof FileError || error instanceof PolicyProblems;
}

/** What the policy holds of a key. */
function storedOf({ id, digest, from, until }: Issued): Stored {
  return { id, digest, ...(from !== undefined && { from }), ...(until !== undefined && { until }) };
}

function newlyIssued(policy: Policy, { consumer, id: wanted, from, until }: IssueRequest): Issued {
  const { id, key, digest } = issueKey(wanted ?? freshId(policy));
  return {
    consumer,
    key,
    id,
    digest,
    ...(from !== undefined && { from }),
    ...(until !== undefined && { until }),
  };
}

function refuse(policy: Policy, { consumer: name, id, plan }: IssueRequest): void {
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
}

function freshId(policy: Policy): string {
  const taken = new Set(Object.values(policy.consumers).flatMap((consumer) => consumer.keys.map((key) => key.id)));
  for (let id = newId(); ; id = newId()) if (!taken.has(id)) return id;
}

/** The smallest edit: a key to the list, a list to the consumer, a consumer to the policy. */
function editsFor(
  { text, root }: PolicyFile,
  { consumer, plan }: IssueRequest,
  fields: readonly RenderedField[],
): Edit[] {
  const layout = layoutOf(text, root);
  const key: Member = { item: { fields } };
  const keys: RenderedField = ['keys', { items: [{ fields }] }];
  const consumersEntry = entryOf(root, 'consumers');
  if (consumersEntry === undefined) {
    return [
      appendToFilled(text, root, { field: ['consumers', { fields: [newConsumer(consumer, plan, keys)] }] }, layout),
    ];
  }
  const consumers = consumersEntry.value;
  const consumerEntry = entryOf(consumers, consumer);
  if (consumerEntry === undefined) {
    return append(text, { owner: root, entry: consumersEntry }, { field: newConsumer(consumer, plan, keys) }, layout);
  }
  const keysEntry = entryOf(consumerEntry.value, 'keys');
  if (keysEntry === undefined)
    return append(text, { owner: consumers as Mapping, entry: consumerEntry }, { field: keys }, layout);
  return append(text, { owner: consumerEntry.value as Mapping, entry: keysEntry }, key, layout);
}

function newConsumer(name: string, plan: string | undefined, keys: RenderedField): RenderedField {
  return [name, { fields: plan === undefined ? [keys] : [['plan', plan], keys] }];
}

function withKey(policy: Policy, { consumer, plan }: IssueRequest, stored: Stored): Policy {
  const expected = structuredClone(policy);
  const entry = Object.hasOwn(expected.consumers, consumer)
    ? expected.consumers[consumer]!
    : { ...(plan !== undefined && { plan }), subscriptions: {}, keys: [] };
  entry.keys.push({ ...stored, revoked: false });
  return { ...expected, consumers: { ...expected.consumers, [consumer]: entry } };
}
