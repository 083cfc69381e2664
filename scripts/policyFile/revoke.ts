import { PolicyFileError } from './error.ts';
import type { Policy } from '../policy/index.ts';
import { entryOf, type Mapping, type Node } from '../policy/yaml/document.ts';
import { appendToFilled, type Edit, layoutOf } from './splice.ts';
import { editPolicy, type Guidance } from './change.ts';
import { fileOf, type PolicyFile } from './open.ts';

export interface Revoked {
  readonly consumer: string;
  readonly id: string;
  /** True when it was revoked before; the file is then as it was. */
  readonly already: boolean;
  /** The file in which it stands. */
  readonly file: string;
}

/** Marks a key as revoked, in its place in the file. */
export async function revoke(
  file: string,
  id: string,
  of: string | undefined,
  { signal, onStep }: Guidance,
): Promise<Revoked> {
  let already = false;
  let consumer = of ?? '';
  let stored = file;
  await editPolicy(
    file,
    signal,
    (open) => {
      const { owner, index } = findKey(open.policy, id, of);
      consumer = owner;
      const holder = fileOf(open, 'consumers', owner)!;
      stored = holder.file;
      already = open.policy.consumers[owner]!.keys[index]!.revoked;
      if (already) return null;
      const expected = structuredClone(open.policy);
      expected.consumers[owner]!.keys[index]!.revoked = true;
      return { edits: [{ file: holder, edits: [revokingEdit(holder, owner, index)] }], expected };
    },
    onStep,
  );
  return { consumer, id, already, file: stored };
}

function findKey(policy: Policy, id: string, consumer: string | undefined): { owner: string; index: number } {
  const matches = Object.entries(policy.consumers)
    .filter(([name]) => consumer === undefined || name === consumer)
    .flatMap(([owner, { keys }]) => keys.flatMap((key, index) => (key.id === id ? [{ owner, index }] : [])));
  const [match, ...others] = matches;
  if (match === undefined)
    throw new PolicyFileError(
      `no key "${id}"${consumer === undefined ? '' : ` of a consumer "${consumer}"`}; tollgate keys list shows all`,
    );
  if (others.length > 0)
    throw new PolicyFileError(
      `several consumers have a key "${id}" (${matches.map(({ owner }) => owner).join(', ')}); say which with --consumer`,
    );
  return match;
}

function revokingEdit({ text, root }: PolicyFile, owner: string, index: number): Edit {
  const consumer = valueAt(valueAt(root, 'consumers'), owner);
  const keys = valueAt(consumer, 'keys');
  const key = (keys?.kind === 'list' ? keys.items[index] : undefined) as Mapping;
  const revoked = entryOf(key, 'revoked');
  if (revoked === undefined) return appendToFilled(text, key, [{ field: ['revoked', true] }], layoutOf(text, root));
  return { offset: revoked.value.start, remove: revoked.value.end - revoked.value.start, insert: 'true' };
}

function valueAt(node: Node | undefined, key: string): Node | undefined {
  return entryOf(node, key)?.value;
}
