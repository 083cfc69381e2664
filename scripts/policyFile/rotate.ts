import { epochSeconds, type Key, type Policy } from '../policy/index.ts';
import { entryOf, type Mapping } from '../policy/yaml/document.ts';
import { editsToAdd, type KeyLimits, withKeys } from './addKeys.ts';
import type { Guidance } from './change.ts';
import { PolicyFileError } from './error.ts';
import { type Issued, issueOnce, newlyIssued, type Stored, storedOf } from './issue.ts';
import { fileOf, type PolicyFile } from './open.ts';
import { appendToFilled, type Edit, layoutOf } from './splice.ts';

export interface RotateRequest {
  readonly consumer: string;
  /** The key to replace. Default: the only active one. */
  readonly id?: string | undefined;
  /** How long both keys work. */
  readonly overlapSeconds: number;
  /** When the new key expires. */
  readonly until?: string | undefined;
}

export interface Rotated extends Issued {
  /** The key that was replaced, and when it expires. */
  readonly old: { readonly id: string; readonly until: string };
}

/** Issues a new key and sets the expiry of the old one, in one edit. Like `issue`, it shows the key before storing it. */
export function rotate(
  file: string,
  request: RotateRequest,
  nowSeconds: number,
  show: (rotated: Rotated) => Promise<void>,
  guidance: Guidance,
): Promise<Stored<Rotated>> {
  return issueOnce<Rotated>(file, guidance, show, (open, shown) => {
    const old = keyToReplace(open.policy, request, nowSeconds);
    const until = endOf(old, nowSeconds + request.overlapSeconds);
    const fresh =
      shown ?? newlyIssued(open.policy, { ...limitsOf(old), consumer: request.consumer, until: request.until });
    const additions = [{ consumer: request.consumer, keys: [storedOf(fresh)] }];
    const file = fileOf(open, 'consumers', request.consumer)!;
    // The old key's expiry comes first: it and the new key may be inserted at the same offset.
    const edits = [...endingEdits(file, request.consumer, old, until), ...editsToAdd(file, additions)];
    return {
      issued: { ...fresh, old: { id: old.id, until } },
      edits: [{ file, edits }],
      expected: withKeys(withEnd(open.policy, request.consumer, old, until), additions),
    };
  });
}

/** What the new key may not do either. */
function limitsOf({ apis, scopes, addresses }: Key): KeyLimits {
  return {
    ...(apis !== undefined && { apis }),
    ...(scopes !== undefined && { scopes }),
    ...(addresses !== undefined && { addresses }),
  };
}

function keyToReplace(policy: Policy, { consumer: name, id }: RotateRequest, nowSeconds: number): Key {
  const consumer = Object.hasOwn(policy.consumers, name) ? policy.consumers[name] : undefined;
  if (consumer === undefined) throw new PolicyFileError(`no consumer named "${name}"; tollgate keys list shows all`);
  const working = consumer.keys.filter((key) => works(key, nowSeconds));
  if (id !== undefined) return keyOfId(consumer.keys, name, id, nowSeconds);
  // A key with an expiry was probably rotated before, and its overlap is not over yet.
  const lasting = working.filter(({ until }) => until === undefined);
  const [only, ...others] = working.length > 1 && lasting.length > 0 ? lasting : working;
  if (only === undefined)
    throw new PolicyFileError(`consumer "${name}" has no active key; tollgate keys issue makes one`);
  if (others.length === 0) return only;
  const ids = [only, ...others].map((key) => key.id);
  throw new PolicyFileError(
    `consumer "${name}" has ${ids.length} active keys${ids.length <= 20 ? ` (${ids.join(', ')})` : ''}; choose one with --id`,
  );
}

function keyOfId(keys: readonly Key[], consumer: string, id: string, nowSeconds: number): Key {
  const key = keys.find((one) => one.id === id);
  if (key === undefined)
    throw new PolicyFileError(`no key "${id}" of consumer "${consumer}"; tollgate keys list shows all`);
  if (!works(key, nowSeconds))
    throw new PolicyFileError(
      `key "${id}" of consumer "${consumer}" is not active; tollgate keys issue makes a new one`,
    );
  return key;
}

function works({ revoked, from, until }: Key, nowSeconds: number): boolean {
  const begins = from === undefined ? 0 : epochSeconds(from)!;
  const ends = until === undefined ? Infinity : epochSeconds(until)!;
  return !revoked && begins <= nowSeconds && nowSeconds < ends;
}

/** A key that expires earlier anyway keeps its expiry. */
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
