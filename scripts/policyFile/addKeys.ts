import type { Key, Policy } from '../policy/index.ts';
import { entryOf, type Mapping } from '../policy/yaml/document.ts';
import type { PolicyFile } from './open.ts';
import { type Member, rendered, type RenderedField } from './render.ts';
import { append, appendToFilled, type Edit, type Layout, layoutOf } from './splice.ts';

/** When and where a key may be used, and what for. */
export type KeyLimits = Partial<Pick<Key, 'from' | 'until' | 'apis' | 'scopes' | 'addresses'>>;

/** What a policy holds of a new key. */
export interface StoredKey extends KeyLimits {
  readonly id: string;
  readonly digest: string;
}

/** New keys of one consumer, which is created with this plan if it does not exist. */
export interface Addition {
  readonly consumer: string;
  readonly plan?: string | undefined;
  readonly keys: readonly StoredKey[];
}

/** The smallest edits of a file that add the keys, and the lists and consumers they need. At most one addition per consumer. */
export function editsToAdd({ text, root }: PolicyFile, additions: readonly Addition[]): Edit[] {
  const layout = layoutOf(text, root);
  const consumersEntry = entryOf(root, 'consumers');
  const consumers = consumersEntry?.value;
  const isThere = ({ consumer }: Addition): boolean => entryOf(consumers, consumer) !== undefined;
  // Keys of existing consumers come first: those of the last one and a new consumer may be inserted at the same offset.
  const edits = additions
    .filter(isThere)
    .flatMap((addition) => editsOfOne(text, consumers as Mapping, addition, layout));
  const added = additions.filter((addition) => !isThere(addition)).map(newConsumer);
  if (added.length === 0) return edits;
  if (consumersEntry === undefined)
    return [appendToFilled(text, root, [{ field: ['consumers', { fields: added }] }], layout)];
  const members = added.map((field): Member => ({ field }));
  return [...edits, ...append(text, { owner: root, entry: consumersEntry }, members, layout)];
}

function editsOfOne(text: string, consumers: Mapping, { consumer, keys }: Addition, layout: Layout): Edit[] {
  const entry = entryOf(consumers, consumer)!;
  const keysEntry = entryOf(entry.value, 'keys');
  if (keysEntry === undefined) return append(text, { owner: consumers, entry }, [{ field: keysField(keys) }], layout);
  const members = keys.map((key): Member => ({ item: { fields: fieldsOf(key) } }));
  return append(text, { owner: entry.value as Mapping, entry: keysEntry }, members, layout);
}

function newConsumer({ consumer, plan, keys }: Addition): RenderedField {
  const fields: RenderedField[] = plan === undefined ? [] : [['plan', plan]];
  return [consumer, { fields: [...fields, keysField(keys)] }];
}

function keysField(keys: readonly StoredKey[]): RenderedField {
  return ['keys', { items: keys.map((key) => ({ fields: fieldsOf(key) })) }];
}

function fieldsOf(key: StoredKey): RenderedField[] {
  return Object.entries(key).map(([field, value]) => [field, rendered(value)]);
}

/** The policy with these keys added. */
export function withKeys(policy: Policy, additions: readonly Addition[]): Policy {
  const consumers = { ...policy.consumers };
  for (const { consumer, plan, keys } of additions) {
    const before = Object.hasOwn(consumers, consumer)
      ? consumers[consumer]!
      : { ...(plan !== undefined && { plan }), subscriptions: {}, keys: [], scopes: [], workloads: [] };
    const added = keys.map((key) => ({ ...key, revoked: false }));
    consumers[consumer] = { ...before, keys: [...before.keys, ...added] };
  }
  return { ...policy, consumers };
}

/** A stored key, without empty fields. */
export function storedKey(id: string, digest: string, limits: KeyLimits): StoredKey {
  const { from, until, apis, scopes, addresses } = limits;
  return {
    id,
    digest,
    ...(from !== undefined && { from }),
    ...(until !== undefined && { until }),
    ...(apis !== undefined && { apis }),
    ...(scopes !== undefined && { scopes }),
    ...(addresses !== undefined && { addresses }),
  };
}
