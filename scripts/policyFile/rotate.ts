import { epochSeconds, type Key, type Policy } from '../policy/index.ts';
import { entryOf, type Mapping } from '../policy/yaml/document.ts';
import { editsToAdd, withKeys } from './addKeys.ts';
import type { PolicyFile } from './change.ts';
import { PolicyFileError } from './error.ts';
import { type Issued, issueOnce, newlyIssued, storedOf } from './issue.ts';
import { appendToFilled, type Edit, layoutOf } from './splice.ts';

export interface RotateRequest {
  readonly consumer: string;
  /** The key to replace; the one that works, where it is not said. */
  readonly id?: string | undefined;
  /** For so long both keys work. */
  readonly overlapSeconds: number;
  /** Until when the new key works. */
  readonly until?: string | undefined;
}

export interface Rotated extends Issued {
  /** The key that was replaced, and until when it works. */
  readonly old: { readonly id: string; readonly until: string };
}

/** Issues a new key beside one that works, and gives the old one an end. Shown first, as when issuing. */
export function rotate(
  file: string,
  request: RotateRequest,
  nowSeconds: number,
  show: (rotated: Rotated) => Promise<void>,
  signal: AbortSignal,
): Promise<Rotated> {
  return issueOnce<Rotated>(file, signal, show, (open, shown) => {
    const old = keyToReplace(open.policy, request, nowSeconds);
    const until = endOf(old, nowSeconds + request.overlapSeconds);
    const fresh = shown ?? newlyIssued(open.policy, { consumer: request.consumer, until: request.until });
    const additions = [{ consumer: request.consumer, keys: [storedOf(fresh)] }];
    return {
      issued: { ...fresh, old: { id: old.id, until } },
      // The old key's end comes first: its line and the new key may go to the same place.
      edits: [...endingEdits(open, request.consumer, old, until), ...editsToAdd(open, additions)],
      expected: withKeys(withEnd(open.policy, request.consumer, old, until), additions),
    };
  });
}

function keyToReplace(policy: Policy, { consumer: name, id }: RotateRequest, nowSeconds: number): Key {
  const consumer = Object.hasOwn(policy.consumers, name) ? policy.consumers[name] : undefined;
  if (consumer === undefined) throw new PolicyFileError(`no consumer named "${name}"; tollgate keys list shows all`);
  const working = consumer.keys.filter((key) => works(key, nowSeconds));
  if (id !== undefined) return keyOfId(consumer.keys, name, id, nowSeconds);
  // A key with an end has been replaced before, and its overlap is not over.
  const lasting = working.filter(({ until }) => until === undefined);
  const [only, ...others] = working.length > 1 && lasting.length > 0 ? lasting : working;
  if (only === undefined)
    throw new PolicyFileError(`consumer "${name}" has no key that works; tollgate keys issue makes one`);
  if (others.length === 0) return only;
  const ids = [only, ...others].map((key) => key.id);
  throw new PolicyFileError(
    `consumer "${name}" has ${ids.length} keys that work${ids.length <= 20 ? ` (${ids.join(', ')})` : ''}; say which with --id`,
  );
}

function keyOfId(keys: readonly Key[], consumer: string, id: string, nowSeconds: number): Key {
  const key = keys.find((one) => one.id === id);
  if (key === undefined)
    throw new PolicyFileError(`no key "${id}" of consumer "${consumer}"; tollgate keys list shows all`);
  if (!works(key, nowSeconds))
    throw new PolicyFileError(
      `key "${id}" of consumer "${consumer}" does not work now, so there is nothing to overlap; tollgate keys issue makes a new one`,
    );
  return key;
}

function works({ revoked, from, until }: Key, nowSeconds: number): boolean {
  const begins = from === undefined ? 0 : epochSeconds(from)!;
  const ends = until === undefined ? Infinity : epochSeconds(until)!;
  return !revoked && begins <= nowSeconds && nowSeconds < ends;
}

/** A key that ends earlier anyway keeps its end. */
function endOf({ until }: Key, seconds: number): string {
  const ends = Math.floor(seconds);
  return until !== undefined && epochSeconds(until)! <= ends
    ? until
    : new Date(ends * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
}

function endingEdits({ text, root }: PolicyFile, consumer: string, old: Key, until: string): Edit[] {
  if (old.until === until) return [];
  const keys = entryOf(entryOf(entryOf(root, 'consumers')!.value, consumer)!.value, 'keys')!.value;
  const items = keys.kind === 'list' ? keys.items : [];
  const key = items.find((item) => {
    const id = entryOf(item, 'id')?.value;
    return id?.kind === 'scalar' && id.value === old.id;
  }) as Mapping;
  const entry = entryOf(key, 'until');
  if (entry === undefined) return [appendToFilled(text, key, [{ field: ['until', until] }], layoutOf(text, root))];
  const { start, end } = entry.value;
  const quote = /^["']/.exec(text.slice(start, end))?.[0] ?? '';
  return [{ offset: start, remove: end - start, insert: quote + until + quote }];
}

function withEnd(policy: Policy, consumer: string, old: Key, until: string): Policy {
  const before = policy.consumers[consumer]!;
  const keys = before.keys.map((key) => (key === old ? { ...key, until } : key));
  return { ...policy, consumers: { ...policy.consumers, [consumer]: { ...before, keys } } };
}
